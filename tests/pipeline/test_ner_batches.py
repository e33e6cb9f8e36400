"""What `attn_ner` says of a document hangs on nothing beside it."""

import random

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from thinc.api import fix_random_seed

from spacy_attnner.layers import group_context
from spacy_attnner.models import crf_decode
from spacy_attnner.pipeline import ner as ner_module

LENGTHS = [0, 1, 3, 700, 40, 0, 95, 1300, 2, 11, 250, 17]
WORDS = ["Mira", "Okafor", "left", "Tromsø", ".", "ferry", "12", "AUNE", "in", "coast"]


def make_nlp(make_task, *, sentences):
    """Weights at random and a document context: everything may depend on everything."""
    fix_random_seed(0)
    model = make_task("attn_ner").config["model"]
    encoder = {**model["tok2vec"], "sentences": sentences}
    model.update(
        sentences=sentences,
        tok2vec={
            "@architectures": "spacy-attnner.DocumentContext.v1",
            "tok2vec": encoder,
            "width": encoder["width"],
            "value_width": 6,
            "n_heads": 2,
        },
    )
    task = make_task("attn_ner", {"model": model})
    nlp = task.blank()
    nlp.initialize(lambda: task.examples(nlp))
    model = nlp.get_pipe("attn_ner").model
    rng = numpy.random.default_rng(5)
    for layer in (model.get_ref("output_layer"), model.get_ref("crf")):
        for name in sorted(layer.param_names):
            shape = layer.get_param(name).shape
            layer.set_param(name, rng.normal(0.0, 0.7, shape).astype("float32"))
    return nlp


def make_docs(nlp):
    rng = random.Random(1)
    docs = []
    for i, n in enumerate(LENGTHS):
        words = rng.choices(WORDS, k=n)
        starts = [rng.random() < 0.1 for _ in range(n)] if i % 3 else None
        docs.append(Doc(nlp.vocab, words=words, sent_starts=starts))
    return docs


def run(nlp, docs, batch_size):
    """Entities and exact scores of each document."""
    pipe = nlp.get_pipe("attn_ner")
    results = []
    for start in range(0, len(docs), batch_size):
        for spans in pipe.predict(docs[start : start + batch_size]):
            entities = [(span.start, span.end, span.label) for span in spans]
            results.append((entities, [span.score for span in spans]))
    return results


@pytest.fixture(params=[False, True], ids=["documents", "sentences"])
def case(request, make_task):
    nlp = make_nlp(make_task, sentences=request.param)
    docs = make_docs(nlp)
    return nlp, docs, run(nlp, docs, batch_size=1)


def test_any_order_and_any_batches(case):
    nlp, docs, alone = case
    assert sum(len(entities) for entities, _ in alone) > 300

    @given(
        order=st.permutations(range(len(docs))),
        batch_size=st.integers(1, len(docs)),
        at_once=st.sampled_from([1, 500, 10**6]),
        small=st.booleans(),
    )
    @settings(deadline=None, max_examples=15)
    def check(order, batch_size, at_once, small):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ner_module, "AT_ONCE", at_once)
            patch.setattr(crf_decode, "AT_ONCE", at_once)
            if small:
                patch.setattr(group_context, "CHUNK_CPU", 100)
            found = run(nlp, [docs[i] for i in order], batch_size)
        for i, (entities, scores) in zip(order, found, strict=True):
            assert entities == alone[i][0]
            assert scores == pytest.approx(alone[i][1], abs=1e-6)

    check()


def test_the_same_document_twice(case):
    nlp, docs, alone = case
    found = run(nlp, [docs[3], *docs, docs[3]], batch_size=64)
    assert found[0][0] == found[4][0] == found[-1][0] == alone[3][0]


def test_marginals_and_readings_in_parts(case, monkeypatch):
    nlp, docs, _ = case
    pipe, some = nlp.get_pipe("attn_ner"), [*docs[:5], nlp.make_doc("")]
    marginals, _ = pipe.token_marginals(some)
    readings = [[r.probability for r in each] for each in pipe.k_best(some, 3)]
    monkeypatch.setattr(crf_decode, "AT_ONCE", 1)
    for found, expected in zip(pipe.token_marginals(some)[0], marginals, strict=True):
        assert found == pytest.approx(expected, abs=1e-6)
    parts = [[r.probability for r in each] for each in pipe.k_best(some, 3)]
    assert len(parts) == len(readings) == 6
    for found, expected in zip(parts, readings, strict=True):
        assert found == pytest.approx(expected, abs=1e-6)
