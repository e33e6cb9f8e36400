"""The categories that were found against the annotated ones."""

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy.training import Example

from ..confidence.reliability import Reliability, measure_reliability
from ..confidence.thresholds import exclusive_truth
from ..hidden import shown
from .comparison import Confusion
from .scores import ScoreTable, score_labels

MOST_POINTS = 200  # of a curve that is drawn
LONGEST_TEXT = 160  # characters of an example


@dataclass(frozen=True)
class Curve:
    """How well the scores of a category tell where it applies.

    auc: Area under the receiver operating characteristic: the chance that a document
        with the category has a higher score than one without.
    average_precision: Precision, a mean over the documents with the category.
    roc: False and true positive rates. pr: Recalls and precisions. Each a list of
        points, by falling score.
    """

    auc: float
    average_precision: float
    roc: list[tuple[float, float]]
    pr: list[tuple[float, float]]


@dataclass(frozen=True)
class WrongCategory:
    """A document whose categories are wrong.

    gold, predicted: The annotated categories and the found ones, or "none".
    score: The highest of those that are found wrongly, or else the lowest of those
        that are missed.
    document: Which document it is, from 0. text: How it begins.
    """

    gold: str
    predicted: str
    score: float
    document: int
    text: str


@dataclass(frozen=True)
class CategoryReport:
    """The categories of a classifier on annotated documents.

    exclusive: Whether one of them applies to each document.
    n_documents: How many are annotated; where several may apply, with a category that
        the pipeline knows.
    threshold: From which score on a category counts, where several may apply; None if
        each has its own.
    accuracy: Share of documents whose most probable category, or all of whose
        categories, are right.
    scores: Of every category.
    confusion: Gold against predicted ones; None where several may apply.
    curves: Of every category that applies to some and not to all documents.
    examples: Documents that are wrong, those that the model was surest of first.
    calibration: Of the most probable category, or of all scores.
    """

    exclusive: bool
    n_documents: int
    threshold: float | None
    accuracy: float
    scores: ScoreTable
    confusion: Confusion | None
    curves: dict[str, Curve]
    examples: list[WrongCategory]
    calibration: Reliability


def report_categories(
    examples: Iterable[Example],
    n_examples: int,
    *,
    exclusive: bool | None = None,
    threshold: float | Mapping[str, float] = 0.5,
    labels: Collection[str] | None = None,
    others: Collection[str] = (),
) -> CategoryReport | None:
    """Compare predicted categories with annotated ones; None if there are none that
    the classifier knows.

    n_examples: How many wrong documents are shown.
    exclusive: Whether one of them applies, of those that are annotated to a degree the
        first; told from the annotation if None.
    threshold: From which score on a category counts, where several may apply; that of
        each category, if they have their own.
    labels: The classifier's; all that are predicted if None.
    others: Of other classifiers: documents that have no category but theirs are passed
        over.
    """
    numbered = [
        (i, each)
        for i, each in enumerate(examples)
        if each.reference.cats.keys() - set(others) and each.predicted.cats
    ]
    found = {c for _, each in numbered for c in each.predicted.cats}
    labels = sorted(found if labels is None else found & set(labels))
    if not labels:
        return None
    docs = [each.reference for _, each in numbered]
    truth, known, scores = (
        numpy.array([[of(each, label) for label in labels] for _, each in numbered])
        for of in (_truth, _is_known, _score)
    )
    _warn_of_strange(labels, docs, known)
    if exclusive is None:
        exclusive = bool((truth > 0.5).sum(1).max() <= 1 and known.all())
    least = _thresholds(threshold, labels)
    if exclusive:  # one applies: what is not named does not
        known[:] = True
        predicted = numpy.eye(len(labels), dtype=bool)[scores.argmax(1)]
        gold = exclusive_truth(truth)
    else:
        predicted, gold = scores >= least, truth > 0.5
    some = known.any(1)
    if not some.any():
        return None
    right = ((predicted == gold) | ~known)[some]
    counts = [
        dict(zip(labels, (part & known).sum(0).tolist(), strict=True))
        for part in (predicted & gold, predicted, gold)
    ]
    wrong = _wrong(labels, gold & known, predicted & known, scores, numbered)
    return CategoryReport(
        exclusive,
        int(some.sum()),
        float(least[0]) if (least == least[0]).all() else None,
        float(right.all(1).mean()),
        score_labels(labels, *counts),
        _confuse(labels, gold, scores) if exclusive else None,
        {
            label: _curve(scores[known[:, i], i], gold[known[:, i], i])
            for i, label in enumerate(labels)
            if 0 < gold[known[:, i], i].sum() < known[:, i].sum()
        },
        wrong[:n_examples],
        _reliability(exclusive, gold, known, scores),
    )


