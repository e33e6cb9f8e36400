"""The four kinds of attention of a text classifier."""

import time

import numpy
import pytest
import spacy

from spacy_attnner.explain import METHODS, explain
from tests.pipeline.conftest import Task

KINDS = ("additive", "self", "labels", "hierarchical")
NAMES = ("attn_textcat", "attn_textcat_multilabel")
kinds = pytest.mark.parametrize("kind", KINDS)


def make(name, kind, **model):
    model = {"attention": kind, "n_heads": 2, **model}
    return Task(name, {"model": {**Task(name).config["model"], **model}})


@pytest.fixture(scope="module")
def learnt():
    return {}


@pytest.fixture
def trained_as(learnt):
    """A pipeline by the name of its component and its kind of attention."""

    def get(name, kind):
        if (name, kind) not in learnt:
            learnt[name, kind] = make(name, kind).trained(steps=80)
        return learnt[name, kind]

    return get


@kinds
@pytest.mark.parametrize("name", NAMES)
def test_it_learns(trained_as, name, kind, tmp_path):
    task, nlp = Task(name), trained_as(name, kind)
    for sentence in task.sentences:
        assert task.answers(nlp(sentence[0])) == task.gold(nlp, sentence)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for sentence in task.sentences:
        cats = nlp(sentence[0]).cats
        assert loaded(sentence[0]).cats == pytest.approx(cats, abs=1e-6)


@kinds
@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_the_same_in_any_batch(trained_as, name, kind):
    task, nlp = Task(name), trained_as(name, kind)
    texts = [sentence[0] for sentence in task.sentences]
    texts += ["", "  ", " ".join(texts * 12), texts[0].replace(" ", "   ")]
    alone = [nlp(text).cats for text in texts]
    for doc, cats in zip(nlp.pipe(texts), alone, strict=True):
        assert doc.cats == pytest.approx(cats, abs=1e-5)
    assert alone[-1] == pytest.approx(alone[0], abs=1e-5)  # doubled spaces


@kinds
@pytest.mark.parametrize("name", NAMES)
def test_attention_adds_up_to_one(trained_as, name, kind):
    nlp = trained_as(name, kind)
    pipe = nlp.get_pipe(name)
    for text in (Task(name).sentences[0][0], "Rain  in\n\nBergen .", "fog " * 300):
        doc = nlp(text)
        for token in doc:
            token.is_sent_start = token.i % 40 == 0
        weights = pipe.attention(doc)
        assert weights.shape == (3 if kind == "labels" else 2, len(doc))
        numpy.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)
        assert weights.min() >= 0.0
        assert not weights[:, [token.is_space for token in doc]].any()


@kinds
def test_a_new_label(kind):
    task = make("attn_textcat", kind)
    nlp = task.trained(steps=40)
    nlp.get_pipe("attn_textcat").add_label(task.new_label)
    task.train(nlp, task.with_the_new_label(nlp), 60)
    assert nlp(task.new_sentence[0]).cats[task.new_label] > 0.5


@kinds
@pytest.mark.parametrize("extra", [{"maximum": False}, {"mean": True}])
def test_maximum_and_mean(kind, extra):
    nlp = make("attn_textcat", kind, **extra).trained(steps=60)
    task = Task("attn_textcat")
    for sentence in task.sentences:
        assert task.answers(nlp(sentence[0])) == task.gold(nlp, sentence)


@kinds
@pytest.mark.parametrize("method", list(METHODS))
def test_explained(learnt, kind, method):
    if kind not in learnt:
        learnt[kind] = make("attn_textcat", kind).trained(steps=6)  # not certain yet
    nlp = learnt[kind]
    doc = nlp("Rain and fog  stayed over the coast .")
    found = explain(nlp, doc, "weather", method=method)
    assert found.probability == pytest.approx(doc.cats["weather"], abs=1e-4)
    assert any(found.weights)
    assert numpy.isfinite(found.weights).all()
    if found.error is not None:
        assert found.error < 0.1


def test_sentences_are_seen_where_they_are_known(trained_as):
    nlp = trained_as("attn_textcat", "hierarchical")
    text = "Rain stayed . The ferry was late . Nobody came ."
    plain, cut = nlp.make_doc(text), nlp.make_doc(text)
    for token in cut:
        token.is_sent_start = token.i in (0, 3, 8)
    pipe = nlp.get_pipe("attn_textcat")
    weights = pipe.attention(cut)
    sums = [weights[:, a:b].sum(1) for a, b in ((0, 3), (3, 8), (8, 11))]
    numpy.testing.assert_allclose(sum(sums), 1.0, atol=1e-5)
    assert abs(pipe.predict([plain]) - pipe.predict([cut])).max() > 0


@kinds
def test_a_long_text_takes_linear_time(kind):
    nlp = make("attn_textcat", kind).trained(steps=2)
    times = []
    for n in (5_000, 50_000):
        doc = nlp.make_doc("fog over it . " * (n // 4))
        began = time.perf_counter()
        nlp.get_pipe("attn_textcat")(doc)
        times.append(time.perf_counter() - began)
        assert sum(doc.cats.values()) == pytest.approx(1.0, abs=1e-4)
    assert times[1] < 40 * max(times[0], 0.05)


def test_a_kind_that_there_is_not():
    with pytest.raises(Exception, match="attention"):
        make("attn_textcat", "magic").blank()
