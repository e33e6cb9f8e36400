"""Explanations of all three kinds, by all methods, over every kind of encoder."""

import json
import weakref

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_attnner.explain import (
    METHODS,
    Explainer,
    Explanation,
    explain,
    get_explanations,
    set_explanations,
)
from spacy_attnner.explain.methods import Question
from spacy_attnner.relations import Relation
from tests.explain.conftest import ENCODERS, KINDS
from tests.pipeline.conftest import Task

kinds = pytest.mark.parametrize("kind", list(KINDS))
encoders = pytest.mark.parametrize("encoder", list(ENCODERS))
WHITESPACE = 6  # the token between "Lines" and "in"


@kinds
@encoders
def test_gradients_are_those_of_the_probability(asked, kind, encoder):
    nlp, doc, target = asked(kind, encoder)
    question = Explainer(nlp).question(doc, target)
    scales = numpy.full((2, len(doc)), 0.8)
    scales[1, 3] = 0.3
    found = question.gradients(scales)
    step = 1e-2
    for token in range(len(doc)):
        moved = numpy.zeros_like(scales)
        moved[:, token] = step
        up, down = (question.probabilities(scales + d) for d in (moved, -moved))
        expected = (up - down) / (2 * step)
        numpy.testing.assert_allclose(found[:, token], expected, atol=2e-3, rtol=0.05)
    assert numpy.abs(found).max() > 1e-7


@kinds
@encoders
def test_weights_add_up_to_what_the_tokens_change(asked, kind, encoder):
    nlp, doc, target = asked(kind, encoder)
    explainer = Explainer(nlp)
    question = explainer.question(doc, target)
    found = explainer.explain(doc, target)
    assert found.method == "integrated_gradients"
    difference = question.probability - question.without
    assert sum(found.weights) == pytest.approx(difference, abs=0.02)
    assert found.error is not None
    assert found.error < 0.1


@kinds
@encoders
def test_a_token_left_out_is_a_token_of_zeros(asked, kind, encoder):
    nlp, doc, target = asked(kind, encoder)
    explainer = Explainer(nlp)
    question = explainer.question(doc, target)
    found = explainer.explain(doc, target, method="leave_one_out")
    scales = numpy.ones((1, len(doc)))
    scales[0, 1] = 0.0
    expected = question.probability - question.probabilities(scales)[0]
    assert found.weights[1] == pytest.approx(expected, abs=1e-5)
    if "spaCy" not in encoder:  # whose see whitespace
        assert found.weights[WHITESPACE] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps(asked, steps):
    nlp, doc, target = asked("category", "own")
    found = explain(nlp, doc, target, steps=steps)
    assert numpy.isfinite(found.weights).all()


def test_tokens_are_left_out_in_parts(asked, monkeypatch):
    nlp, doc, target = asked("category", "own")
    expected = explain(nlp, doc, target, method="leave_one_out")
    explainer, sizes = Explainer(nlp), []
    monkeypatch.setattr("spacy_attnner.explain.methods.AT_ONCE", 3 * len(doc))
    ask = Question.probabilities

    def probabilities(question, scales):
        sizes.append(len(scales))
        return ask(question, scales)

    monkeypatch.setattr(Question, "probabilities", probabilities)
    found = explainer.explain(doc, target, method="leave_one_out")
    assert found.weights == pytest.approx(expected.weights, abs=1e-6)
    assert max(sizes) == 3


@encoders
def test_the_probability_is_that_of_the_pipeline(asked, encoder):
    nlp, doc, label = asked("category", encoder)
    assert explain(nlp, doc, label).probability == pytest.approx(doc.cats[label], 1e-4)
    nlp, doc, _ = asked("entity", encoder)
    confidences = {(e.start, e.end, e.label_): e._.confidence for e in doc.ents}
    for ent in doc.ents:
        found = explain(nlp, doc, ent, method="leave_one_out")
        expected = confidences[ent.start, ent.end, ent.label_]
        assert found.probability == pytest.approx(expected, abs=1e-4)


