"""What the corpus tests share. All sentences are invented."""

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.vocab import Vocab


@pytest.fixture(scope="session")
def nlp() -> Language:
    return spacy.blank("en")


@pytest.fixture
def vocab(nlp: Language) -> Vocab:
    return nlp.vocab


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a corpus file, `write(content)` or `write(content, name)`."""

    def write_file(content: str | bytes, name: str = "corpus.txt") -> Path:
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        path.write_bytes(data)
        return path

    return write_file
