"""What an encoder begins with: static vectors, learnt words, a transformer."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from thinc.api import Config

ENCODER = "spacy-attnner.AttentionEncoder.v1"
WORDS = "spacy-attnner.WordEmbed.v1"
TRANSFORMERS = "spacy-attnner.TransformerEncoder.v1"
# of an embedding of words, what is learnt with the rest
LEARNT = ("word_width", "shape_width", "affix_width", "subword_width")


def blocks_of(config: dict[str, Any], architecture: str) -> Iterator[dict[str, Any]]:
    """All blocks of an architecture, those above before those within them."""
    if config.get("@architectures") == architecture:
        yield config
    for value in config.values():
        if isinstance(value, dict):
            yield from blocks_of(value, architecture)


def leave_out_vectors(config: Config, donor: Config | None = None) -> None:
    """Have a model do without static vectors.

    donor: Gives the embedding of words that takes their place; without it nothing does,
        or learnt words where there was nothing else.
    """
    for block in blocks_of(config, WORDS):
        if donor is not None and block["vector_width"]:
            (words,) = blocks_of(donor, WORDS)
            block.clear()
            block.update(deepcopy(words))
        elif not any(block.get(name) for name in LEARNT):
            block["word_width"] = block["vector_width"]
        block["vector_width"] = 0


def put_transformer(config: Config, donor: Config) -> None:
    """Put another config's transformer beside the words of an encoder that has none.

    donor: Gives its transformer, its optimizer and its dropout.
    """
    (encoder,) = (
        block
        for block in blocks_of(config, ENCODER)
        if block["embed"]["@architectures"] == WORDS
    )
    (transformer,) = blocks_of(donor, TRANSFORMERS)
    encoder["transformer"] = deepcopy(transformer)
    config["paths"]["encoder"] = donor["paths"]["encoder"]
    for name in ("dropout", "optimizer"):
        config["training"][name] = deepcopy(donor["training"][name])


def freeze(config: Config) -> None:
    """Keep a transformer as it is, the mean of its last four layers; what is above it
    learns as it does without one.
    """
    for block in blocks_of(config, TRANSFORMERS):
        if block["tuning"]["frozen"] == "all":
            continue
        block["tuning"]["frozen"] = "all"
        block["top_layers"] = 4
        optimizer = config["training"]["optimizer"]
        optimizer["grad_clip"] = 5.0
        optimizer["learn_rate"]["initial_rate"] *= 2
