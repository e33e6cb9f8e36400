"""`attn_ner`: confidences, threshold, overwrite."""

import itertools
import math
import re

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

VALID = re.compile(r"(O|U|B(I)*L)*")


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


@pytest.fixture
def tiny(ner):
    """One label and weights at random: nothing is certain."""
    nlp = ner.blank()
    sentence = ("Mira left Tromsø .", [(0, 1, "NAME"), (2, 3, "NAME")], [], [])
    nlp.initialize(lambda: [ner.example(nlp, sentence)])
    model = nlp.get_pipe("attn_ner").model
    for layer in (model.get_ref("output_layer"), model.get_ref("crf")):
        for name in layer.param_names:
            shape = layer.get_param(name).shape
            noise = numpy.random.normal(0.0, 1.0, shape).astype("float32")
            layer.set_param(name, noise)
    bias = model.get_ref("output_layer").get_param("b")
    bias[[0, 4]] = -2.0, 2.0  # few tokens outside, many short entities
    return nlp


def marginals(nlp, doc):
    """Probability of every possible entity, adding up all valid paths."""
    model = nlp.get_pipe("attn_ner").model
    (emissions,) = model.predict([doc])
    crf = {name: model.get_ref("crf").get_param(name) for name in ("start", "end")}
    step = model.get_ref("crf").get_param("transitions")
    total, spans = 0.0, {}
    for path in itertools.product(range(5), repeat=len(doc)):
        kinds = "".join("OBILU"[tag] for tag in path)
        if not VALID.fullmatch(kinds):
            continue
        score = crf["start"][path[0]] + crf["end"][path[-1]]
        score += sum(emissions[i, tag] for i, tag in enumerate(path))
        score += sum(step[pair] for pair in itertools.pairwise(path))
        weight = math.exp(float(score))
        total += weight
        for match in re.finditer(r"U|BI*L", kinds):
            spans[match.span()] = spans.get(match.span(), 0.0) + weight
    return {span: weight / total for span, weight in spans.items()}


TEXTS = ["Mira", "Mira left", "Tromsø left Mira .", "a b c d e f", "Mira Mira Mira"]


def test_confidence_is_the_exact_marginal(tiny):
    seen = 0
    for text in TEXTS:
        doc = tiny(text)
        expected = marginals(tiny, doc)
        for ent in doc.ents:
            assert ent._.confidence == pytest.approx(
                expected[ent.start, ent.end], abs=2e-6
            )
            seen += 1
    assert seen > 2


def test_confidence_of_spans_that_are_no_entities(tiny):
    doc = next(doc for doc in map(tiny, TEXTS) if doc.ents)
    ent = doc.ents[0]
    assert doc[ent.start : ent.end]._.confidence == ent._.confidence
    assert Span(doc, ent.start, ent.end, label="OTHER")._.confidence is None
    assert doc[ent.start : ent.start]._.confidence is None
    assert tiny.make_doc("Mira left")[:1]._.confidence is None


def test_confidences_survive_storage(tiny):
    doc = next(doc for doc in map(tiny, TEXTS) if doc.ents)
    expected = [ent._.confidence for ent in doc.ents]
    assert all(0.0 <= score <= 1.0 for score in expected)
    data = DocBin(docs=[doc], store_user_data=False).to_bytes()
    (binned,) = DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)
    from_bytes = Doc(tiny.vocab).from_bytes(doc.to_bytes())
    for other in (binned, from_bytes):
        assert [ent._.confidence for ent in other.ents] == expected


def test_the_span_group_holds_the_entities_and_their_scores(tiny):
    for doc in tiny.pipe(TEXTS):
        group = doc.spans["attn_ner"]
        assert [(s.start, s.end, s.label) for s in group] == [
            (e.start, e.end, e.label) for e in doc.ents
        ]
        assert group.attrs["scores"] == [ent._.confidence for ent in doc.ents]


def test_every_token_is_annotated(tiny):
    for doc in tiny.pipe([*TEXTS, "\n ", ""]):
        assert all(token.ent_iob for token in doc)


def test_threshold(ner, tiny):
    doc = max(map(tiny, TEXTS), key=lambda doc: len(doc.ents))
    scores = sorted(ent._.confidence for ent in doc.ents)
    assert len(scores) > 1
    pipe = tiny.get_pipe("attn_ner")
    for threshold in (0.0, sum(scores[:2]) / 2, scores[-1] + 1e-5):
        pipe.threshold = threshold
        found = [ent._.confidence for ent in tiny(doc.text).ents]
        assert sorted(found) == [score for score in scores if score >= threshold]


@pytest.mark.parametrize("threshold", [-0.1, 1.5])
def test_impossible_threshold(make_task, threshold):
    with pytest.raises(ValueError, match=rf"threshold {threshold} of 'attn_ner'"):
        make_task("attn_ner", {"threshold": threshold}).blank()


def test_overwrite(ner):
    nlp = ner.trained()
    text = ner.sentences[0][0]  # Mira Okafor works for Kestrel Lines in Bergen .
    given = nlp.make_doc(text)
    given.ents = [Span(given, 5, 7, label="GIVEN")]
    assert ner.answers(nlp(given)) == ner.gold(nlp, ner.sentences[0])
    nlp.get_pipe("attn_ner").cfg["overwrite"] = False
    given = nlp.make_doc(text)
    given.ents = [Span(given, 5, 7, label="GIVEN")]
    doc = nlp(given)
    expected = {(0, 2, "PER"), (5, 7, "GIVEN"), (7, 8, "LOC")}
    assert ner.answers(doc) == expected
    assert [ent._.confidence is None for ent in doc.ents] == [False, True, False]


