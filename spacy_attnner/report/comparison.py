"""The gold and the predicted entities of a document, over the same tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.tokens import Doc
from spacy.training import Example

from ..confidence import confidences


@dataclass(frozen=True)
class Entity:
    """An entity over the tokens of the reference.

    start, end: Its tokens, the end exclusive.
    label: Its type.
    confidence: The probability that the model gave it, None for gold entities and for
        those of components that give none.
    """

    start: int
    end: int
    label: str
    confidence: float | None = None

    @property
    def key(self) -> tuple[int, int, str]:
        """What has to be the same for a prediction to be correct."""
        return self.start, self.end, self.label


@dataclass(frozen=True)
class Comparison:
    """A document with its gold and its predicted entities.

    doc: The reference, whose tokens count.
    gold: Its annotated entities.
    predicted: The predictions that are right or wrong.
    ignored: Predictions over tokens whose annotation is missing: neither.
    """

    doc: Doc
    gold: Sequence[Entity]
    predicted: Sequence[Entity]
    ignored: Sequence[Entity] = ()


def compare(example: Example) -> Comparison | None:
    """Bring the entities of an example onto the tokens of its reference.

    As in `spacy.scorer.get_ner_prf`, a prediction covers all gold tokens from the first
    to the last that it is aligned to, and is ignored if the annotation of one of them
    is missing. Returns None where nothing is annotated.
    """
    reference = example.reference
    if not reference.has_annotation("ENT_IOB"):
        return None
    gold = [Entity(ent.start, ent.end, ent.label_) for ent in reference.ents]
    predicted, ignored = [], []
    for entity in _aligned(example):
        tokens = reference[entity.start : entity.end]
        missing = any(token.ent_iob == 0 for token in tokens)
        (ignored if missing else predicted).append(entity)
    return Comparison(reference, gold, predicted, ignored)


def _aligned(example: Example) -> list[Entity]:
    doc = example.predicted
    x2y = example.alignment.x2y
    entities = []
    for ent, confidence in zip(doc.ents, confidences(doc, doc.ents), strict=True):
        indices = x2y[ent.start : ent.end]
        if len(indices):
            start, end = int(indices[0]), int(indices[-1]) + 1
            entities.append(Entity(start, end, ent.label_, confidence))
    return entities
