"""What thousands of relations in one document cost: linear, and far below a second."""

import gc
import time
from collections.abc import Callable
from functools import cache

import pytest
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from spacy_attnner.relations import (
    Relation,
    copy_doc,
    doc_from_json,
    doc_to_json,
    get_relations,
    merge_docs,
    set_relations,
    span_to_doc,
)

VOCAB = Vocab()
SMALL, LARGE = 1_000, 10_000
MOST_SECONDS = 2.0  # 0.2 at most were measured, on one busy core
MOST_GROWTH = 30  # for ten times as many; a quadratic cost grows by 100


@cache
def make_doc(n: int) -> tuple[Doc, list[Relation]]:
    """A document of 2n tokens with n relations, each entity being in two."""
    doc = Doc(VOCAB, words=[f"w{i % 997}" for i in range(2 * n)])
    ents = [Span(doc, 2 * i, 2 * i + 1, "A") for i in range(n)]
    doc.ents = ents
    relations = [Relation(ents[i], ents[i - 1], "Near", 0.5) for i in range(n)]
    set_relations(doc, relations)
    return doc, relations


def after_retokenization(n: int) -> Doc:
    doc = make_doc(n)[0].copy()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[1:3])
    return doc


def docbin(doc: Doc) -> Doc:
    stored = DocBin(docs=[doc]).to_bytes()
    return next(DocBin().from_bytes(stored).get_docs(VOCAB))


# what is timed, and what it is given
COSTS: dict[str, tuple[Callable, Callable]] = {
    "set_relations": (lambda given: set_relations(*given), make_doc),
    "get_relations": (get_relations, lambda n: make_doc(n)[0]),
    "rel": (lambda doc: doc._.rel, lambda n: make_doc(n)[0]),
    "set rel": (
        lambda given: setattr(given[0]._, "rel", given[1]),
        lambda n: (make_doc(n)[0], make_doc(n)[0]._.rel),
    ),
    "DocBin": (docbin, lambda n: make_doc(n)[0]),
    "get_relations of other tokens": (get_relations, after_retokenization),
    "copy_doc": (copy_doc, lambda n: make_doc(n)[0]),
    "doc_to_json": (doc_to_json, lambda n: make_doc(n)[0]),
    "doc_from_json": (
        lambda data: doc_from_json(VOCAB, data),
        lambda n: doc_to_json(make_doc(n)[0]),
    ),
    "merge_docs": (lambda doc: merge_docs([doc]), lambda n: make_doc(n)[0]),
    "span_to_doc": (lambda doc: span_to_doc(doc[:]), lambda n: make_doc(n)[0]),
}


def seconds(name: str, n: int) -> float:
    cost, given = COSTS[name]
    argument = given(n)
    times = []
    for _ in range(3):
        gc.collect()
        start = time.process_time()
        cost(argument)
        times.append(time.process_time() - start)
    return min(times)


@pytest.fixture(autouse=True)
def _no_collection():
    """A full collection passes over all that other tests keep."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", COSTS)
def test_cost_is_linear(name):
    large = seconds(name, LARGE)
    assert large < MOST_SECONDS
    assert large / max(seconds(name, SMALL), 0.0005) < MOST_GROWTH
