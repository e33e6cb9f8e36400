"""What the corpus tests share. All sentences are invented."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_attnner.corpora.conversion import convert


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


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert a content, or a value of JSON; returns the documents and the summary."""

    def read_content(content, **settings):
        if not isinstance(content, str):
            content = json.dumps(content)
        out = tmp_path / "out.spacy"
        summary = convert(write(content), out, **settings)
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary

    return read_content
