"""Relations and categories in a report: scores, kinds of errors, curves, pages."""

import json
import re
import warnings

import numpy
import pytest
import spacy
from spacy.tokens import DocBin, Span
from spacy.training import Example
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.report.category_report import report_categories
from spacy_attnner.report.content import category_summary, make_report
from spacy_attnner.report.html import plot_curves, to_html
from spacy_attnner.report.relation_report import report_relations
from spacy_attnner.report.run import classifiers_of
from spacy_attnner.report.text import to_text
from tests.pipeline.conftest import Task

NLP = spacy.blank("en")
TEXT = "Mira Okafor left Kestrel Lines for <Bergen> & Oslo ."
SPANS = {
    "mira": (0, 2, "PER"),
    "okafor": (1, 2, "PER"),
    "kestrel": (3, 5, "ORG"),
    "bergen": (6, 9, "LOC"),
    "oslo": (10, 11, "LOC"),
}


def make_doc(relations):
    """relations: (head, tail, label, score); None for no annotation."""
    doc = NLP(TEXT)
    assert len(doc) == 12
    if relations is None:
        return doc
    made = {name: Span(doc, s, e, label=label) for name, (s, e, label) in SPANS.items()}
    given = [Relation(made[h], made[t], label, p) for h, t, label, p in relations]
    set_relations(doc, given)
    return doc


def example(predicted, gold):
    return Example(make_doc(predicted), make_doc(gold))


GOLD = [
    ("mira", "kestrel", "Work_For", 1.0),
    ("kestrel", "bergen", "In", 1.0),
    ("bergen", "oslo", "Near", 1.0),
    ("mira", "oslo", "Lives_In", 1.0),
    ("mira", "bergen", "Lives_In", 1.0),
]
FOUND = [
    ("mira", "kestrel", "Work_For", 0.9),  # right
    ("kestrel", "bergen", "Near", 0.8),  # label
    ("oslo", "bergen", "Near", 0.7),  # direction
    ("okafor", "oslo", "Lives_In", 0.6),  # argument
    ("kestrel", "oslo", "In", 0.5),  # spurious
]


def test_kinds_of_relation_errors():
    report = report_relations([example(FOUND, GOLD), example(FOUND, None)], 5)
    assert report is not None
    assert report.n_documents == 1
    assert report.kinds == {
        "correct": 1,
        "label": 1,
        "direction": 1,
        "argument": 1,
        "missed": 1,
        "spurious": 1,
    }
    micro = report.scores.micro
    assert (micro.precision, micro.recall, micro.support) == (0.2, 0.2, 5)
    assert report.scores.per_label["Work_For"].f1 == 1.0
    (label,) = report.examples["label"]
    assert label.gold == "Kestrel Lines [ORG] In <Bergen> [LOC]"
    assert label.predicted == "Kestrel Lines [ORG] Near <Bergen> [LOC]"
    assert label.score == 0.8
    assert "left Kestrel Lines for" in label.text
    (missed,) = report.examples["missed"]
    assert missed.predicted is None
    assert missed.score is None
    assert report.calibration is not None
    assert report.calibration.n == 5


def test_scores_are_those_of_the_scorer():
    examples = [example(FOUND, GOLD), example([], GOLD), example(GOLD, GOLD)]
    from spacy_attnner.scoring import score_relations

    expected = score_relations(examples)
    found = report_relations(examples, 1)
    assert found is not None
    assert found.scores.micro.f1 == pytest.approx(expected["rel_f"])
    assert found.scores.macro.f1 == pytest.approx(expected["rel_macro_f"])


def test_missed_relations_come_from_all_documents():
    report = report_relations([example([], GOLD[:1]) for _ in range(20)], 4)
    assert report is not None
    assert [each.document for each in report.examples["missed"]] == [0, 5, 10, 15]


def test_no_relations():
    assert report_relations([example(FOUND, None)], 5) is None
    report = report_relations([example([], [])], 5)
    assert report is not None
    assert report.kinds["correct"] == 0
    assert report.calibration is None


def of_cats(predicted, gold, text="a <text>"):
    one, other = NLP(text), NLP(text)
    one.cats, other.cats = predicted, gold
    return Example(one, other)


def exclusive(*pairs):
    """Score of A, and whether it is A."""
    return [
        of_cats({"A": p, "B": 1 - p}, {"A": float(a), "B": 1.0 - a}) for p, a in pairs
    ]


def test_exclusive_categories():
    examples = exclusive((0.9, 1), (0.8, 0), (0.3, 1), (0.1, 0))
    report = report_categories(examples, 5)
    assert report is not None
    assert report.exclusive
    assert report.accuracy == 0.5
    assert report.confusion is not None
    assert report.confusion.counts == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert [each.score for each in report.examples] == [0.8, 0.7]
    assert report.examples[0].gold == "B"
    assert report.calibration.n == 4
    assert report.curves["A"].auc == pytest.approx(0.75)


