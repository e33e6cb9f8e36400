"""Pipelines of every kind of encoder, trained for some steps, and what to ask them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_attnner.relations import Relation, get_relations
from tests.pipeline.conftest import ENCODER, Task
from tests.tiny_encoders import make_encoder

KINDS = {"entity": "attn_ner", "relation": "attn_rel", "category": "attn_textcat"}
STEPS = {"attn_ner": 12, "attn_rel": 25, "attn_textcat": 5}  # none is certain yet
CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 26,
    "depth": 1,
    "embed_size": 53,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
}
ENCODERS: dict[str, dict[str, Any]] = {
    "own": ENCODER,
    "document": {"@architectures": "spacy-attnner.DocumentContext.v1", "value_width": 8}
    | {"tok2vec": ENCODER},
    "spaCy's": CNN,
    "spaCy's below ours": {**ENCODER, "embed": CNN},
    "transformer": {
        "@architectures": "spacy-attnner.TransformerEncoder.v1",
        "name": None,
        "margin": 7,
    },
    "shared": ENCODER,
}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}


def make_pipeline(task: Task, encoder: str, folder: str) -> Language:
    """A pipeline of a task, trained for some steps."""
    nlp = spacy.blank("en")
    tok2vec = copy.deepcopy(ENCODERS[encoder])
    if encoder == "transformer":
        tok2vec["name"] = folder
    config = task.config
    if encoder == "shared":
        nlp.add_pipe("tok2vec", config={"model": tok2vec})
        tok2vec = LISTENER
    config["model"]["tok2vec"] = tok2vec
    nlp.add_pipe(task.name, config=config)
    examples = task.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, STEPS[task.name], sgd)
    return nlp


def what_to_ask(nlp: Language, task: Task, doc: Doc) -> str | Span | Relation:
    """Something of the first sentence."""
    if task.name == "attn_ner":
        return Span(doc, 0, 2, label="PER")
    if task.name == "attn_rel":
        found = get_relations(doc)
        return found[0] if found else Relation(doc.ents[0], doc.ents[1], "Works_For")
    return "people"


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny pretrained encoder."""
    return str(make_encoder(tmp_path_factory.mktemp("encoder") / "model"))


@pytest.fixture(scope="session")
def _made() -> dict[tuple[str, str], Language]:
    return {}


@pytest.fixture
def asked(
    encoder_folder: str, _made: dict[tuple[str, str], Language]
) -> Callable[[str, str], tuple[Language, Doc, Any]]:
    """Pipeline, document and target of a kind ("entity", …) and an encoder's name."""

    def make(kind: str, encoder: str) -> tuple[Language, Doc, Any]:
        task = Task(KINDS[kind])
        if (kind, encoder) not in _made:
            _made[kind, encoder] = make_pipeline(task, encoder, encoder_folder)
        nlp = _made[kind, encoder]
        text, *gold = task.sentences[0]
        doc = task.doc(nlp, (text.replace(" in", "  in"), *_moved(gold)))
        for _, pipe in nlp.pipeline:
            doc = pipe(doc)
        return nlp, doc, what_to_ask(nlp, task, doc)

    return make


def _moved(gold: list[Any]) -> list[Any]:
    """The third entity stands behind the doubled space."""
    entities, *rest = gold
    behind = [(start + 1, end + 1, label) for start, end, label in entities[2:]]
    return [[*entities[:2], *behind], *rest]