def test_the_probability_of_a_relation_is_that_of_given_entities(asked):
    nlp, doc, relation = asked("relation", "own")
    pipe = nlp.get_pipe("attn_rel")
    ((candidates, scores),) = pipe.predict([doc])
    heads = [(s.start, s.end) for s in candidates.spans]
    find = candidates.finder()
    row = find(*(heads.index((s.start, s.end)) for s in (relation.head, relation.tail)))
    expected = scores[row, pipe.labels.index(relation.label)]
    assert explain(nlp, doc, relation).probability == pytest.approx(expected, 1e-4)


@pytest.mark.parametrize("kind", ["category", "relation"])
@pytest.mark.parametrize("encoder", ["own", "shared"])
def test_attention_adds_up_to_one(asked, kind, encoder):
    nlp, doc, target = asked(kind, encoder)
    found = explain(nlp, doc, target, method="attention")
    assert sum(found.weights) == pytest.approx(1.0, abs=1e-5)
    assert min(found.weights) >= 0.0
    assert found.weights[WHITESPACE] == 0.0
    assert found.error is None


@pytest.mark.parametrize("kind", ["category", "relation"])
def test_attention_times_gradient_follows_the_attention(asked, kind):
    nlp, doc, target = asked(kind, "own")
    explainer = Explainer(nlp)
    question = explainer.question(doc, target)
    found = explainer.explain(doc, target, method="attention_gradient")
    assert any(found.weights)
    assert found.weights[WHITESPACE] == 0.0
    # a second time the same: nothing of the first one is left
    assert question.attention_gradient().tolist() == found.weights


def test_attention_of_a_text_does_not_depend_on_others(asked):
    nlp, doc, _ = asked("category", "own")
    pipe = nlp.get_pipe("attn_textcat")
    weights = pipe.attention(doc)
    assert weights.shape == (3, len(doc))
    numpy.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)
    assert pipe.attention(nlp.make_doc("")).shape == (3, 0)
    assert not pipe.attention(nlp.make_doc("  ")).any()


@pytest.mark.parametrize("attention", ["additive", "labels"])
def test_attention_of_a_long_text_adds_up_to_one(attention):
    task = Task("attn_textcat")
    nlp = spacy.blank("en")
    config = task.config
    config["model"]["attention"] = attention
    pipe = nlp.add_pipe("attn_textcat", config=config)
    nlp.initialize(lambda: task.examples(nlp))
    weights = pipe.attention(nlp.make_doc("rain " * 30_000))
    numpy.testing.assert_allclose(weights.sum(1, dtype="float64"), 1.0, atol=1e-6)


def gradients(nlp):
    """Of all weights, as numbers; and whether they are to be learnt."""
    found = []
    for name in nlp.pipe_names:
        for layer in nlp.get_pipe(name).model.walk():
            found += [layer.has_grad(param) for param in layer.param_names]
            for shim in layer.shims:
                for each in shim._model.parameters():
                    grad = None if each.grad is None else each.grad.tolist()
                    found.append((each.requires_grad, grad))
    return found


@kinds
def test_nothing_of_the_pipeline_changes(asked, kind):
    nlp, doc, target = asked(kind, "shared")
    before, grads = nlp.to_bytes(), gradients(nlp)
    for method in METHODS:
        if kind != "entity" or "attention" not in method:
            explain(nlp, doc, target, method=method)
    assert nlp.to_bytes() == before
    assert gradients(nlp) == grads


@kinds
@encoders
def test_the_copied_model_goes_with_its_explainer(asked, kind, encoder, no_collector):
    """In a circle it would stay until Python's collector comes by."""
    nlp, doc, target = asked(kind, encoder)
    explainer = Explainer(nlp)
    explainer.explain(doc, target)
    copies = [weakref.ref(each) for each in explainer._models.values()]
    assert copies
    del explainer
    assert not any(ref() for ref in copies)


def test_why_a_span_is_not_an_entity(asked):
    nlp, doc, _ = asked("entity", "own")
    span = Span(doc, 2, 4, label="ORG")
    found = explain(nlp, doc, span)
    assert found.probability < 0.1
    assert found.target == {"kind": "entity", "label": "ORG", "start": 2, "end": 4}