def test_areas_are_those_of_scikit_learn():
    from sklearn.metrics import average_precision_score, roc_auc_score

    generator = numpy.random.default_rng(0)
    gold = generator.random(300) < 0.3
    scores = numpy.round(generator.random(300) * 0.5 + 0.4 * gold, 2)  # with ties
    report = report_categories(exclusive(*zip(scores, gold, strict=True)), 5)
    assert report is not None
    curve = report.curves["A"]
    assert curve.auc == pytest.approx(roc_auc_score(gold, scores))
    assert curve.average_precision == pytest.approx(
        average_precision_score(gold, scores)
    )
    assert curve.roc[0] == (0.0, 0.0)
    assert curve.roc[-1] == (1.0, 1.0)


def test_several_categories_and_missing_ones():
    examples = [
        of_cats({"A": 0.9, "B": 0.2}, {"A": 1.0, "B": 1.0}),
        of_cats({"A": 0.4, "B": 0.8}, {"A": 0.0}),
        of_cats({"A": 0.6, "B": 0.8}, {}),
    ]
    report = report_categories(examples, 5, exclusive=False, threshold=0.5)
    assert report is not None
    assert report.n_documents == 2
    assert report.confusion is None
    assert report.accuracy == 0.5
    assert report.scores.per_label["A"].f1 == 1.0
    assert report.scores.per_label["B"].support == 1
    assert report.calibration.n == 3
    assert set(report.curves) == {"A"}
    assert report_categories(examples[2:], 5) is None
    said = category_summary(report)
    assert said.endswith("all categories are right, from a score of 0.5 on.")


def test_many_categories_leave_room_for_their_curves():
    names = [f"category_{i:02d}_of_many" for i in range(40)]
    examples = []
    for i in range(80):
        scores = {name: (i * 7 + j * 3) % 11 / 11 for j, name in enumerate(names)}
        gold = {name: float(j == i % 40) for j, name in enumerate(names)}
        examples.append(of_cats(scores, gold))
    report = report_categories(examples, 5, exclusive=False)
    assert report is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = plot_curves(report.curves)
    found = re.findall(r"category_\d\d_of_many", re.sub("<!--.*?-->", "", svg))
    worst = sorted(report.curves, key=lambda name: report.curves[name].auc)[:10]
    assert sorted(found) == sorted(worst)


def test_categories_that_the_pipeline_does_not_know():
    found = {"A": 0.9, "B": 0.1}
    strange = of_cats(found, {"C": 1.0, "D": 0.0})
    message = r"1 of 2 documents have no category.*\['C', 'D'\], it knows \['A', 'B'\]"
    for exclusive_, accuracy, n in ((True, 0.5, 2), (False, 1.0, 1)):
        examples = [of_cats(found, {"A": 1.0, "B": 0.0}), strange]
        with pytest.warns(UserWarning, match=message):
            report = report_categories(examples, 5, exclusive=exclusive_)
        assert report is not None
        assert (report.accuracy, report.n_documents) == (accuracy, n)
    with pytest.warns(UserWarning, match="1 of 1 documents"):
        report = make_report([strange], classifiers={"any": {"exclusive": False}})
    assert report.categories == {}
    assert to_text(report)


def test_only_the_exclusive_category_that_applies_is_written():
    examples = [
        of_cats({"A": 0.9, "B": 0.1}, {"A": 1.0}),
        of_cats({"A": 0.8, "B": 0.2}, {"B": 1.0}),
    ]
    report = report_categories(examples, 5, exclusive=True)
    assert report is not None
    assert report.scores.per_label["A"].precision == 0.5
    assert report.scores.per_label["B"].recall == 0.0
    assert set(report.curves) == {"A", "B"}


def test_each_category_has_its_threshold():
    examples = [of_cats({"A": 0.3, "B": 0.6}, {"A": 1.0, "B": 0.0})]
    settings = {"exclusive": False}
    (one, each) = (
        report_categories(examples, 5, threshold=threshold, **settings)
        for threshold in (0.5, {"A": 0.2, "B": 0.7})
    )
    assert one is not None
    assert each is not None
    assert (one.accuracy, each.accuracy) == (0.0, 1.0)
    assert (one.threshold, each.threshold) == (0.5, None)
    assert "from its own threshold on" in category_summary(each)


