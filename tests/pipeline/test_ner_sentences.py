"""`attn_ner` where sentences are tagged by themselves."""

import math

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import fix_random_seed

TEXT = "Mira Okafor left Tromsø . Lind and Aune stayed in Bergen . Rain fell"
WORDS = TEXT.split()
STARTS = [0, 5, 12]
BOUNDS = [(0, 5), (5, 12), (12, 14)]


@pytest.fixture
def make_ner(make_task):
    """`make_ner(sentences)`: a model whose encoder sees one sentence at a time."""

    def make(sentences=True):
        model = make_task("attn_ner").config["model"]
        tok2vec = {**model["tok2vec"], "sentences": True}
        model.update(sentences=sentences, tok2vec=tok2vec)
        return make_task("attn_ner", {"model": model})

    return make


@pytest.fixture
def doubtful(make_ner):
    """`doubtful(sentences)`: weights at random, so that nothing is certain."""

    def make(sentences=True):
        fix_random_seed(0)
        nlp = make_ner(sentences).blank()
        example = make_example(nlp, ents=[(0, 2, "NAME")])
        nlp.initialize(lambda: [example])
        model = nlp.get_pipe("attn_ner").model
        rng = numpy.random.default_rng(5)
        for layer in (model.get_ref("output_layer"), model.get_ref("crf")):
            for name in sorted(layer.param_names):
                shape = layer.get_param(name).shape
                layer.set_param(name, rng.normal(0.0, 1.0, shape).astype("float32"))
        return nlp

    return make


def make_doc(nlp, starts=STARTS):
    is_start = [i in starts for i in range(len(WORDS))]
    return Doc(nlp.vocab, words=WORDS, sent_starts=is_start)


def make_example(nlp, ents=(), wrong=(), starts=STARTS):
    reference = Doc(nlp.vocab, words=WORDS)
    reference.set_ents([Span(reference, *ent) for ent in ents], default="outside")
    reference.spans["wrong"] = [Span(reference, *span) for span in wrong]
    return Example(make_doc(nlp, starts), reference)


def test_as_if_sentences_were_documents(doubtful):
    nlp = doubtful()
    pipe = nlp.get_pipe("attn_ner")
    whole, empty = make_doc(nlp), Doc(nlp.vocab)
    parts = [Doc(nlp.vocab, words=WORDS[i:j]) for i, j in BOUNDS]
    marginals, _ = pipe.token_marginals([whole, empty])
    expected, _ = pipe.token_marginals(parts)
    numpy.testing.assert_allclose(marginals[0], numpy.concatenate(expected), atol=1e-5)
    assert marginals[1].shape == (0, 5)
    found = confidences(nlp(whole))
    alone = {}
    for (start, _), part in zip(BOUNDS, map(nlp, parts), strict=True):
        for (i, j), confidence in confidences(part).items():
            alone[start + i, start + j] = confidence
    assert len(found) > 2
    assert found == pytest.approx(alone, abs=1e-5)


def confidences(doc):
    return {(ent.start, ent.end): ent._.confidence for ent in doc.ents}


def test_the_best_readings_combine_those_of_the_sentences(doubtful):
    nlp = doubtful()
    pipe = nlp.get_pipe("attn_ner")
    readings, nothing = pipe.k_best([make_doc(nlp), Doc(nlp.vocab)], 40)
    assert [(r.ents, r.probability) for r in nothing] == [([], 1.0)]
    parts = [Doc(nlp.vocab, words=WORDS[i:j]) for i, j in BOUNDS]
    alone = pipe.k_best(parts, 40)
    products = sorted(
        (
            math.prod(r.probability for r in (a, b, c))
            for a in alone[0]
            for b in alone[1]
            for c in alone[2]
        ),
        reverse=True,
    )
    found = [reading.probability for reading in readings]
    assert found == pytest.approx(products[:40], abs=1e-6)
    assert len({tuple((e.start, e.end) for e in r.ents) for r in readings}) == 40
    best = {(ent.start, ent.end) for ent in readings[0].ents}
    assert best == set(confidences(nlp(make_doc(nlp))))


