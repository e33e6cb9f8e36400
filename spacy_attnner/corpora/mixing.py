"""A reader that mixes corpora, each of which annotates a part of what is learnt."""

import math
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

from ..annotated import ENTITIES, RELATIONS, set_annotated_labels
from ..relations import (
    Relation,
    drop_relations,
    get_relations,
    has_relations,
    set_relations,
)

Reader = Callable[[Language], Iterable[Example]]
SENSES = 0.5  # share of texts from which on a label seems to have two senses
FEWEST = 10  # texts that say so
CATEGORIES = "categories"
TASKS = {
    ENTITIES: lambda doc: doc.has_annotation("ENT_IOB") or bool(doc.spans),
    RELATIONS: has_relations,
    CATEGORIES: lambda doc: bool(doc.cats),
}


@registry.readers("spacy-attnner.MixedCorpus.v1")
def create_mixed_corpus(
    corpora: dict[str, Any],
    shares: dict[str, float] | None = None,
    temperature: float = 1.0,
    tasks: dict[str, list[str]] | None = None,
    labels: dict[str, dict[str, str]] | None = None,
    spans: dict[str, str] | None = None,
) -> Reader:
    """Read several corpora as one, for components that learn together.

    What a corpus annotates nothing of costs nothing, as in any document without it.
    Entities and relations with labels that only some of the corpora have are *missing*
    in the documents of the others, not absent: `attn_ner` and `attn_rel` take no word
    and no pair of them for none of those, and `entity_scorer.v1` and
    `relation_scorer.v1` count no prediction of them as wrong.

    corpora: Readers, by a name of yours.
    shares: Of each corpus among the words of an epoch, adding up to 1. Batches are
        made of words, and a document of one corpus may be as long as twenty of another.
    temperature: Without shares, they follow the words n of the corpora to the power 1 /
        temperature: 1 takes them as they are, more brings them closer together (Devlin
        et al. 2018, multilingual BERT).
    tasks: What is taken of a corpus, `entities`, `relations` and `categories`, by
        corpus; all that it annotates if it is not named.
    labels: New names of entity labels, by corpus, for labels that are the same under
        two names, or two under the same.
    spans: Span group that the entities of a corpus are put into, by corpus, for
        entities by other guidelines: an `attn_ner` without `set_ents` learns them.

    Every document is read at least once in an epoch; those of corpora whose share is
    larger than their size come several times.

    Raises ValueError where shares name other corpora or do not add up to 1, and, when
    it is read, for a corpus that is empty or annotates nothing that is learnt.
    """
    # corpora are typed Any, since confection looks at blocks in a dict before it makes
    # readers of them
    tasks, labels, spans = tasks or {}, labels or {}, spans or {}
    _check(corpora, shares, temperature, [*tasks, *labels, *spans])
    _check_tasks(tasks)

    surveys: WeakKeyDictionary[Language, dict[str, _Survey]] = WeakKeyDictionary()

    def prepared(name: str, nlp: Language) -> Iterator[Example]:
        for example in corpora[name](nlp):
            if name in tasks:
                _keep(example, tasks[name])
            if name in labels:
                rename_entities(example.reference, labels[name])
            if name in spans:
                _move(example, spans[name])
            yield example

    def read(nlp: Language) -> Iterator[Example]:
        # a pipeline reads it many times before it is trained, often the beginning alone
        if nlp not in surveys:
            with _same_chance():
                found = {
                    name: _Survey(name, nlp, prepared(name, nlp)) for name in corpora
                }
            _warn_of_senses({name: each.texts for name, each in found.items()})
            surveys[nlp] = found
        found = surveys[nlp]
        sizes = {name: (each.n, each.n_words) for name, each in found.items()}
        for name, n in counts(sizes, shares, temperature).items():
            partial = _partial_labels(name, found)
            examples = _marked(prepared(name, nlp), partial)
            yield from examples if n == found[name].n else _times(list(examples), n)

    return read


@contextmanager
def _same_chance() -> Iterator[None]:
    """Draws of augmenters do not count: when a survey is made does not matter."""
    states = random.getstate(), numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        numpy.random.set_state(states[1])


class _Survey:
    """What one of the corpora has.

    Raises ValueError if it is empty, or annotates nothing of what a pipeline learns.
    """

    def __init__(self, name: str, nlp: Language, examples: Iterable[Example]) -> None:
        learnt = _learnt(nlp)
        self.n = self.n_words = 0
        self.labels: dict[str, set[str]] = {ENTITIES: set(), RELATIONS: set()}
        annotated = not learnt
        texts: dict[str, Counter[str]] = defaultdict(Counter)
        for example in examples:
            doc = example.reference
            self.n += 1
            self.n_words += len(doc)
            annotated = annotated or any(TASKS[task](doc) for task in learnt)
            for ent in doc.ents:
                texts[ent.text][ent.label_] += 1
                self.labels[ENTITIES].add(ent.label_)
            self.labels[RELATIONS].update(each.label for each in get_relations(doc))
        # the most frequent label of every entity
        self.texts = {text: n.most_common(1)[0][0] for text, n in texts.items()}
        if not self.n:
            raise ValueError(f"the corpus {name!r} has no documents")
        if not annotated:
            raise ValueError(
                f"the corpus {name!r} annotates no {' and no '.join(sorted(learnt))}, "
                "which is what the pipeline learns, in any of its "
                f"{self.n:,} documents: take it out of the mixture, or add a component "
                "for what it annotates"
            )


