"""Ablation of configs/ner.cfg on CoNLL-2003: each row one change, several seeds.

Results are kept after every run, so an interrupted call goes on where it stopped:

    python benchmarks/ner.py --corpus corpus/ner --vectors vectors --seeds 0 1 2

Scores: entity F1 on whole documents, with gold sentence starts ("given", the published
setting) and without any ("none").
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ner_ideas  # noqa: F401 (registers what some rows name)
import spacy
from record import write_result
from spacy.training import Corpus
from thinc.api import Config
from tqdm import tqdm

from spacy_attnner.corpora.gold_sentences import create_gold_sentences

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
Change = Callable[[Config], object]


def setting(path: str, value: object) -> Change:
    """A change of one setting, "components.attn_ner.model.tok2vec.width" say."""

    def change(config: Config) -> None:
        *sections, key = path.split(".")
        section = config
        for name in sections:
            section = section[name]
        if key not in section:
            raise KeyError(f"{path} is not in the config")
        section[key] = value

    return change


MODEL = "components.attn_ner.model"
CONTEXT = f"{MODEL}.tok2vec"
ENCODER = f"{CONTEXT}.tok2vec"


def without_context(config: Config) -> None:
    """Put the encoder where the document context stood."""
    model = config["components"]["attn_ner"]["model"]
    width = model["tok2vec"]["width"]
    model["tok2vec"] = model["tok2vec"]["tok2vec"]
    model["tok2vec"]["width"] = width


def instead_of(path: str, key: str, name: str, **settings: object) -> Change:
    """Another registered function at a block of the config, its settings kept."""

    def change(config: Config) -> None:
        block = config
        for part in path.split("."):
            block = block[part]
        block[key] = name
        block.update(settings)

    return change


def with_gazetteer(config: Config) -> None:
    """Flag the names of the training documents beside the embeddings."""
    encoder = config["components"]["attn_ner"]["model"]["tok2vec"]["tok2vec"]
    encoder["embed"] = {
        "@architectures": "benchmarks.Gazetteer.v1",
        "embed": encoder["embed"],
        "path": "${paths.train}",
    }


INTNET = {"@architectures": "benchmarks.CharacterIntNet.v1"}
AUGMENTER = "corpora.train.augmenter"
ROWS: dict[str, list[Change]] = {
    "shipped": [],
    "no other places of a word": [setting(f"{CONTEXT}.repeats", False)],
    "no state of the document": [setting(f"{CONTEXT}.state", False)],
    "no document context": [without_context],
    "no document context, self-attention in the sentence": [
        setting(f"{ENCODER}.n_heads", 4),
        without_context,
    ],
    "self-attention in the sentence": [setting(f"{ENCODER}.n_heads", 4)],
    "sentence starts never used": [
        setting(f"{ENCODER}.sentences", False),
        setting(f"{MODEL}.sentences", False),
    ],
    "all sentence starts shown in training": [
        setting("corpora.train.augmenter.share", 1.0)
    ],
    "BiLSTM of 2 layers": [setting(f"{ENCODER}.depth", 2)],
    "width 256": [setting(f"{CONTEXT}.width", 256)],
    "width 600": [setting(f"{CONTEXT}.width", 600)],
    "no characters": [setting(f"{ENCODER}.characters", None)],
    "IntNet over characters": [
        setting(
            f"{ENCODER}.characters", {"@architectures": "benchmarks.CharacterIntNet.v1"}
        )
    ],
    "no word shapes": [setting(f"{ENCODER}.embed.shape_width", 0)],
    "no static vectors, words learnt": [
        setting(f"{ENCODER}.embed.vector_width", 0),
        setting(f"{ENCODER}.embed.word_width", 64),
    ],
    "words learnt beside the vectors": [setting(f"{ENCODER}.embed.word_width", 50)],
    "dropout 0.4": [setting("training.dropout", 0.4)],
    "dropout 0.6": [setting("training.dropout", 0.6)],
    "weights not averaged": [setting("training.optimizer.use_averages", False)],
    "softmax over tags instead of a CRF": [
        instead_of(MODEL, "@architectures", "benchmarks.SoftmaxTagger.v1")
    ],
    "copies of half of the documents with other names": [
        instead_of(
            AUGMENTER, "@augmenters", "benchmarks.SwappedEntities.v1", copies=0.5
        )
    ],
    "copies of 10 % of the documents in upper case": [
        instead_of(AUGMENTER, "@augmenters", "benchmarks.UpperCase.v1", copies=0.1)
    ],
    "names of the training documents as features": [with_gazetteer],
    "batches of 300 words": [setting("training.batcher.size", 300)],
    "batches of 1,200 words": [setting("training.batcher.size", 1200)],
}


def shorten(config: Config, n_steps: int, rate: float) -> None:
    """A schedule of so many steps from another learning rate, evaluated five times."""
    training = config["training"]
    training.update(max_steps=n_steps, patience=n_steps, max_epochs=0)
    training["eval_frequency"] = n_steps // 5
    training["optimizer"]["learn_rate"].update(total_steps=n_steps, initial_rate=rate)


def train(config: Config, folder: Path, corpus: Path, vectors: Path, seed: int) -> None:
    """Run `spacy train` in a process of its own, on one thread."""
    config.to_disk(folder / "config.cfg")
    command = [
        *(sys.executable, "-m", "spacy", "train", str(folder / "config.cfg")),
        *("--code", str(Path(__file__).with_name("ner_ideas.py"))),
        *("--output", str(folder), "--system.seed", str(seed)),
        *("--paths.train", str(corpus / "train.spacy")),
        *("--paths.dev", str(corpus / "dev.spacy")),
        *("--paths.vectors", str(vectors)),
        *("--training.logger.progress_bar", "false"),
    ]
    log = folder / "log.txt"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        code = subprocess.call(command, stdout=out, stderr=out, env=environment)
    if code:
        raise SystemExit(f"training failed, see {log}:\n{log.read_text()[-2000:]}")


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Entity F1 in percent, on dev and test, with and without sentence starts."""
    nlp = spacy.load(model)
    found = {}
    for split in ("dev", "test"):
        for name, augmenter in (("given", create_gold_sentences()), ("none", None)):
            reader = Corpus(corpus / f"{split}.spacy", augmenter=augmenter)
            f1 = nlp.evaluate(list(reader(nlp)))["ents_f"]
            found[f"{split}, {name}"] = round(100 * f1, 2)
    return found