def report_classifiers(
    examples: Sequence[Example],
    n_examples: int,
    classifiers: Mapping[str, Mapping[str, Any]],
) -> dict[str, CategoryReport]:
    """What `report_categories` says of each classifier, where it says something.

    classifiers: What `report_categories` is told of them, by name; if there are none,
        all categories are taken for those of one without a name.
    """
    reports = {
        name: report_categories(examples, n_examples, **about)
        for name, about in (classifiers or {"": {}}).items()
    }
    return {name: each for name, each in reports.items() if each is not None}


def _thresholds(
    threshold: float | Mapping[str, float], labels: Sequence[str]
) -> numpy.ndarray:
    """Of each label, (n_labels,)."""
    if not isinstance(threshold, Mapping):
        return numpy.full(len(labels), threshold)
    return numpy.array([threshold.get(label, 0.5) for label in labels])


def _warn_of_strange(
    labels: Sequence[str], docs: Sequence[Doc], known: numpy.ndarray
) -> None:
    strange = [doc for doc, row in zip(docs, known, strict=True) if not row.any()]
    if strange:
        cats = sorted({cat for doc in strange for cat in doc.cats})
        warnings.warn(
            f"{len(strange):,} of {len(docs):,} documents have no category that the "
            f"pipeline knows: they have {cats}, it knows {list(labels)}",
            stacklevel=3,
        )


def _truth(example: Example, label: str) -> float:
    return float(example.reference.cats.get(label, 0.0))


def _is_known(example: Example, label: str) -> bool:
    return label in example.reference.cats


def _score(example: Example, label: str) -> float:
    return float(example.predicted.cats.get(label, 0.0))


def _confuse(
    labels: list[str], gold: numpy.ndarray, scores: numpy.ndarray
) -> Confusion:
    counts = Counter(
        zip(
            numpy.where(gold.any(1), gold.argmax(1), len(labels)).tolist(),
            scores.argmax(1).tolist(),
            strict=True,
        )
    )
    n = len(labels) + 1
    return Confusion(labels, [[counts[i, j] for j in range(n)] for i in range(n)])


def _wrong(
    labels: list[str],
    gold: numpy.ndarray,
    predicted: numpy.ndarray,
    scores: numpy.ndarray,
    numbered: Sequence[tuple[int, Example]],
) -> list[WrongCategory]:
    """What the model was surest of first; arrays: (n_docs, n_labels)."""
    found = []
    for row in numpy.flatnonzero((gold != predicted).any(1)).tolist():
        added = scores[row, predicted[row] & ~gold[row]]
        missed = scores[row, gold[row] & ~predicted[row]]
        score = float(added.max() if len(added) else missed.min())
        own, other = (
            ", ".join(labels[i] for i in numpy.flatnonzero(each[row])) or "none"
            for each in (gold, predicted)
        )
        number, example = numbered[row]
        text = shown(" ".join(example.reference.text.split())[:LONGEST_TEXT])
        wrong = WrongCategory(own, other, score, number, text)
        found.append((score if len(added) else 1.0 - score, wrong))
    return [wrong for _, wrong in sorted(found, key=lambda each: -each[0])]


def _curve(scores: numpy.ndarray, gold: numpy.ndarray) -> Curve:
    """Of one category; scores and gold: (n,)."""
    order = numpy.argsort(-scores, kind="stable")
    ranked, right = scores[order], gold[order]
    last = numpy.append(ranked[1:] < ranked[:-1], True)  # of equal scores
    tp, fp = right.cumsum()[last], (~right).cumsum()[last]
    recall, false = tp / gold.sum(), fp / (~gold).sum()
    precision = tp / (tp + fp)
    steps = numpy.diff(recall, prepend=0.0)
    x, y = (numpy.concatenate([[0.0], part]) for part in (false, recall))
    some = numpy.unique(numpy.linspace(0, len(tp) - 1, MOST_POINTS).astype("int64"))
    return Curve(
        float(numpy.trapezoid(y, x)),
        float((steps * precision).sum()),
        [(0.0, 0.0), *zip(false[some].tolist(), recall[some].tolist(), strict=True)],
        list(zip(recall[some].tolist(), precision[some].tolist(), strict=True)),
    )


def _reliability(
    exclusive: bool, gold: numpy.ndarray, known: numpy.ndarray, scores: numpy.ndarray
) -> Reliability:
    if exclusive:
        rows, best = numpy.arange(len(scores)), scores.argmax(1)
        confidences, correct = scores[rows, best], gold[rows, best]
    else:
        confidences, correct = scores[known], gold[known]
    return measure_reliability(
        confidences.clip(0.0, 1.0), correct, n_gold=int((gold & known).sum())
    )
