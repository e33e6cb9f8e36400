"""What the categorizers change of spaCy's own."""

import pytest
from spacy.pipeline import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer
from spacy.training import Example

NAMES = {
    "attn_textcat": TextCategorizer,
    "attn_textcat_multilabel": MultiLabel_TextCategorizer,
}


@pytest.fixture(params=NAMES)
def textcat(request, make_task):
    return make_task(request.param)


def test_they_are_categorizers_of_spacy(textcat):
    assert isinstance(textcat.blank().get_pipe(textcat.name), NAMES[textcat.name])


def test_exclusive_categories_sum_to_one(textcat):
    nlp = textcat.trained(steps=5)
    for doc in nlp.pipe(["", "Rain and fog .", "\n", "Zyxt"]):
        assert set(doc.cats) == set(textcat.labels)
        assert all(0.0 < score < 1.0 for score in doc.cats.values())
        one = sum(doc.cats.values()) == pytest.approx(1.0, abs=1e-5)
        assert one == (textcat.name == "attn_textcat")


def test_several_categories_apply(make_task):
    task = make_task("attn_textcat_multilabel")
    nlp = task.blank()
    examples = task.examples(nlp)
    examples[0].reference.cats["trade"] = 1.0
    examples[3].reference.cats["weather"] = 0.0  # none applies
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, 60, sgd)
    assert task.answers(nlp(examples[0].text)) == {"people", "trade"}
    assert task.answers(nlp(examples[3].text)) == set()


def test_two_exclusive_categories_for_one_document(make_task):
    task = make_task("attn_textcat")
    nlp = task.blank()
    examples = task.examples(nlp)
    examples[0].reference.cats["trade"] = 1.0
    with pytest.raises(ValueError, match="E895"):
        nlp.initialize(lambda: examples)


def test_a_category_that_is_not_annotated_costs_nothing(make_task):
    """Multi-label only: of exclusive ones, those that are not named do not apply."""
    task = make_task("attn_textcat_multilabel")
    nlp = task.blank()
    nlp.initialize(lambda: task.examples(nlp))
    pipe = nlp.get_pipe(task.name)
    example = Example.from_dict(nlp.make_doc("Rain ."), {"cats": {"trade": 0.0}})
    scores, _ = pipe.model.begin_update([example.predicted])
    _, gradient = pipe.get_loss([example], scores)
    assert [abs(value) > 0.1 for value in gradient[0]] == [False, True, False]


def test_one_category_alone(make_task):
    nlp = make_task("attn_textcat").blank()
    cats = {"cats": {"only": 1.0}}
    examples = [Example.from_dict(nlp.make_doc("Rain ."), cats)]
    with pytest.raises(ValueError, match="E867"):
        nlp.initialize(lambda: examples)


def test_positive_label(make_task):
    task = make_task("attn_textcat")
    nlp = task.blank()
    nlp.config["initialize"]["components"]["attn_textcat"] = {"positive_label": "yes"}
    cats = [("Rain again .", True), ("No rain .", False)]
    examples = [
        Example.from_dict(
            nlp.make_doc(text), {"cats": {"yes": float(yes), "no": float(not yes)}}
        )
        for text, yes in cats
    ]
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, 40, sgd)
    scores = nlp.evaluate(examples)
    assert scores["cats_score"] == 1.0
    assert "yes" in scores["cats_score_desc"]


def test_threshold_of_the_scorer(make_task):
    scores = {}
    for threshold in (0.0, 1.0):
        nlp = make_task("attn_textcat_multilabel", {"threshold": threshold}).trained(20)
        scores[threshold] = nlp.evaluate(
            make_task("attn_textcat_multilabel").examples(nlp)
        )
    assert scores[0.0]["cats_macro_r"] == 1.0
    assert scores[1.0]["cats_macro_r"] == 0.0
