"""What the annotation of entities lets a recognizer learn."""

import warnings
from collections.abc import Iterable, Sequence

import numpy
from spacy.attrs import ENT_IOB
from spacy.language import Language
from spacy.training import Example

from .learnable import Survey

MISSING, INSIDE, OUTSIDE, BEGIN = range(4)  # as spaCy numbers them


class EntitySurvey(Survey):
    """Counts the tokens that are in an entity, in none, or not annotated.

    incorrect_spans_key: Span group of spans that are no entities, or None.
    """

    def __init__(self, name: str, task: str, incorrect_spans_key: str | None) -> None:
        super().__init__(name, task)
        self.key = incorrect_spans_key
        self.tokens = numpy.zeros(4, dtype="int64")
        self.n_incorrect = 0
        self.n_ragged = self.n_empty = 0

    def add(self, example: Example, labels: Iterable[str]) -> None:
        """Count an example, the labels of its entities and its tokens."""
        super().add(example, labels)
        reference = example.reference
        self.tokens += numpy.bincount(reference.to_array(ENT_IOB), minlength=4)
        for ent in reference.ents:
            is_empty = all(token.is_space for token in ent)
            self.n_empty += is_empty
            self.n_ragged += not is_empty and (ent[0].is_space or ent[-1].is_space)
        if self.key is not None:
            self.n_incorrect += len(reference.spans.get(self.key, []))

    def warn(self, labels: Sequence[str], nlp: Language | None) -> None:
        """As any survey; also where nothing is annotated as being no entity."""
        super().warn(labels, nlp)
        self._warn_of_whitespace()
        inside = int(self.tokens[INSIDE] + self.tokens[BEGIN])
        if not inside or self.tokens[OUTSIDE] or self.n_incorrect:
            return
        warnings.warn(
            f"{self.name!r} would learn that every token is an entity: of the training "
            f"data's tokens {inside:,} are in one, {self.tokens[MISSING]:,} are not "
            "annotated, and none is annotated as outside of all. Annotate whole "
            'documents (in JSONL, "entities" lists all of them; in spaCy, '
            'doc.set_ents(spans, default="outside")), or, where only the arguments of '
            "relations are known, train attn_rel alone on given entities "
            "(configs/rel_given.cfg)",
            stacklevel=2,
        )

    def _warn_of_whitespace(self) -> None:
        parts = []
        if self.n_ragged:
            parts.append(f"{self.n_ragged} begin or end with whitespace: trimmed")
        if self.n_empty:
            parts.append(f"{self.n_empty} are whitespace alone: left out")
        if parts:
            warnings.warn(
                f"of the entities that {self.name!r} is to learn, {', '.join(parts)}: "
                "mend their annotation, also in the documents that you score on",
                stacklevel=3,
            )