def test_sentences_that_are_tagged_apart(asked):
    nlp, _, _ = asked("entity", "own")
    doc = nlp("Tom Lind lives in Stavanger . Rain stayed .")
    for token in doc:
        token.is_sent_start = token.i in (0, 6)
    span = Span(doc, 5, 7, label="LOC")  # across two sentences
    assert 0.0 <= explain(nlp, doc, span).probability < 0.1


@kinds
def test_kept_with_the_document(asked, kind):
    nlp, doc, target = asked(kind, "own")
    given = [explain(nlp, doc, target), explain(nlp, doc, target)]
    set_explanations(doc, given)
    assert get_explanations(doc) == given
    (copied,) = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(nlp.vocab)
    assert get_explanations(copied) == given
    stored = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert get_explanations(stored) == given
    again = Explanation.from_json(json.loads(json.dumps(given[0].to_json())))
    assert again == given[0]
    set_explanations(doc, [])
    assert get_explanations(doc) == []


def test_what_is_no_explanation():
    with pytest.raises(ValueError, match="no explanation"):
        Explanation.from_json({"weights": []})
    data = {
        "component": "c",
        "target": {"kind": "entity", "label": "PER", "start": 0, "end": 1},
        "probability": 0.5,
        "method": "attention",
        "tokens": ["a"],
        "spaces": [True],
        "weights": [],
    }
    with pytest.raises(ValueError, match="1 tokens and 0 weights"):
        Explanation.from_json(data)
    with pytest.raises(ValueError, match="weights of an explanation are 'a'"):
        Explanation.from_json(data | {"weights": "a"})
    with pytest.raises(ValueError, match="no explanation"):
        Explanation.from_json([1])  # type: ignore[arg-type]
    line = data | {"doc": 3, "weights": [1]}
    assert Explanation.from_json(line).weights == [1]
    target = {"kind": "relation", "label": "In", "head": [0, 1], "tail": [0, 1]}
    assert Explanation.from_json(line | {"target": target}).target == target
    for wrong in (
        {"weights": [float("nan")]},
        {"weights": [True]},
        {"probability": "high"},
        {"component": None},
        {"error": "none"},
        {"target": "x"},
        {"target": {}},
        {"target": {"kind": "word", "label": "x"}},
        {"target": {"kind": "entity", "label": "x", "start": 0, "end": 2}},
        {"target": target | {"tail": 1}},
    ):
        (name,) = wrong
        with pytest.raises(ValueError, match=f"the {name} of an explanation"):
            Explanation.from_json(line | wrong)


def test_a_model_without_vectors_of_tokens():
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 1,
        "no_output_layer": False,
        "length": 64,
    }
    nlp.add_pipe("attn_textcat", config={"model": model})
    task = Task("attn_textcat")
    nlp.initialize(lambda: task.examples(nlp))
    with pytest.raises(ValueError, match="no vectors of tokens"):
        explain(nlp, nlp("Rain stayed over the coast ."), "weather")


def test_categories_that_apply_or_are_named():
    nlp = Task("attn_textcat_multilabel").trained(steps=1)
    pipe = nlp.get_pipe("attn_textcat_multilabel")
    doc = nlp("Rain .")
    doc.cats = {"people": 0.4, "trade": 0.7, "weather": 0.6}
    targets = Explainer(nlp).targets
    assert targets(doc, "category") == ["trade", "weather"]
    pipe.thresholds = {"weather": 0.65, "people": 0.3}
    assert targets(doc, "category") == ["people", "trade"]
    pipe.thresholds = dict.fromkeys(pipe.labels, 0.9)
    assert targets(doc, "category") == ["trade"]
    named = ["people", "weather"]
    assert targets(doc, "category", labels=named) == named