@pytest.mark.parametrize("seed", range(5))
def test_no_entity_crosses_a_sentence_start(doubtful, seed):
    rng = numpy.random.default_rng(seed)
    starts = {0, *rng.choice(len(WORDS), 6).tolist()}
    apart, together = doubtful(), doubtful(sentences=False)
    for nlp in (apart, together):
        step = nlp.get_pipe("attn_ner").model.get_ref("crf").get_param("transitions")
        step[:, 2] += 5.0  # long entities
    docs = [nlp(make_doc(nlp, starts)) for nlp in (apart, together)]
    crossing = [
        [ent for ent in doc.ents if starts & set(range(ent.start + 1, ent.end))]
        for doc in docs
    ]
    assert not crossing[0]
    assert crossing[1]


def test_without_sentence_starts_the_document_is_one(doubtful):
    marginals = [
        nlp.get_pipe("attn_ner").token_marginals([Doc(nlp.vocab, words=WORDS)])[0][0]
        for nlp in (doubtful(), doubtful(sentences=False))
    ]
    numpy.testing.assert_array_equal(*marginals)


def test_an_entity_that_crosses_a_sentence_start_is_unknown(doubtful):
    nlp = doubtful()
    pipe = nlp.get_pipe("attn_ner")
    example = make_example(nlp, [(0, 2, "NAME"), (4, 6, "NAME"), (10, 13, "NAME")])
    scores = pipe.model.predict([example.predicted])
    loss, (gradient,) = pipe.get_loss([example], scores)
    assert math.isfinite(loss)
    reference = example.reference
    known, *crossing = reference.ents
    reference.set_ents([known], missing=crossing, default="outside")
    same, (expected,) = pipe.get_loss([example], scores)
    assert loss == same
    numpy.testing.assert_array_equal(gradient, expected)
    sgd = nlp.create_optimizer()
    for _ in range(3):
        losses = nlp.update([example, make_example(nlp, [(4, 6, "NAME")])], sgd=sgd)
        assert math.isfinite(losses["attn_ner"])


def test_a_wrong_span_that_crosses_a_sentence_start_says_nothing(doubtful):
    nlp = doubtful()
    pipe = nlp.get_pipe("attn_ner")
    pipe.cfg["incorrect_spans_key"] = "wrong"
    losses = []
    for wrong in ([], [(4, 6, "NAME")], [(5, 6, "NAME")], [(10, 12, "NAME")]):
        example = make_example(nlp, wrong=wrong)
        scores = pipe.model.predict([example.predicted])
        losses.append(pipe.get_loss([example], scores)[0])
    assert losses[1] == losses[0]
    assert len(set(losses)) == 3


@pytest.mark.filterwarnings("ignore:.*none that it was trained on had")
def test_sentences_are_calibrated_as_they_are_tagged(make_ner):
    ner = make_ner()
    nlp = ner.trained()
    words, ents, starts = [], [], []
    for text, entities, *_ in ner.sentences:
        starts.append(len(words))
        ents += [(len(words) + i, len(words) + j, label) for i, j, label in entities]
        words += text.split()
    reference = Doc(nlp.vocab, words=words)
    reference.set_ents([Span(reference, *ent) for ent in ents], default="outside")
    is_start = [i in starts for i in range(len(words))]
    predicted = Doc(nlp.vocab, words=words, sent_starts=is_start)
    pipe = nlp.get_pipe("attn_ner")
    calibration = pipe.calibrate([Example(predicted, reference)], margin=0.0)
    assert calibration.n_entities == len(nlp(predicted).ents) == len(ents)
    assert calibration.accuracy == 1.0


def test_what_the_config_says_goes_before_what_was_stored(doubtful, tmp_path):
    doubtful(sentences=True).to_disk(tmp_path)
    setting = {"components.attn_ner.model.sentences": False}
    nlp = spacy.load(tmp_path, config=setting)
    found, expected = (
        each.get_pipe("attn_ner").token_marginals(
            [Doc(each.vocab, words=WORDS, sent_starts=[i in STARTS for i in range(14)])]
        )[0][0]
        for each in (nlp, doubtful(sentences=False))
    )
    numpy.testing.assert_allclose(found, expected, atol=1e-6)
