"""Readers of one format each, for tests."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_attnner.corpora.formats import read_corpus


@cache
def english() -> Language:
    return spacy.blank("en")


def read_as(name: str) -> Callable[..., Iterator[Doc]]:
    """What reads a file of one format: `read(path, nlp or vocab, **options)`."""

    def read(path: Path, nlp: Language | Vocab, **options: Any) -> Iterator[Doc]:
        pipeline = nlp if isinstance(nlp, Language) else english()
        return read_corpus(path, pipeline, name, **options)

    return read
