"""A small pipeline that can be made to wait and to fail, and services of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import spacy
import uvicorn
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_attnner.confidence import set_confidences
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.serving.service import make_app
from spacy_attnner.serving.start import open_socket, url_of

GATE = threading.Event()  # texts with WAIT are read once it is set
WAITS = threading.Event()  # one of them is being read
LABELS = {"Mira": "PER", "Nils": "PER", "Bergen": "LOC", "Oslo": "LOC"}


@Language.component("test_serving_finds")
def find(doc: Doc) -> Doc:
    """Entities by name, a relation of the first two, a category; or an error."""
    words = [token.text for token in doc]
    if "WAIT" in words:
        WAITS.set()
        assert GATE.wait(30)
    if "FAIL" in words:
        raise KeyError("this text")
    if "MEMORY" in words:
        raise MemoryError
    doc.ents = [
        Span(doc, i, i + 1, LABELS[w]) for i, w in enumerate(words) if w in LABELS
    ]
    set_confidences(doc, [(ent, 0.75) for ent in doc.ents])
    pairs = [Relation(*doc.ents[:2], "Lives_In", 0.5)] if len(doc.ents) > 1 else []
    set_relations(doc, pairs)
    doc.cats = {"short": float(len(doc) < 5)}
    return doc


def make_nlp() -> Language:
    """A pipeline of that component."""
    nlp = spacy.blank("en")
    nlp.add_pipe("test_serving_finds")
    return nlp


@contextmanager
def served(nlp: Language, **settings: object) -> Iterator[httpx.Client]:
    """A client of a service that runs in a thread."""
    listening = open_socket("127.0.0.1", 0)
    app = make_app(nlp, "made up", **settings)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    with httpx.Client(base_url=url_of(listening), timeout=30, trust_env=False) as http:
        try:
            yield http
        finally:
            GATE.set()
            server.should_exit = True
            thread.join(30)
            listening.close()
    assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """`serve(bounds=…, limits=…)`: a client of a service of its own."""
    GATE.clear()
    WAITS.clear()
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(served(make_nlp(), **settings))


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of a service that the tests of a file share."""
    with served(make_nlp()) as client:
        yield client


def eventually(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def metric(client: httpx.Client, name: str) -> float:
    """A line of /metrics."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name + " "))
