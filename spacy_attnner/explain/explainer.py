"""`explain`: from a pipeline, a document and a target to an explanation."""

import warnings
from collections.abc import Container
from functools import partial
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span
from thinc.api import Model

from ..pipeline.ner import AttnNER
from ..pipeline.rel import AttnRel
from ..pipeline.textcat import AttnMultiLabelTextCategorizer, AttnTextCategorizer
from ..pipeline.upstream import upstream_of
from ..relations import Relation, get_relations
from .explanation import Explanation
from .methods import DEFAULT, METHODS, STEPS, Question, Weights
from .scaled_model import ScaledModel
from .targets import CategoryTarget, EntityTarget, RelationTarget, Target

KINDS: dict[type, tuple[str, tuple[type, ...]]] = {
    str: ("category", (AttnTextCategorizer, AttnMultiLabelTextCategorizer)),
    Span: ("entity", (AttnNER,)),
    Relation: ("relation", (AttnRel,)),
}
CLOSE = 0.01  # probabilities that differ by rounding, and by batches
TARGETS: dict[str, Any] = {
    "category": CategoryTarget,
    "entity": EntityTarget,
    "relation": RelationTarget,
}


def explain(
    nlp: Language,
    doc: Doc,
    target: str | Span | Relation,
    *,
    method: str = DEFAULT,
    component: str | None = None,
    steps: int = STEPS,
) -> Explanation:
    """Say how much each token of a document counts for what a pipeline says of it.

    nlp: The pipeline; of ours, a component that knows the target's label.
    doc: The document, with what the component reads: for a relation, its entities.
    target: A category's label; a span with a label, whether it was found as an entity
        or not; or a relation.
    method: One of `METHODS`.
    component: The component's name, where several know the label; if left out, the
        first one that says so of the document, or else the first one.
    steps: Of the integral of integrated gradients.

    Copies the component's model: to explain many documents, make one `Explainer`.

    Raises ValueError where no component knows the label, where the document lacks what
    the component reads, and where the method cannot be used.
    """
    explainer = Explainer(nlp, steps=steps)
    return explainer.explain(doc, target, method=method, component=component)