def _check(
    corpora: Mapping[str, Reader],
    shares: Mapping[str, float] | None,
    temperature: float,
    named: Iterable[str],
) -> None:
    known = ", ".join(corpora)
    if not corpora:
        raise ValueError("there are no corpora to mix: give some by name")
    for name in named:
        if name not in corpora:
            raise ValueError(f"there is no corpus {name!r}; the corpora are {known}")
    if not 0.0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature} is no number above 0")
    if shares is None:
        return
    if temperature != 1.0:
        raise ValueError(f"give shares or temperature {temperature}, not both")
    if set(shares) != set(corpora):
        raise ValueError(f"shares are of {', '.join(shares)}; the corpora are {known}")
    if not all(share > 0.0 for share in shares.values()):  # or not a number
        raise ValueError(f"shares {dict(shares)} are not all above 0")
    if abs(sum(shares.values()) - 1.0) > 1e-6:
        raise ValueError(
            f"shares {dict(shares)} add up to {sum(shares.values()):g}, not to 1"
        )


def _check_tasks(tasks: Mapping[str, Iterable[str]]) -> None:
    for name, chosen in tasks.items():
        if unknown := set(chosen) - TASKS.keys():
            raise ValueError(
                f"there is no task {sorted(unknown)[0]!r}, as of the corpus {name!r}: "
                f"the tasks are {', '.join(TASKS)}"
            )
        if RELATIONS in chosen and ENTITIES not in chosen:
            raise ValueError(
                f"the tasks of the corpus {name!r} are relations without entities, "
                "which are their arguments: name both"
            )


def counts(
    sizes: Mapping[str, tuple[int, int]],
    shares: Mapping[str, float] | None,
    temperature: float,
) -> dict[str, int]:
    """How many documents of each corpus an epoch has, each at least once.

    sizes: Documents and words of each.
    """
    words = {name: max(1, n_words) for name, (_, n_words) in sizes.items()}
    shares = shares or {name: n ** (1.0 / temperature) for name, n in words.items()}
    times = {name: shares[name] / n for name, n in words.items()}
    once = min(times.values())
    return {name: round(n * times[name] / once) for name, (n, _) in sizes.items()}


def _learnt(nlp: Language) -> set[str]:
    """What the components learn; nothing if one is of another kind."""
    found = set()
    for _, pipe in nlp.pipeline:
        if not getattr(pipe, "is_trainable", False):
            continue
        if hasattr(pipe, "listening_components"):  # an encoder
            continue
        task = getattr(pipe, "task", None)
        if task not in TASKS:
            return set()
        found.add(task)
    return found


def _keep(example: Example, tasks: Iterable[str]) -> None:
    """Make all annotation missing that is of no such task."""
    for doc in (example.reference, example.predicted):
        if RELATIONS not in tasks:
            drop_relations(doc)
        if ENTITIES not in tasks:
            doc.set_ents([], default="missing")
            doc.spans.clear()
        if CATEGORIES not in tasks:
            doc.cats = {}


def _move(example: Example, key: str) -> None:
    """Put entities into a span group; what else there is of entities is missing."""
    for doc in (example.reference, example.predicted):
        if doc.has_annotation("ENT_IOB"):
            doc.spans[key] = list(doc.ents)
            doc.set_ents([], default="missing")


def _partial_labels(name: str, found: Mapping[str, _Survey]) -> dict[str, set[str]]:
    """By kind, the labels that a corpus has, where others have more."""
    partial = {}
    for kind, own in found[name].labels.items():
        every = set().union(*(each.labels[kind] for each in found.values()))
        if own and own != every:
            partial[kind] = own
    return partial


def _marked(
    examples: Iterable[Example], partial: Mapping[str, set[str]]
) -> Iterator[Example]:
    """Say in each document which labels were looked for, if that is not all."""
    for example in examples:
        for kind, labels in partial.items():
            set_annotated_labels(example.reference, kind, labels)
        yield example


def _times(examples: list[Example], n: int) -> Iterator[Example]:
    """This many, each about as often as any other."""
    yield from examples * (n // len(examples))
    yield from random.sample(examples, n % len(examples))


def _warn_of_senses(texts: Mapping[str, Mapping[str, str]]) -> None:
    """Say of a label that it seems to mean different things in two corpora.

    texts: Of each corpus, the label of every entity.
    """
    for one, other in combinations(texts, 2):
        for label, examples in _disputed(texts[one], texts[other]).items():
            text, second = examples[0]
            warnings.warn(
                f"the label {label!r} seems to have two senses: of the entities "
                f"that are {label} in {one!r} and annotated in {other!r}, too, "
                f"{len(examples):,} have another label there ({text!r}: {second}); "
                "give one of them another name in `labels` of the mixed corpus",
                stacklevel=3,
            )


def _disputed(
    one: Mapping[str, str], other: Mapping[str, str]
) -> dict[str, list[tuple[str, str]]]:
    """Labels of both whose texts mostly have another label in the second."""
    both = [text for text in one if text in other]
    found = {}
    for label in sorted(set(one.values()) & set(other.values())):
        own = [text for text in both if one[text] == label]
        wrong = [(text, other[text]) for text in own if other[text] != label]
        if len(wrong) >= FEWEST and len(wrong) > SENSES * len(own):
            found[label] = wrong
    return found


def rename_entities(doc: Doc, names: Mapping[str, str]) -> None:
    """Rename entity labels, in the entities and in the arguments of relations.

    names: The new label of each old one; labels not named stay.
    """

    def rename(span: Span) -> Span:
        label = names.get(span.label_, span.label_)
        return Span(doc, span.start, span.end, label)

    ents = [rename(ent) for ent in doc.ents]
    relations = [
        Relation(rename(each.head), rename(each.tail), each.label, each.score)
        for each in get_relations(doc)
    ]
    doc.set_ents(ents, default="unmodified")
    if has_relations(doc):
        set_relations(doc, relations)
