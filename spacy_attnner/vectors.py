"""`spacy-attnner.Vectors.v1`: word vectors that stay looked up by lower case.

spaCy's own table can be looked up by another attribute than the exact word, but forgets
which one when it is saved (spaCy 3.8.18 writes `attr` for floret vectors only): a
pipeline trained on lower-case vectors would find none for "London" once it is loaded.
This table remembers.
"""

from collections.abc import Callable
from typing import Any

from spacy.attrs import IDS, NAMES
from spacy.language import Language
from spacy.vectors import Vectors
from spacy.vocab import Vocab

NAME = "spacy-attnner.Vectors.v1"
CHECK_NAME = "spacy-attnner.vectors_check.v1"
# not "attr": a stock table would honour that when loaded and lose it when saved
CFG_KEY = "lookup"


class AttrVectors(Vectors):
    """spaCy's table of vectors; `attr`, what it is looked up by, survives saving."""

    def _get_cfg(self) -> dict[str, Any]:
        return {**super()._get_cfg(), CFG_KEY: NAMES[self.attr]}

    def _set_cfg(self, cfg: dict[str, Any]) -> None:
        if CFG_KEY in cfg:
            cfg = {**cfg, "attr": IDS[cfg[CFG_KEY]]}
        super()._set_cfg(cfg)

    def __reduce__(self) -> tuple[Callable, tuple[bytes, str | None]]:
        return _unpickle, (self.to_bytes(), self.name)


def _unpickle(data: bytes, name: str | None) -> AttrVectors:
    table = AttrVectors(name=name)
    table.from_bytes(data)
    return table


def create_vectors(attr: str = "LOWER") -> Callable[[Vocab], AttrVectors]:
    """The table of a pipeline: `[nlp.vectors]` in its config.

    attr: What words are looked up by, until vectors are loaded that say it themselves.
    """

    def create(vocab: Vocab) -> AttrVectors:
        return AttrVectors(strings=vocab.strings, attr=attr)

    return create


def create_vectors_check() -> Callable[[Language], Language]:
    """`nlp.after_creation` of vectors that are not keyed by the exact word.

    Raises ValueError where they are loaded into a pipeline that cannot keep that.
    """

    def check(nlp: Language) -> Language:
        if not isinstance(nlp.vocab.vectors, AttrVectors):
            raise ValueError(
                "these vectors are looked up by lower case, which spaCy's own vectors "
                f'forget when saved: put [nlp.vectors] @vectors = "{NAME}" into the '
                "config of the pipeline that uses them"
            )
        return nlp

    return check