class Explainer:
    """Explains what a pipeline says of documents, with its weights of today.

    nlp: The pipeline. steps: Of the integral of integrated gradients.

    `n_other` counts what was explained with another probability than the document
    holds: its tokens, or the weights, changed since.
    """

    n_other = 0

    def __init__(self, nlp: Language, *, steps: int = STEPS) -> None:
        if steps < 1:
            raise ValueError(f"steps {steps} is not positive")
        self.nlp = nlp
        self.steps = steps
        self._models: dict[str, ScaledModel] = {}

    def explain(
        self,
        doc: Doc,
        target: str | Span | Relation,
        *,
        method: str = DEFAULT,
        component: str | None = None,
    ) -> Explanation:
        """As the function `explain`."""
        if method not in METHODS:
            raise ValueError(
                f"there is no method {method!r}; there are {', '.join(METHODS)}"
            )
        question = self.question(doc, target, component)
        found = METHODS[method](question) if len(doc) else Weights(numpy.zeros(0))
        held = question.target.held(doc)
        if held is not None and abs(held - question.probability) > CLOSE:
            self.n_other += 1
        return Explanation(
            component=question.target.pipe.name,
            target=question.target.described(),
            probability=question.probability,
            method=method,
            tokens=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
            weights=found.values.tolist(),
            error=found.error,
        )

    def pipes(
        self, kind: str, component: str | None = None, *, required: bool = False
    ) -> list[Any]:
        """Components that say something of a kind: "category", "entity", "relation".

        Raises ValueError where there is none, if one is required.
        """
        found = [
            pipe
            for name, pipe in self.nlp.components
            if isinstance(pipe, _classes_of(kind)) and component in (None, name)
        ]
        if required and not found:
            raise ValueError(
                f"the pipeline has no component{_named(component)} of this package "
                f"that gives a document {'an' if kind == 'entity' else 'a'} {kind}; it "
                f"has {self.nlp.component_names}"
            )
        return found

    def targets(
        self,
        doc: Doc,
        kind: str,
        component: str | None = None,
        labels: Container[str] = (),
    ) -> list[str | Span | Relation]:
        """What the pipeline says of a document that it has read.

        All entities or all relations; of categories those that apply, or the most
        probable one; of all components of the kind, or that of the name.

        labels: With these labels alone; categories then whether they apply or not.
        """
        pipes = self.pipes(kind, component, required=True)
        return [each for pipe in pipes for each in self._of(pipe, doc, kind, labels)]

    def _of(
        self, pipe: Any, doc: Doc, kind: str, labels: Container[str]
    ) -> list[str | Span | Relation]:
        """What one component says of a document."""
        known = [each for each in pipe.labels if not labels or each in labels]
        if kind != "category":
            return [each for each in _said(pipe, doc) if _label_of(each) in known]
        own = {cat: doc.cats[cat] for cat in known if cat in doc.cats}
        if labels or not own:
            return list(own)
        least = {} if pipe.exclusive else pipe.least_of_labels()
        applying = [cat for cat, p in own.items() if p >= least.get(cat, 2.0)]
        return list(applying or [max(own, key=own.__getitem__)])

    def question(
        self, doc: Doc, target: str | Span | Relation, component: str | None = None
    ) -> Question:
        """What a method is asked; raises ValueError as `explain` does."""
        if doc.vocab is not self.nlp.vocab:
            raise ValueError(
                "the document has another vocab than the pipeline: make it with "
                "nlp(text), or read it with DocBin.get_docs(nlp.vocab)"
            )
        asked = self._target(doc, target, component)
        asked.pipe.ready([doc])
        return Question(doc, asked, self._model(asked.pipe), self.steps)

    def _target(
        self, doc: Doc, target: str | Span | Relation, component: str | None
    ) -> Target:
        kind = next((k for t, (k, _) in KINDS.items() if isinstance(target, t)), None)
        if kind is None:
            raise ValueError(
                f"{target!r} is no target: give a category's label, a Span with a "
                "label, or a Relation"
            )
        label = _label_of(target)
        for span in _spans_of(target):
            if span.doc is not doc or not len(span):
                what = "empty" if span.doc is doc else "of another document"
                raise ValueError(f"the span {span.text!r} is {what}")
        own = self.pipes(kind, component)
        knowing = [pipe for pipe in own if label in pipe.labels]
        if knowing:
            saying = (pipe for pipe in knowing if _says(pipe, doc, target))
            return TARGETS[kind](next(saying, knowing[0]), target)
        known = {pipe.name: list(pipe.labels) for pipe in own}
        raise ValueError(
            f"the pipeline has no component{_named(component)} of this package that "
            f"knows the {kind} {label!r}: those of this kind know "
            f"{known or 'nothing'}, and its components are {self.nlp.component_names}"
        )

    def _model(self, pipe: Any) -> ScaledModel:
        if pipe.name not in self._models:
            # not a method of its own: copies of models in a circle stay for long
            upstream = partial(_upstream_model, self.nlp)
            found = self._models[pipe.name] = ScaledModel(pipe.model, upstream)
            if found.contextual:
                warnings.warn(
                    f"{pipe.name!r} reads vectors of another package's encoder, which "
                    "know their context: weights are those of the vectors, not of the "
                    "words by themselves; TransformerEncoder.v1 has those of words",
                    stacklevel=4,
                )
        return self._models[pipe.name]


def _upstream_model(nlp: Language, listener: Any) -> Model | None:
    """The model that a listener listens to, if a gradient can go through it."""
    model = getattr(upstream_of(listener, nlp), "model", None)
    return model if type(listener).__name__ == "Tok2VecListener" else None


def _classes_of(kind: str) -> tuple[type, ...]:
    for name, classes in KINDS.values():
        if name == kind:
            return classes
    known = ", ".join(name for name, _ in KINDS.values())
    raise ValueError(f"there is no kind {kind!r}; there are {known}")


def _said(pipe: Any, doc: Doc) -> list[Span | Relation]:
    """Entities or relations of a component in a document."""
    if isinstance(pipe, AttnRel):
        return list(get_relations(doc, pipe.relations_key))
    return list(doc.ents if pipe.set_ents else doc.spans.get(pipe.spans_key, []))


def _says(pipe: Any, doc: Doc, target: str | Span | Relation) -> bool:
    if isinstance(target, str):
        return target in doc.cats
    return _place_of(target) in map(_place_of, _said(pipe, doc))


def _place_of(target: Span | Relation) -> Any:
    places = [(span.start, span.end, span.label_) for span in _spans_of(target)]
    return _label_of(target), places


def _named(component: str | None) -> str:
    return "" if component is None else f" {component!r}"


def _label_of(target: str | Span | Relation) -> str:
    if isinstance(target, str):
        return target
    return target.label_ if isinstance(target, Span) else target.label


def _spans_of(target: str | Span | Relation) -> list[Span]:
    if isinstance(target, str):
        return []
    return [target] if isinstance(target, Span) else [target.head, target.tail]
