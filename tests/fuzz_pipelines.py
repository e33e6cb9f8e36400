"""Random pipelines over hostile texts: nothing fails, and all is read back as stored.

    python -m tests.fuzz_pipelines --n 300 --seed 0

Each draw is a pipeline of trained components of this package, spaCy's rulers and
components that merge or split tokens, in any order, with any settings and keys.
"""

import argparse
import copy
import pickle
import random
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from tqdm import tqdm

from spacy_attnner.relations import (
    doc_from_json,
    doc_to_json,
    get_relations,
    has_relations,
    merge_docs,
    span_to_doc,
)

from .pipeline.conftest import ENCODER, Task
from .pipeline.test_token_changes import CHANGES, everything

LISTENER = {
    "@architectures": "spacy.Tok2VecListener.v1",
    "width": ENCODER["width"],
    "upstream": "*",
}
OURS = ("attn_ner", "attn_rel", "attn_textcat", "attn_textcat_multilabel")
KEYS = {"attn_ner": ["attn_ner", "other"], "attn_rel": ["relations", "mine"]}
OTHERS = (
    *("entity_ruler", "span_ruler", "sentencizer", "doc_cleaner", "fuzz_spans"),
    *CHANGES,
)
TEXTS = [
    "Mira Okafor works for Kestrel Lines in Bergen .",
    " Mira  Okafor\n\nworks for Kestrel\n Lines in  Bergen .\n",
    *("", " ", "\n\n \t", "a", ".", "\u200b", "\x00", "\ufeff\u202eMira"),
    "雨が降る 👩‍🚀 Mira Okafor Bergen" + "\u0301" * 40,
    "Tom Lind lives in Stavanger. " * 9,
    "x" * 3000 + " Bergen",
    "Halden Bank\r\nopened\u2028an\u00a0office in Tromsø\x1b[31m last May .",
]
LETTERS = "ab Z.é\n\t\u00a0\u0301\u200d雨🦀\x07-'/ "


@Language.component("fuzz_spans")
def fuzz_spans(doc: Doc) -> Doc:
    """Span groups of others, one with scores as a `spancat` leaves them."""
    spans = [Span(doc, i, i + 1, "PER") for i in range(0, len(doc), 3)]
    attrs = {"scores": [0.01] * len(spans)}
    doc.spans["sc"] = SpanGroup(doc, name="sc", attrs=attrs, spans=spans)
    return doc


@dataclass
class Trained:
    """Components as bytes, with encoders of their own and with a shared one."""

    own: dict[str, bytes] = field(default_factory=dict)
    listening: dict[str, bytes] = field(default_factory=dict)
    shared: bytes = b""

    @classmethod
    def new(cls, steps: int = 60) -> "Trained":
        """Train all components on a handful of invented sentences."""
        trained = cls()
        nlp = spacy.blank("en")
        nlp.add_pipe("tok2vec", config={"model": ENCODER})
        for name in OURS:
            own = Task(name).trained(steps)
            trained.own[name] = own.get_pipe(name).to_bytes(exclude=["vocab"])
            nlp.add_pipe(name, config=config_of(name, listens=True))
        examples = Task("attn_rel").examples(nlp)
        for example in examples:
            text = example.reference.text
            cats = next(s[3] for s in Task("attn_rel").sentences if s[0] == text)
            labels = Task("attn_textcat").labels
            example.reference.cats = {label: float(label in cats) for label in labels}
        sgd = nlp.initialize(lambda: examples)
        Task("attn_rel").train(nlp, examples, steps, sgd)
        trained.shared = nlp.get_pipe("tok2vec").to_bytes(exclude=["vocab"])
        for name in OURS:
            trained.listening[name] = nlp.get_pipe(name).to_bytes(exclude=["vocab"])
        return trained


def config_of(name: str, *, listens: bool) -> dict[str, Any]:
    """A small component, with an encoder of its own or as a listener."""
    config = Task(name).config
    if listens:
        config["model"]["tok2vec"] = LISTENER
    if listens and name != "attn_ner":
        config["model"]["width"] = ENCODER["width"]
    return config


def draw_pipeline(rng: random.Random, trained: Trained) -> Language:
    """A random pipeline."""
    nlp = spacy.blank("en")
    shares = rng.random() < 0.4
    if shares:
        nlp.add_pipe("tok2vec", config={"model": ENCODER}).from_bytes(trained.shared)
    for i in range(rng.randint(1, 8)):
        name = rng.choice([*OURS, *OURS[:2], *OTHERS])
        if name in OURS:
            _add_ours(rng, nlp, trained, name, i, shares and rng.random() < 0.6)
        else:
            _add_other(rng, nlp, name, f"{name}_{i}")
    return nlp


def _add_ours(
    rng: random.Random,
    nlp: Language,
    trained: Trained,
    name: str,
    i: int,
    listens: bool,
) -> None:
    config = config_of(name, listens=listens)
    pipe = nlp.add_pipe(name, name=f"{name}_{i}", config=config)
    pipe.from_bytes((trained.listening if listens else trained.own)[name])
    if name in KEYS:
        pipe.overwrite = rng.random() < 0.5
        pipe.threshold = rng.choice([0.0, 0.3, 0.5])
        key = "spans_key" if name == "attn_ner" else "relations_key"
        setattr(pipe, key, rng.choice(KEYS[name]))
    if name == "attn_rel":
        pipe.entity_confidence = rng.random() < 0.5
        pipe.known_types_only = rng.random() < 0.5