def test_the_thresholds_of_a_pipeline():
    nlp = Task("attn_textcat_multilabel").trained(steps=1)
    pipe = nlp.get_pipe("attn_textcat_multilabel")
    labels = ("people", "trade", "weather")
    about = {"exclusive": False, "threshold": 0.5, "labels": labels, "others": set()}
    assert classifiers_of(nlp) == {"attn_textcat_multilabel": about}
    pipe.thresholds = {"trade": 0.2}
    expected = {"people": 0.5, "trade": 0.2, "weather": 0.5}
    assert classifiers_of(nlp)["attn_textcat_multilabel"]["threshold"] == expected


def test_each_classifier_has_a_report_of_its_own():
    """The first knows one category of a text, the second any number of others."""
    tones, topics = {"good", "bad"}, {"art", "sea"}
    both = {"good": 0.9, "bad": 0.1, "art": 0.8, "sea": 0.95}
    right = {"good": 1.0, "bad": 0.0, "art": 1.0, "sea": 1.0}
    examples = [
        of_cats(both, right),
        of_cats(both, {"good": 0.0, "bad": 1.0}),
        of_cats(both, {"art": 0.0, "sea": 1.0}),
    ]
    report = make_report(
        examples,
        classifiers={
            "tone": {"exclusive": True, "labels": tones, "others": topics},
            "<topic>": {"exclusive": False, "labels": topics, "others": tones},
        },
    )
    tone, topic = report.categories.values()
    assert (tone.n_documents, topic.n_documents) == (2, 2)
    assert (tone.accuracy, topic.accuracy) == (0.5, 0.5)
    assert (tone.exclusive, topic.exclusive) == (True, False)
    assert tone.confusion is not None
    assert tone.confusion.labels == ["bad", "good"]
    assert (tone.calibration.n, topic.calibration.n) == (2, 4)
    assert set(report.to_dict()["categories"]) == {"tone", "<topic>"}
    text, page = to_text(report), to_html(report)
    assert "Confusion of categories: tone" in text
    assert "Categories: <topic>" in text
    assert "<h2>Categories: &lt;topic&gt;</h2>" in page


def test_categories_that_are_annotated_to_a_degree():
    """Of those that exclude each other the first applies, if there is one."""
    examples = [
        of_cats({"A": 0.9, "B": 0.1}, {"A": 0.4, "B": 0.3}),
        of_cats({"A": 0.8, "B": 0.2}, {"A": 0.1, "B": 0.4}),
        of_cats({"A": 0.7, "B": 0.3}, {"A": 0.0, "B": 0.0}),
    ]
    report = report_categories(examples, 5, exclusive=True)
    assert report is not None
    assert report.confusion is not None
    assert report.confusion.counts == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert report.scores.per_label["A"].support == 1


def test_documents_in_which_one_of_several_categories_is_wrong():
    examples = [
        of_cats({"A": 0.9, "B": 0.2}, {"A": 1.0, "B": 0.0}),  # right
        of_cats({"A": 0.9, "B": 0.4}, {"A": 1.0, "B": 1.0}),
        of_cats({"A": 0.8, "B": 0.7}, {"A": 0.0}),  # of B nothing is known
        of_cats({"A": 0.1, "B": 0.7}, {"A": 1.0, "B": 1.0}),
    ]
    report = report_categories(examples, 5, exclusive=False)
    assert report is not None
    found = [(e.document, e.gold, e.predicted, e.score) for e in report.examples]
    assert found == [
        (3, "A, B", "B", 0.1),
        (2, "none", "A", 0.8),
        (1, "A, B", "A", 0.4),
    ]


def test_one_page_and_one_text_for_all():
    examples = [example(FOUND, GOLD), *exclusive((0.9, 1), (0.8, 0), (0.3, 1))]
    report = make_report(examples, model="m", data="d")
    page, text = to_html(report), to_text(report)
    for part in ("Relations", "Categories", "Kestrel Lines [ORG]", "direction"):
        assert part in page
        assert part in text
    assert "&lt;Bergen&gt;" in page
    assert "ROC AUC" in text
    assert "<Bergen>" not in page
    assert page.count("<svg") >= 6
    assert "Entities" not in page  # none are annotated
    json.dumps(report.to_dict())


def test_the_command_on_a_classifier(tmp_path):
    task = Task("attn_textcat")
    nlp = task.trained(steps=10)
    nlp.to_disk(tmp_path / "model")
    docs = [each.reference for each in task.examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = [tmp_path / "model", tmp_path / "dev.spacy", "--json", tmp_path / "r.json"]
    result = CliRunner().invoke(attn_cli, ["report", *map(str, args)])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "r.json").read_text())
    categories = found["categories"]["attn_textcat"]
    assert categories["n_documents"] == len(docs)
    assert categories["exclusive"]
    assert found["relations"] is None
    assert "most probable category is right" in " ".join(result.output.split())
