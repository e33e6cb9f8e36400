"""Ablation of configs/rel_given.cfg: relations between given entities, two corpora.

*types*: CoNLL04 with its entities. *directed*: the same sentences in the form that
SemEval-2010 Task 8 has: for every two entities that a relation joins, and for some that
none joins, a document with these two alone, both labelled `E`, and at most one
relation, from the first to the second, whose label says which of them is its head:
`Kill(e2,e1)`. Of the ten labels the rarest is left out.

Results are kept after every run, so an interrupted call goes on where it stopped:

    python benchmarks/rel_given.py --corpus corpus/rel --vectors vectors --seeds 0 1 2

Scores: strict micro F1 of relations and its mean over the labels, entities given.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import spacy
from ablation import Change, setting, shorten, table
from record import write_result
from spacy.tokens import Doc, DocBin, Span
from thinc.api import Config
from tqdm import tqdm
from trainings import spacy_train

from spacy_attnner.corpora.training_data import GoldEntitiesCorpus
from spacy_attnner.relations import Relation, copy_doc, get_relations, set_relations

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "rel_given.json"
PAIRS = "components.attn_rel.model"
SPLITS = ("train", "dev", "test")
DATA = ("types", "directed")
N_LABELS = 9
UNRELATED = 0.2  # pairs without a relation for one with, as many as in SemEval-2010

UNMARKED = setting(f"{PAIRS}.tok2vec.entities", None)
SEGMENTS = setting(f"{PAIRS}.around", False)
SEVERAL = setting(f"{PAIRS}.exclusive", False)
UNTYPED = setting(f"{PAIRS}.tok2vec.entities.types", False)
DISTANCE = setting(f"{PAIRS}.distance_width", 16)
CHANGES: dict[str, list[Change]] = {
    "shipped": [],
    "entities not marked in the encoder": [UNMARKED],
    "no maxima of the words around": [SEGMENTS],
    "distance": [DISTANCE],
    "distance, several labels for one pair": [DISTANCE, SEVERAL],
    "distance, marks without types": [DISTANCE, UNTYPED],
    "distance, none of the others": [DISTANCE, UNMARKED, SEGMENTS, SEVERAL],
    "words learnt beside the vectors": [
        setting(f"{PAIRS}.tok2vec.embed.word_width", 50)
    ],
    "dropout 0.5": [setting("training.dropout", 0.5)],
}


def directed(doc: Doc, head: Span, tail: Span, label: str | None) -> Doc:
    """The document with two entities that have no types; `label` without direction."""
    made = copy_doc(doc)
    first, second = sorted([head, tail])
    places = [Span(made, span.start, span.end, "E") for span in (first, second)]
    made.set_ents(places, default="outside")
    name = f"{label}(e1,e2)" if head == first else f"{label}(e2,e1)"
    set_relations(made, [Relation(*places, name)] if label else [])
    return made


def directed_docs(docs: list[Doc]) -> list[Doc]:
    """A document for every related and for some unrelated pairs of entities."""
    related, unrelated = [], []
    for doc in docs:
        found = {frozenset((r.head.start, r.tail.start)): r for r in get_relations(doc)}
        related += [directed(doc, r.head, r.tail, r.label) for r in found.values()]
        unrelated += [
            (doc, head, tail)
            for i, head in enumerate(doc.ents)
            for tail in doc.ents[i + 1 :]
            if frozenset((head.start, tail.start)) not in found
        ]
    chosen = random.Random(0).sample(unrelated, round(UNRELATED * len(related)))
    return related + [directed(*each, None) for each in chosen]


def make_directed(corpus: Path, folder: Path) -> None:
    """Write {train,dev,test}.spacy, made of those of a corpus with relations."""
    vocab = spacy.blank("en").vocab
    made = {}
    for split in SPLITS:
        docs = DocBin().from_disk(corpus / f"{split}.spacy").get_docs(vocab)
        made[split] = directed_docs(list(docs))
    labels = Counter(r.label for doc in made["train"] for r in get_relations(doc))
    kept = {label for label, _ in labels.most_common(N_LABELS)}
    for split, docs in made.items():
        chosen = [d for d in docs if {r.label for r in get_relations(d)} <= kept]
        DocBin(docs=chosen).to_disk(folder / f"{split}.spacy")


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Scores in percent, on dev and test."""
    nlp = spacy.load(model)
    found = {}
    for split in ("dev", "test"):
        reader = GoldEntitiesCorpus(corpus / f"{split}.spacy")
        scores = nlp.evaluate(list(reader(nlp)))
        for name, key in (("micro", "rel_f"), ("macro", "rel_macro_f")):
            found[f"{split}, {name}"] = round(100 * scores[key], 2)
    return found


def run(
    row: str, seed: int, corpus: Path, options: argparse.Namespace
) -> dict[str, object]:
    """Train and score one row with one seed."""
    config = Config().from_disk(options.config, interpolate=False)
    for change in CHANGES[row.split(": ")[1]]:
        change(config)
    if options.steps:
        shorten(config, options.steps, options.rate)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        minutes = spacy_train(
            config,
            folder,
            train=corpus / "train.spacy",
            dev=corpus / "dev.spacy",
            vectors=options.vectors,
            seed=seed,
        )
        if options.keep:
            log = options.keep / f"{row}-{seed}.log".replace(" ", "-")
            log.write_text((folder / "log.txt").read_text())
        scores = score(folder / "model-best", corpus)
    return {"row": row, "seed": seed, "minutes": minutes, **scores}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="CoNLL04, {train,dev,test}.spacy")
    add("--vectors", type=Path, required=True, help="pipeline with static vectors")
    add("--config", type=Path, default=ROOT / "configs" / "rel_given.cfg")
    add("--rows", nargs="+", default=["shipped"], choices=list(CHANGES))
    add("--data", nargs="+", default=DATA, choices=DATA)
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--steps", type=int, help="of a shorter schedule than the config's")
    add("--rate", type=float, default=0.004, help="learning rate of that schedule")
    add("--output", type=Path, default=RESULT)
    add("--keep", type=Path, help="existing folder to keep the logs in")
    return parser.parse_args()


def main() -> None:
    """Train and score what is not in the results yet."""
    options = parse()
    done = json.loads(options.output.read_text()) if options.output.exists() else {}
    runs, explored = done.get("runs", []), done.get("explored", [])
    known = {(each["row"], each["seed"]) for each in runs}
    rows = [f"{data}: {row}" for row in options.rows for data in options.data]
    todo = [(r, s) for s in options.seeds for r in rows if (r, s) not in known]
    command = "python benchmarks/rel_given.py --corpus corpus/rel --vectors vectors"
    if options.steps:
        command += f" --steps {options.steps} --rate {options.rate}"
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        make_directed(options.corpus, made)
        for row, seed in tqdm(todo, desc="trainings"):
            corpus = made if row.startswith("directed") else options.corpus
            runs.append(run(row, seed, corpus, options))
            content = {"runs": runs, "explored": explored}
            write_result(options.output, command, content)
            tqdm.write(json.dumps(runs[-1]))
    every = [f"{data}: {row}" for data in DATA for row in CHANGES]
    sys.stdout.write(table(every, runs, {}) + "\n")


if __name__ == "__main__":
    main()
