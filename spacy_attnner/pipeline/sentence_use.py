"""Sentences at prediction that a model has never seen in training."""

import warnings
from collections.abc import Iterable
from typing import Any

from spacy.tokens import Doc

SEEN = "sentences_seen"  # key of a component's `cfg`; absent where they are not used


def forget_sentences(pipe: Any) -> None:
    """Note at initialization that a model that uses sentences has seen no document."""
    pipe.cfg.pop(SEEN, None)
    pipe.told_of_sentences = False
    if any(node.attrs.get("sentences") for node in pipe.model.walk()):
        pipe.cfg[SEEN] = None


def note_sentences(pipe: Any, docs: Iterable[Doc]) -> None:
    """Note in an update whether documents have sentence starts."""
    if SEEN in pipe.cfg and not pipe.cfg[SEEN]:
        pipe.cfg[SEEN] = any(map(_has_sentences, docs))


def warn_of_sentences(pipe: Any, docs: Iterable[Doc]) -> None:
    """Say once that documents have the sentence starts that training did not have."""
    if pipe.told_of_sentences or pipe.cfg.get(SEEN) is not False:
        return
    if any(map(_has_sentences, docs)):
        pipe.told_of_sentences = True
        warnings.warn(
            f"{pipe.name!r} reads sentence by sentence where a document has sentence "
            "starts; these documents have some, none that it was trained on had, and "
            "it will find less, unless those were single sentences. Train it with "
            "sentences (spacy-attnner.GoldSentences.v1 as the augmenter of the "
            "training corpus), or take what sets them (a parser, a senter, a "
            "sentencizer) out of the pipeline or behind it",
            stacklevel=2,
        )


def _has_sentences(doc: Doc) -> bool:
    # of one token spaCy says that it is annotated whether it is or not
    return len(doc) > 1 and doc.has_annotation("SENT_START")