def test_settings_are_those_of_the_config(make_task):
    settings = {"threshold": 0.25, "overwrite": False, "spans_key": "mine"}
    nlp = make_task("attn_ner", settings).trained(steps=30)
    loaded = spacy.blank("en", config=nlp.config).from_bytes(nlp.to_bytes())
    cfg = loaded.get_pipe("attn_ner").cfg
    assert {key: cfg[key] for key in settings} == settings
    doc = loaded("Mira Okafor works for Kestrel Lines in Bergen .")
    assert list(doc.spans) == ["mine"]
    assert doc.ents
    assert all(ent._.confidence >= 0.25 for ent in doc.ents)


def test_many_entities(ner):
    """Of a long document, cut into windows, every token is read and decoded."""
    nlp = ner.trained()
    text = " ".join(sentence[0] for sentence in ner.sentences for _ in range(60))
    doc = nlp(text)
    assert len(doc.ents) > 150
    assert len(doc.spans["attn_ner"]) == len(doc.ents)
    assert all(0.0 <= ent._.confidence <= 1.0 for ent in doc.ents)
    assert doc.ents[0].start == 0
    assert doc.ents[-1].start > len(doc) - 20


def test_annotation_in_part_is_learnt_from(ner):
    """The known tokens teach, the others cost nothing."""
    nlp = ner.blank()
    examples = ner.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    for example in examples:
        reference = example.reference
        ents = list(reference.ents)
        outside = [reference[-1:]]
        reference.set_ents(ents, outside=outside, default="missing")
    ner.train(nlp, examples, 60, sgd)
    for example in examples:
        found = {(ent.start, ent.end, ent.label_) for ent in nlp(example.text).ents}
        assert {(e.start, e.end, e.label_) for e in example.reference.ents} <= found


def test_token_marginals(tiny):
    """What adding up all paths says, and rows that add up to one."""
    pipe = tiny.get_pipe("attn_ner")
    docs = [tiny.make_doc(text) for text in ["", *TEXTS]]
    arrays, names = pipe.token_marginals(docs)
    assert names == ("O", "B-NAME", "I-NAME", "L-NAME", "U-NAME")
    for doc, array in zip(docs, arrays, strict=True):
        assert array.shape == (len(doc), 5)
        assert array.sum(1) == pytest.approx(numpy.ones(len(doc)))
        expected = numpy.zeros((len(doc), 3))
        for (start, end), probability in marginals(tiny, doc).items() if doc else ():
            if end - start == 1:
                expected[start, 2] += probability
            else:
                expected[start, 0] += probability
                expected[end - 1, 1] += probability
        assert array[:, [1, 3, 4]] == pytest.approx(expected, abs=1e-6)
    assert pipe.token_marginals([]) == ([], names)


def test_k_best(tiny):
    pipe = tiny.get_pipe("attn_ner")
    docs = [tiny.make_doc(text) for text in ["", *TEXTS]]
    before = [doc.to_bytes() for doc in docs]
    readings = pipe.k_best(docs, 60)
    assert [doc.to_bytes() for doc in docs] == before
    assert [(r.ents, r.probability) for r in readings[0]] == [([], 1.0)]
    for doc, own in zip(docs[1:], readings[1:], strict=True):
        probabilities = [reading.probability for reading in own]
        assert probabilities == sorted(probabilities, reverse=True)
        best = [(ent.start, ent.end, ent.label_) for ent in own[0].ents]
        found = tiny(doc.text)
        assert best == [(ent.start, ent.end, ent.label_) for ent in found.ents]
        distinct = {tuple((e.start, e.end) for e in r.ents) for r in own}
        assert len(distinct) == len(own)
        if len(doc) > 4:  # more readings than were asked for
            assert len(own) == 60
            continue
        assert len(own) == [2, 5, 13, 34][len(doc) - 1]  # all that there are
        assert sum(probabilities) == pytest.approx(1.0)
        for span, expected in marginals(tiny, doc).items():
            holds = [r for r in own if span in {(e.start, e.end) for e in r.ents}]
            total = sum(reading.probability for reading in holds)
            assert total == pytest.approx(expected, abs=1e-6)
    assert pipe.k_best([], 3) == []
    with pytest.raises(ValueError, match="k 0 is less than 1"):
        pipe.k_best(docs, 0)


def test_a_temperature_reaches_marginals_and_readings(tiny):
    pipe = tiny.get_pipe("attn_ner")
    doc = tiny.make_doc("Mira left")
    sharp = pipe.k_best([doc], 5)[0]
    pipe.model.attrs["temperature"] = 1e9
    flat = pipe.k_best([doc], 5)[0]
    assert [r.probability for r in flat] == pytest.approx([0.2] * 5)
    assert max(r.probability for r in sharp) > 0.25
    (array,), _ = pipe.token_marginals([doc])
    assert array[0] == pytest.approx([0.4, 0.2, 0.0, 0.0, 0.4])


def test_a_new_label_changes_no_entity(ner):
    """Of a calibrated model, in many sentences; the calibration stays."""
    nlp = ner.trained()
    pipe = nlp.get_pipe("attn_ner")
    pipe.calibrate(ner.examples(nlp))
    words = " ".join(sentence[0] for sentence in ner.sentences).split()
    texts = [" ".join(numpy.random.permutation(words)) for _ in range(40)]
    before = [ner.found(doc) for doc in nlp.pipe(texts)]
    settings = {k: pipe.model.attrs[k] for k in ("temperature", "log_odds_offset")}
    assert pipe.add_label("SHIP") == 1
    assert {k: pipe.model.attrs[k] for k in settings} == settings
    assert sum(map(len, before)) > 100
    for doc, expected in zip(nlp.pipe(texts), before, strict=True):
        found = ner.found(doc)
        assert found.keys() == expected.keys()
        for entity, confidence in found.items():
            assert confidence == pytest.approx(expected[entity], abs=0.02)
