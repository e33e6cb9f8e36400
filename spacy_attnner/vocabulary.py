"""The words that a pipeline meets, and forgets again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import srsly
from spacy.attrs import NORM
from spacy.language import Language

from .models.workers import trim_heap

NEW_WORDS = 50_000  # spaCy keeps several strings of each


@contextmanager
def forgetting(nlp: Language, most: int | None = None) -> Iterator[None]:
    """`nlp.memory_zone`, of whose words nothing is left in the long run.

    spaCy's tables of strings and lexemes keep a place for whatever they once held, also
    for what a memory zone forgets, and double when they are full. They are made anew
    whenever `NEW_WORDS` have come in, which takes a third of a second. Attributes that
    were set on single lexemes (`nlp.vocab["cafe"].is_stop = True`) are lost then.

    most: Words in place of `NEW_WORDS`.
    """
    with nlp.memory_zone():
        yield
    if len(nlp.vocab) > (NEW_WORDS if most is None else most):
        trim_heap()  # for a while the strings are there twice
        _begin_anew(nlp.vocab)
        trim_heap()


def _begin_anew(vocab: Any) -> None:  # a `Vocab`, of which spaCy's stubs lack a part
    # as `from_bytes` does, which would hold the strings four times for a moment
    vocab.strings._reset_and_load(list(vocab.strings))
    # a vocabulary that is loaded begins without lexemes; it would also put one more
    # look-up around the getter of norms
    norm = vocab.lex_attr_getters[NORM]
    vocab.from_bytes(srsly.msgpack_dumps({}))
    vocab.lex_attr_getters[NORM] = norm