def test_the_component_that_says_so_is_asked():
    task, both = Task("attn_ner"), spacy.blank("en")
    for name in ("first", "second"):
        config = task.config | {"set_ents": name == "first", "spans_key": name}
        both.add_pipe("attn_ner", name, config=config)
    examples = task.examples(both)
    for example in examples:
        example.reference.spans["second"] = list(example.reference.ents)
    both.initialize(lambda: examples)
    doc = task.docs(both)[0]
    doc.ents = [Span(doc, 0, 2, label="PER")]
    doc.spans["second"] = [Span(doc, 4, 6, label="ORG")]
    found = [explain(both, doc, s) for s in (doc.ents[0], doc.spans["second"][0])]
    assert [each.component for each in found] == ["first", "second"]
    every = [doc.ents[0], doc.spans["second"][0]]
    assert Explainer(both).targets(doc, "entity") == every
    assert Explainer(both).targets(doc, "entity", "second") == every[1:]
    assert explain(both, doc, Span(doc, 1, 3, label="ORG")).component == "first"


def test_a_span_group_of_that_name_is_left_alone(asked):
    nlp, doc, target = asked("category", "own")
    doc.spans["explanations"] = [doc[:1]]
    with pytest.raises(ValueError, match="somebody else's"):
        set_explanations(doc, [explain(nlp, doc, target)])


@pytest.mark.parametrize("text", ["", " ", "the", "  \n"])
@pytest.mark.parametrize("encoder", list(ENCODERS))
def test_texts_that_say_nothing(asked, encoder, text):
    nlp, _, label = asked("category", encoder)
    doc = nlp(text)
    for method in METHODS:
        if "attention" in method and encoder == "transformer" and not doc.text.strip():
            continue
        found = explain(nlp, doc, label, method=method)
        assert found.probability == pytest.approx(doc.cats[label], 1e-4)
        assert len(found.weights) == len(doc)
        assert numpy.isfinite(found.weights).all()


def test_a_spawned_explainer_finds_the_same(asked, tmp_path):
    nlp, doc, span = asked("entity", "own")
    expected = explain(nlp, doc, span)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    again = loaded(nlp.make_doc(doc.text).text)
    found = explain(loaded, again, Span(again, 0, 2, label="PER"))
    assert found.weights == pytest.approx(expected.weights, abs=1e-5)


def test_of_another_document_or_vocabulary(asked):
    nlp, doc, _ = asked("entity", "own")
    other = nlp("Tom Lind lives in Stavanger .")
    with pytest.raises(ValueError, match="of another document"):
        explain(nlp, doc, Span(other, 0, 2, label="PER"))
    with pytest.raises(ValueError, match="is empty"):
        explain(nlp, doc, Span(doc, 2, 2, label="PER"))
    strange = spacy.blank("en")("Tom Lind")
    with pytest.raises(ValueError, match="another vocab"):
        explain(nlp, strange, Span(strange, 0, 2, label="PER"))


def test_of_labels_and_components_that_are_not_there(asked):
    nlp, doc, _ = asked("entity", "own")
    with pytest.raises(ValueError, match=r"knows the entity 'SHIP'.*'LOC'"):
        explain(nlp, doc, Span(doc, 0, 2, label="SHIP"))
    with pytest.raises(ValueError, match=r"knows the category 'people'.*nothing"):
        explain(nlp, doc, "people")
    with pytest.raises(ValueError, match="no component 'other'"):
        explain(nlp, doc, Span(doc, 0, 2, label="PER"), component="other")
    with pytest.raises(ValueError, match="no target"):
        explain(nlp, doc, 3)  # type: ignore[arg-type]


def test_of_methods_that_are_not_there(asked):
    nlp, doc, span = asked("entity", "own")
    with pytest.raises(ValueError, match="no method 'magic'; there are integrated"):
        explain(nlp, doc, span, method="magic")
    with pytest.raises(ValueError, match="no attention that pools words"):
        explain(nlp, doc, span, method="attention")
    with pytest.raises(ValueError, match="steps 0"):
        explain(nlp, doc, span, steps=0)


def test_of_a_pair_that_is_not_looked_at(asked):
    nlp, doc, _ = asked("relation", "own")
    relation = Relation(Span(doc, 0, 1, label="PER"), doc.ents[1], "Works_For")
    with pytest.raises(ValueError, match="does not look at the pair"):
        explain(nlp, doc, relation)
