"""What an encoder begins with: static vectors, learnt words, a transformer."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from thinc.api import Config

ENCODER = "spacy-attnner.AttentionEncoder.v1"
WORDS = "spacy-attnner.WordEmbed.v1"
TRANSFORMERS = "spacy-attnner.TransformerEncoder.v1"
WORD_WIDTH = 100  # of learnt words, where there are no others


def blocks_of(config: dict[str, Any], architecture: str) -> Iterator[dict[str, Any]]:
    """All blocks of an architecture, those above before those within them."""
    if config.get("@architectures") == architecture:
        yield config
    for value in config.values():
        if isinstance(value, dict):
            yield from blocks_of(value, architecture)


def leave_out_vectors(config: Config, *, word_width: int = WORD_WIDTH) -> None:
    """Have a model do without static vectors.

    word_width: Of the words that are learnt in their place, where none are.
    """
    for block in blocks_of(config, WORDS):
        block["vector_width"] = 0
        block["word_width"] = block["word_width"] or word_width


def put_transformer(config: Config, donor: Config) -> None:
    """Put another config's transformer beside the words of an encoder that has none.

    donor: Gives its transformer, its optimizer and its dropout.
    """
    (encoder,) = [b for b in blocks_of(config, ENCODER) if WORDS in _names(b["embed"])]
    (transformer,) = blocks_of(donor, TRANSFORMERS)
    encoder["transformer"] = deepcopy(transformer)
    config["paths"]["encoder"] = donor["paths"]["encoder"]
    for name in ("dropout", "optimizer"):
        config["training"][name] = deepcopy(donor["training"][name])


def _names(block: dict[str, Any]) -> set[str]:
    return {block.get("@architectures", "")}