def _add_other(rng: random.Random, nlp: Language, name: str, as_name: str) -> None:
    config: dict[str, Any] = dict(CHANGES.get(name, {}))
    if name == "entity_ruler":
        config["overwrite_ents"] = rng.random() < 0.5
    if name == "span_ruler":
        config["annotate_ents"] = rng.random() < 0.5
    pipe: Any = nlp.add_pipe(name, name=as_name, config=config)
    if name in ("entity_ruler", "span_ruler"):
        patterns = {"LOC": "Bergen", "PER": "Mira", "SHIP": "Lines"}
        pipe.add_patterns([{"label": k, "pattern": v} for k, v in patterns.items()])


def draw_texts(rng: random.Random) -> list[str]:
    """Known hostile texts and random ones, in any order."""
    drawn = ["".join(rng.choices(LETTERS, k=rng.randint(0, 40))) for _ in range(4)]
    mixed = [f"Mira Okafor {text} Kestrel Lines in Bergen" for text in drawn[:2]]
    texts = [*rng.sample(TEXTS, 8), *drawn, *mixed]
    rng.shuffle(texts)
    return texts


def check(rng: random.Random, nlp: Language, texts: list[str]) -> None:
    """Raises an error where something fails or is not read back as it was."""
    batch_size = rng.choice([1, 3, 64])
    docs = list(nlp.pipe(texts, batch_size=batch_size))
    assert [doc.text for doc in docs] == texts
    if rng.random() < 0.3:  # once more over the same documents
        docs = list(nlp.pipe(docs, batch_size=batch_size))
    for doc in docs:  # those of others do not follow the tokens
        for key in set(doc.spans) - {key for keys in KEYS.values() for key in keys}:
            del doc.spans[key]
    expected = [everything(doc) for doc in docs]
    for way, found in _stored(nlp, docs):
        assert found == expected, way
    _check_moved(docs)
    if rng.random() < 0.05:
        found = nlp.pipe(texts, n_process=2, batch_size=4)
        again = nlp.pipe(texts, batch_size=4)
        assert [everything(doc) for doc in found] == [everything(doc) for doc in again]
    if rng.random() < 0.1:
        _check_copies(nlp, texts)


def _stored(nlp: Language, docs: list[Doc]) -> Iterator[tuple[str, list[Any]]]:
    """What is read back of documents, for each way of storing them."""
    vocab = nlp.vocab
    binary = DocBin(docs=docs).to_bytes()
    yield "DocBin", [*map(everything, DocBin().from_bytes(binary).get_docs(vocab))]
    data = [doc.to_bytes() for doc in docs]
    yield "bytes", [everything(Doc(vocab).from_bytes(each)) for each in data]
    yield "copy", [everything(doc.copy()) for doc in docs]
    yield "pickle", [everything(each) for each in pickle.loads(pickle.dumps(docs))]


def _check_moved(docs: list[Doc]) -> None:
    """Merged, cut and written as JSON, whatever the tokens are."""
    for doc in docs:
        doc.to_json()
        data = doc_to_json(doc)
        if not any(c.isspace() for token in doc for c in token.text):
            # spaCy's `from_json` reads no others, whitespace and merged tokens
            assert everything(doc_from_json(doc.vocab, data)) == everything(doc)
        if len(doc) and doc.tensor is not None:  # spaCy's `as_doc` reads it
            span_to_doc(doc[: max(1, len(doc) // 2)])
    annotated = [doc for doc in docs if has_relations(doc)]
    if annotated:
        merged = merge_docs(annotated)
        n_relations = sum(len(get_relations(doc)) for doc in annotated)
        assert len(get_relations(merged)) == n_relations


def _check_copies(nlp: Language, texts: list[str]) -> None:
    """A pipeline that was stored, or copied, says the same."""
    expected = [everything(doc) for doc in nlp.pipe(texts, batch_size=4)]
    with tempfile.TemporaryDirectory() as folder:
        nlp.to_disk(folder)
        for other in (spacy.load(folder), copy.deepcopy(nlp)):
            found = [everything(doc) for doc in other.pipe(texts, batch_size=4)]
            assert found == expected


def run(trained: Trained, seed: int) -> None:
    """Draw a pipeline and texts by a seed, and check them."""
    rng = random.Random(seed)
    nlp = draw_pipeline(rng, trained)
    try:
        check(rng, nlp, draw_texts(rng))
    except ValueError as error:
        # spaCy's own merging can leave entities that it refuses to read
        merges = any(
            nlp.get_pipe_meta(name).factory in CHANGES for name in nlp.pipe_names
        )
        if not merges or "[E093]" not in str(error):
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=300, help="pipelines")
    parser.add_argument("--seed", type=int, default=0, help="number of the first one")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    trained = Trained.new()
    failed = []
    for seed in tqdm(range(args.seed, args.seed + args.n), unit=" pipelines"):
        try:
            run(trained, seed)
        except Exception:
            failed.append(seed)
            names = draw_pipeline(random.Random(seed), trained).pipe_names
            tqdm.write(f"seed {seed}: {names}\n{traceback.format_exc(limit=-4)}")
    print(f"{args.n - len(failed)} passed, {len(failed)} failed")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
