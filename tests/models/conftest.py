"""Documents and configs that the model tests share. All sentences are invented."""

from collections.abc import Callable
from typing import Any

import pytest
import spacy
from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc, Span
from thinc.api import Model

from spacy_attnner.models.candidate_pairs import make_candidate_pairs

WORD_EMBED = {
    "@architectures": "spacy-attnner.WordEmbed.v1",
    "vector_width": 0,
    "word_width": 7,
    "word_rows": 101,
    "word_dropout": 0.0,
    "shape_width": 3,
    "shape_rows": 53,
}
CHARACTERS = {
    "@architectures": "spacy-attnner.CharacterCNN.v1",
    "width": 11,
    "embed_width": 5,
    "max_length": 13,
}
ENCODER = {
    "@architectures": "spacy-attnner.AttentionEncoder.v1",
    "embed": WORD_EMBED,
    "characters": CHARACTERS,
    "width": 14,
    "depth": 1,
    "n_heads": 7,
    "window": 17,
    "margin": 5,
}
CONTEXT = {
    "@architectures": "spacy-attnner.DocumentContext.v1",
    "tok2vec": ENCODER,
    "width": 10,
    "value_width": 6,
    "n_heads": 3,
}
CONFIGS = {
    "WordEmbed": WORD_EMBED,
    "DocumentContext": CONTEXT,
    "CharacterCNN": CHARACTERS,
    "AttentionEncoder": ENCODER,
    "EntityEmbed": {
        "@architectures": "spacy-attnner.EntityEmbed.v1",
        "width": 5,
        "rows": 101,
    },
    "CRFTagger": {
        "@architectures": "spacy-attnner.CRFTagger.v1",
        "tok2vec": ENCODER,
        "nO": 13,
    },
    "EntityPairAttention": {
        "@architectures": "spacy-attnner.EntityPairAttention.v1",
        "tok2vec": ENCODER,
        "hidden": 10,
        "n_heads": 5,
        "type_width": 3,
        "distance_width": 2,
        "context": 2,
        "nO": 3,
    },
    "InnerProductPairs": {
        "@architectures": "spacy-attnner.InnerProductPairs.v1",
        "tok2vec": ENCODER,
        "hidden": 7,
        "type_width": 3,
        "nO": 3,
    },
    "AttentionTextClassifier": {
        "@architectures": "spacy-attnner.AttentionTextClassifier.v1",
        "tok2vec": ENCODER,
        "exclusive_classes": True,
        "n_heads": 3,
        "hidden": 5,
        "nO": 5,
    },
}
TEXTS = [
    "Mira Okafor met Tom Lind in Bergen before the ferry left for Stavanger .",
    "",
    "Ferries",
    "  \n ",
    "The harbour office of Kestrel Lines stayed shut while Nils Aune , who runs it , "
    "was away in Tromsø for a week .",
]
ENTITIES = {
    0: [(0, 2, "PER"), (3, 5, "PER"), (6, 7, "LOC"), (12, 13, "LOC")],
    4: [(4, 6, "ORG"), (9, 11, "PER"), (18, 19, "LOC")],
}


@pytest.fixture(scope="session")
def blank() -> Language:
    return spacy.blank("en")


@pytest.fixture
def docs(blank: Language) -> list[Doc]:
    """With entities, empty, of one token, of whitespace, and a longer one."""
    made = [blank(text) for text in TEXTS]
    for i, entities in ENTITIES.items():
        made[i].ents = [Span(made[i], *entity) for entity in entities]
    return made


@pytest.fixture
def configs() -> dict[str, dict[str, Any]]:
    """A small config of every architecture, by its name without prefix."""
    return CONFIGS


@pytest.fixture
def build() -> Callable[..., Model]:
    """`build(config, **changes)`: a model that is not initialized."""

    def resolve(config: dict[str, Any], **changes: Any) -> Model:
        return registry.resolve({"model": {**config, **changes}})["model"]

    return resolve


@pytest.fixture
def inputs_of(docs: list[Doc]) -> Callable[[str], list[Any]]:
    """What an architecture is fed: documents, or their candidate pairs."""
    get_candidates = make_candidate_pairs()

    def inputs(name: str) -> list[Any]:
        if name in ("EntityPairAttention", "InnerProductPairs"):
            return [get_candidates(doc) for doc in docs]
        return list(docs)

    return inputs


@pytest.fixture
def trained(build: Callable[..., Model], inputs_of: Callable) -> Callable[..., Model]:
    """`trained(name, **changes)`: initialized, no weight left at its initial zero."""

    def make(name: str, **changes: Any) -> Model:
        model = build(CONFIGS[name], **changes)
        model.initialize(X=inputs_of(name))
        for node in model.walk():
            for key in node.param_names:
                param = node.get_param(key)
                if not param.any():
                    noise = node.ops.xp.random.normal(0.0, 0.3, param.shape)
                    node.set_param(key, noise.astype("float32"))
            for shim in node.shims:
                for param in shim._model.parameters():
                    if not param.data.any():
                        param.data.normal_(0.0, 0.3)
                shim.notes = {}
        return model

    return make
