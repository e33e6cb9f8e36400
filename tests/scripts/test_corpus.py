"""`scripts/corpus.py`: all trainings' files, out of either kind of source."""

import json
from pathlib import Path

import pytest
import spacy
from corpus import PARTS, make_corpora
from source import md5_of, read_assets, real_source, sample_source, write_source
from spacy.tokens import DocBin

from spacy_attnner.errors import UserError
from spacy_attnner.relations import get_relations

ROOT = Path(__file__).parents[2]
CONLL2003 = "-DOCSTART- -X- O O\n\nAda NNP I-NP I-PER\nwon VBD I-VP O\n\n"
CONLL04 = (
    "#doc 1\n"
    "0\tAda\tB-Peop\t['Live_In']\t[2]\n"
    "1\tleft\tO\t['N']\t[1]\n"
    "2\tOslo\tB-Loc\t['N']\t[2]\n"
    "3\tMonday\tB-Other\t['N']\t[3]\n"
    "4\tUN\tB-Org\t['N']\t[4]\n"
)
TREES = "(4 (2 a) (3 (3 fine) (2 film)))\n(1 (2 a) (1 (1 dull) (2 film)))\n"
TREC = "HUM:ind Who won ?\n" * 9 + "LOC:city Which city won ?\n" + "NUM:c How many ?\n"


def read(path: Path) -> list:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A project with tiny files in the formats of the real corpora."""
    contents = {"conll2003": CONLL2003, "conll04": CONLL04, "trec": TREC}
    contents["sst_trees"] = TREES
    for part in PARTS["conll"].values():
        for file in part.files.values():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(contents[path.parent.name], encoding="iso-8859-1")
    source = real_source(read_assets(ROOT))
    source["files"] = {dest: md5_of(tmp_path / dest) for dest in source["files"]}
    write_source(tmp_path / "corpus/SOURCE.json", source)
    return tmp_path


def make(project: Path) -> Path:
    make_corpora(project / "corpus/SOURCE.json", project / "corpus", project)
    return project / "corpus"


def test_real_corpora(real):
    corpus = make(real)
    assert {p.name for p in corpus.iterdir()} == {"SOURCE.json", *PARTS["conll"]}
    for name in PARTS["conll"]:
        assert {p.stem for p in (corpus / name).iterdir()} == {"train", "dev", "test"}
    assert [e.label_ for e in read(corpus / "ner/test.spacy")[0].ents] == ["PER"]
    doc = read(corpus / "rel/train.spacy")[0]
    assert [ent.label_ for ent in doc.ents] == ["PER", "LOC", "MISC", "ORG"]
    relation = get_relations(doc)[0]
    assert (relation.head.label_, relation.tail.label_) == ("PER", "LOC")
    cats = {"POSITIVE": 1, "NEGATIVE": 0}
    assert read(corpus / "sentiment/dev.spacy")[0].cats == cats
    sizes = [len(read(corpus / f"sentiment/{x}.spacy")) for x in ("train", "dev")]
    assert sizes == [6, 2]  # phrases for training, sentences for the rest


def test_every_tenth_question_is_for_development(real):
    corpus = make(real)
    train, dev = (read(corpus / f"questions/{x}.spacy") for x in ("train", "dev"))
    assert (len(train), len(dev)) == (10, 1)
    assert [doc[0].text for doc in train] == ["Who"] * 9 + ["How"]
    assert dev[0].text.startswith("Which city won")
    labels = {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"}
    assert set(dev[0].cats) == set(train[0].cats) == labels
    assert dev[0].cats["LOC"] == 1


def test_sample(tmp_path):
    folder = tmp_path / "assets/sample"
    folder.mkdir(parents=True)
    topics = ["business", "sports", "politics", "culture", "science", "crime"]
    lines = [
        {
            "text": f"Ada lives in Oslo, says report {i}.",
            "entities": [
                {"start": 0, "end": 3, "label": "PER"},
                {"start": 13, "end": 17, "label": "LOC"},
            ],
            "relations": [{"head": 0, "tail": 1, "label": "Live_In"}],
            "cats": {
                "POSITIVE": i % 2,
                "NEGATIVE": 1 - i % 2,
                **{name: int(name == topic) for name in topics},
            },
        }
        for i, topic in enumerate(topics)
    ]
    for split in ("train", "dev", "test"):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{split}.jsonl").write_text(text)
    write_source(tmp_path / "corpus/SOURCE.json", sample_source(tmp_path))
    corpus = make(tmp_path)
    assert len(read(corpus / "ner/train.spacy")[0].ents) == 2
    assert get_relations(read(corpus / "rel/test.spacy")[0])[0].label == "Live_In"
    sentiments = read(corpus / "sentiment/train.spacy")[1].cats
    assert sentiments == {"POSITIVE": 1, "NEGATIVE": 0}
    assert set(read(corpus / "questions/dev.spacy")[0].cats) == set(topics)


@pytest.mark.parametrize(("change", "said"), [("more", "changed"), (None, "missing")])
def test_fetched_file_is_not_what_it_was(real, change, said):
    path = real / "assets/trec/TREC.test"
    if change:
        path.write_text(change)
    else:
        path.unlink()
    with pytest.raises(UserError, match=rf"TREC\.test was fetched and .*{said}"):
        make(real)


def test_malformed_file_leaves_all_as_it_was(real):
    corpus = make(real)
    before = {path: path.read_bytes() for path in corpus.glob("*/*")}
    source = json.loads((corpus / "SOURCE.json").read_text())
    path = real / "assets/sst_trees/dev.txt"
    path.write_text("(3 fine)\n(7 odd)\n")
    source["files"]["assets/sst_trees/dev.txt"] = md5_of(path)
    write_source(corpus / "SOURCE.json", source)
    with pytest.raises(UserError, match=r"dev\.txt:2: '7' after a bracket"):
        make(real)
    assert {path: path.read_bytes() for path in corpus.glob("*/*")} == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"SOURCE\.json is missing"),
        ("{", "not valid JSON"),
        ('{"corpus": "conll"}', "lacks name, description, licence, sources, files"),
    ],
)
def test_bad_source(tmp_path, text, said):
    path = tmp_path / "corpus/SOURCE.json"
    if text is not None:
        path.parent.mkdir()
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        make(tmp_path)
