"""Make the `.spacy` files that the trainings read, out of what was fetched.

python scripts/corpus.py corpus/SOURCE.json corpus
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from source import md5_of, read_source
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_attnner.atomic import check_apart, replacing_files
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.errors import UserError
from spacy_attnner.terminal import Commands, echo, msg

SPLITS = ("train", "dev", "test")
TO_CONLL2003 = {"Peop": "PER", "Org": "ORG", "Loc": "LOC", "Other": "MISC"}
QUESTIONS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
SENTIMENTS = ("NEGATIVE", "POSITIVE")
TOPICS = ("business", "crime", "culture", "politics", "science", "sports")
app = Commands()
DEV_EVERY = 10  # of a corpus that comes without a dev split, this question in ten


@dataclass(frozen=True)
class Part:
    """What one of the trainings reads.

    files: The fetched file of each split; without one, dev is cut out of train.
    options: What `convert` is told about them.
    train: What it is told about the training part besides.
    """

    files: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)


def _sample(**options: Any) -> Part:
    files = {split: f"assets/sample/{split}.jsonl" for split in SPLITS}
    return Part(files, {"format": "jsonl", **options})


PARTS = {
    "conll": {
        "ner": Part(
            {
                "train": "assets/conll2003/eng.train",
                "dev": "assets/conll2003/eng.testa",
                "test": "assets/conll2003/eng.testb",
            },
            {"format": "conll2003"},
        ),
        "rel": Part(
            {split: f"assets/conll04/{split}.txt" for split in SPLITS},
            {"format": "conll04", "label_map": TO_CONLL2003},
        ),
        "sentiment": Part(
            {split: f"assets/sst_trees/{split}.txt" for split in SPLITS},
            {"format": "sst_trees"},
            {"phrases": True},
        ),
        "questions": Part(
            {"train": "assets/trec/TREC.train", "test": "assets/trec/TREC.test"},
            {"format": "trec", "labels": QUESTIONS},
        ),
    },
    "sample": {
        "ner": _sample(),
        "rel": _sample(),
        "sentiment": _sample(cats=SENTIMENTS),
        "questions": _sample(cats=TOPICS),
    },
}


@app.command()
def make_corpora(
    source_path: Path, output: Path, project_dir: Path = Path(".")
) -> list[Path]:
    """Write OUTPUT/{ner,rel,sentiment,questions}/{train,dev,test}.spacy.

    source_path: The `SOURCE.json` that says which corpora were fetched.
    project_dir: What the paths in it count from.

    Returns the folders; their files appear only when all are complete. Raises
    UserError if a fetched file is missing, changed or malformed.
    """
    source = read_source(source_path)
    parts = PARTS.get(source["corpus"])
    if parts is None:
        raise UserError(
            f"{source_path} names an unknown corpus {source['corpus']!r}",
            "Run: python -m spacy project run fetch",
        )
    _check_files(source, project_dir)
    files = [f"{name}/{split}.spacy" for name in parts for split in SPLITS]
    for file in files:
        check_apart(output / file, {"source": source_path})
    with replacing_files(output, files) as partial:
        for name, part in parts.items():
            _convert_part(part, partial / name, project_dir, name)
    return [output / name for name in parts]


def _check_files(source: dict[str, Any], project_dir: Path) -> None:
    for dest, md5 in source["files"].items():
        path = project_dir / dest
        if not path.is_file() or md5_of(path) != md5:
            state = (
                "has changed since it was fetched" if path.exists() else "is missing"
            )
            raise UserError(
                f"{path} was fetched and {state}",
                "Run: python -m spacy project run fetch --force",
            )


def _convert_part(part: Part, folder: Path, project_dir: Path, name: str) -> None:
    msg.divider(name)
    for split, file in part.files.items():
        options = part.options | (part.train if split == "train" else {})
        try:
            summary = convert(
                project_dir / file,
                folder / f"{split}.spacy",
                progress=True,
                **options,
            )
        except CorpusError as error:
            raise UserError(
                str(error), "Mend the file, then run the step again."
            ) from error
        msg.good(f"{split} from {file}")
        for line in summary.lines():
            echo(f"  {line}")
    if "dev" not in part.files:
        counts = split_off_dev(folder / "train.spacy", folder / "dev.spacy")
        msg.good(f"dev: every {DEV_EVERY}th of train: {counts[0]:,} + {counts[1]:,}")


def split_off_dev(train: Path, dev: Path) -> tuple[int, int]:
    """Move every tenth document of `train` to `dev`.

    Returns how many documents each holds then.
    """
    docs = list(DocBin().from_disk(train).get_docs(Vocab()))
    kept = [doc for i, doc in enumerate(docs, 1) if i % DEV_EVERY]
    moved = docs[DEV_EVERY - 1 :: DEV_EVERY]
    with tempfile.TemporaryDirectory(dir=train.parent) as folder:
        for path, part in ((dev, moved), (train, kept)):
            DocBin(docs=part).to_disk(Path(folder) / path.name)
            (Path(folder) / path.name).replace(path)
    return len(kept), len(moved)


if __name__ == "__main__":
    app()