def run(row: str, seed: int, options: argparse.Namespace) -> dict:
    """Train and score one row with one seed."""
    config = Config().from_disk(options.config, interpolate=False)
    for change in ROWS[row]:
        change(config)
    if options.steps:
        shorten(config, options.steps, options.rate)
    with tempfile.TemporaryDirectory(dir=options.keep) as name:
        folder = Path(name)
        begin = time.time()
        train(config, folder, options.corpus, options.vectors, seed)
        minutes = (time.time() - begin) / 60
        result = {
            "row": row,
            "seed": seed,
            "minutes": round(minutes, 1),
            **score(folder / "model-best", options.corpus),
        }
        if options.keep:
            (folder / "model-best").rename(kept_at(row, seed, options))
    return result


def kept_at(row: str, seed: int, options: argparse.Namespace) -> Path:
    """Where a trained pipeline is kept."""
    name = f"{options.config.stem}-{row}-{seed}".replace(",", "").replace(" ", "-")
    return options.keep / name


def table(runs: list[dict]) -> str:
    """Mean and spread of every row as Markdown."""
    columns = ["dev, given", "dev, none", "test, given", "test, none", "minutes"]
    lines = [
        "| change | seeds | " + " | ".join(columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for row in ROWS:
        own = [each for each in runs if each["row"] == row]
        if not own:
            continue
        cells = []
        for column in columns:
            values = [each[column] for each in own]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            mean = statistics.mean(values)
            cells.append(
                f"{mean:.1f}" if column == "minutes" else f"{mean:.2f}{spread}"
            )
        lines.append(f"| {row} | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and do what is not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder of {train,dev,test}.spacy")
    add("--vectors", type=Path, required=True, help="pipeline with static vectors")
    add("--config", type=Path, default=ROOT / "configs" / "ner.cfg")
    add("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--jobs", type=int, default=2, help="trainings at a time, a thread each")
    add("--steps", type=int, help="of a shorter schedule than the config's")
    add("--rate", type=float, default=0.004, help="learning rate of that schedule")
    add("--output", type=Path, default=RESULTS / "ner.json")
    add("--keep", type=Path, help="existing folder to keep the trained pipelines in")
    options = parser.parse_args()
    done = json.loads(options.output.read_text()) if options.output.exists() else {}
    runs = done.get("runs", [])
    known = {(each["row"], each["seed"]) for each in runs}
    todo = [
        (row, seed)
        for seed in options.seeds
        for row in options.rows
        if (row, seed) not in known
    ]
    command = (
        f"python benchmarks/ner.py --config configs/{options.config.name} "
        "--corpus corpus/ner --vectors vectors"
    )
    if options.steps:
        command += f" --steps {options.steps} --rate {options.rate}"
    if options.keep:
        for row, seed in todo:
            if kept_at(row, seed, options).exists():
                parser.error(f"{kept_at(row, seed, options)} exists: remove it")
    with (
        ThreadPoolExecutor(options.jobs) as pool,
        tqdm(total=len(todo), desc="trainings") as progress,
    ):
        jobs = [pool.submit(run, row, seed, options) for row, seed in todo]
        for job in jobs:
            runs.append(job.result())
            progress.update()
            write_result(options.output, command, {"runs": runs})
            progress.write(json.dumps(runs[-1]))
    sys.stdout.write(table(runs) + "\n")


if __name__ == "__main__":
    main()
