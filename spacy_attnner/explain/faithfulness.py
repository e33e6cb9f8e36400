"""Do explanations tell the truth? Tokens are taken away in the order of their weights.

DeYoung et al. (2020), "ERASER: A Benchmark to Evaluate Rationalized NLP Models":
comprehensiveness is how much the probability falls without the tokens that count most,
which should be much; sufficiency how much it falls with those alone, which should be
little. Both are means over several shares of the tokens (AOPC). A token is taken away
by a vector of zeros in its place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span

from ..relations import Relation
from ..span_groups import text_start
from ..words import n_words, word_places
from .explainer import Explainer
from .methods import METHODS, Question, methods_of

RANDOM = "random order"
SHARES = (0.05, 0.1, 0.2, 0.5)  # of the words
N_RANDOM = 10  # orders
N_SAMPLES = 2000  # of the bootstrap
KINDS = ("category", "entity", "relation")


@dataclass
class Faithfulness:
    """How much explanations of one kind of target tell, by their method.

    comprehensiveness, sufficiency: Of each explained target, by the method.
    errors: Of completeness, of integrated gradients.
    """

    kind: str
    comprehensiveness: dict[str, list[float]] = field(default_factory=dict)
    sufficiency: dict[str, list[float]] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)

    @property
    def n(self) -> int:
        """How many targets were explained."""
        return len(self.comprehensiveness.get(RANDOM, []))

    def rows(self) -> list[dict[str, Any]]:
        """For each method its means, with 95 % bootstrap intervals, as plain data.

        `times_random` is its comprehensiveness against that of random orders.
        """
        chance = float(numpy.mean(self.comprehensiveness.get(RANDOM, [0.0])))
        found = []
        for method, values in self.comprehensiveness.items():
            mean, low, high = interval(values)
            other, other_low, other_high = interval(self.sufficiency[method])
            found.append(
                {
                    "method": method,
                    "comprehensiveness": mean,
                    "comprehensiveness_95": [low, high],
                    "sufficiency": other,
                    "sufficiency_95": [other_low, other_high],
                    "times_random": mean / chance if chance > 0.0 else None,
                }
            )
        return found


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % bootstrap interval (Efron and Tibshirani 1993)."""
    data = numpy.asarray(values, dtype="float64")
    if not len(data):
        return 0.0, 0.0, 0.0
    draws = numpy.random.default_rng(seed).integers(
        len(data), size=(N_SAMPLES, len(data))
    )
    low, high = numpy.quantile(data[draws].mean(1), [0.025, 0.975])
    return float(data.mean()), float(low), float(high)


def evaluate_explanations(
    nlp: Language,
    docs: Iterable[Doc],
    kind: str,
    *,
    methods: Iterable[str] = (),
    component: str | None = None,
    seed: int = 0,
) -> Faithfulness:
    """Explain one target of each document by several methods, and test the answers.

    docs: As the pipeline predicts them.
    kind: "category", "entity" or "relation": one that was found in the document, of
        several one that the seed draws. Documents without one are passed over, and
        those without words.
    methods: All that the component allows if none is named.

    Raises ValueError as `explain` does, with the beginning of the text.
    """
    explainer, generator = Explainer(nlp), numpy.random.default_rng(seed)
    result = Faithfulness(kind)
    for doc in docs:
        found = draw_target(explainer, doc, kind, generator, component)
        if found is None or not n_words(doc):
            continue
        try:
            question = explainer.question(doc, *found)
            chosen = list(methods) or methods_of(question)
            _judge(result, question, chosen, generator)
        except ValueError as error:
            raise ValueError(
                f"the text {text_start(doc)} cannot be explained: {error}"
            ) from error
    return result


def draw_target(
    explainer: Explainer,
    doc: Doc,
    kind: str,
    generator: numpy.random.Generator,
    component: str | None = None,
) -> tuple[str | Span | Relation, str] | None:
    """One of what a pipeline says of a document, and the component's name; or None."""
    targets = [
        (target, pipe.name)
        for pipe in explainer.pipes(kind, component, required=True)
        for target in explainer.targets(doc, kind, pipe.name)
    ]
    return targets[generator.integers(len(targets))] if targets else None


def _judge(
    result: Faithfulness,
    question: Question,
    methods: list[str],
    generator: numpy.random.Generator,
) -> None:
    places = word_places(question.doc)
    words = numpy.arange(len(question.doc)) if places is None else places
    orders = {}
    for method in methods:
        found = METHODS[method](question)
        orders[method] = [words[numpy.argsort(-found.values[words], kind="stable")]]
        if found.error is not None:
            result.errors.append(found.error)
    orders[RANDOM] = [generator.permutation(words) for _ in range(N_RANDOM)]
    flat = [order for each in orders.values() for order in each]
    without, alone = _fall(question, flat)
    first = 0
    for method, each in orders.items():
        rows = slice(first, first + len(each))
        for scores, values in (
            (result.comprehensiveness, without),
            (result.sufficiency, alone),
        ):
            scores.setdefault(method, []).append(float(values[rows].mean()))
        first += len(each)


def _fall(
    question: Question, orders: list[numpy.ndarray]
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """How far p falls without the first words of each order, and with them alone.

    Returns means over `SHARES`, (n_orders,) each.
    """
    n, (n_words,) = len(question.doc), orders[0].shape
    scales = numpy.ones((2, len(orders), len(SHARES), n))
    scales[1] = 0.0
    for i, order in enumerate(orders):
        for j, share in enumerate(SHARES):
            first = order[: ceil(share * n_words)]
            scales[0, i, j, first] = 0.0
            scales[1, i, j, first] = 1.0
    p = question.probabilities(scales.reshape(-1, n)).reshape(scales.shape[:3])
    without, alone = question.probability - p.mean(2)
    return without, alone
