"""A reader that mixes corpora, each of which annotates a part of what is learnt."""

import math
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from heapq import merge
from itertools import chain, starmap
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.util import registry

from ..annotated import ENTITIES, RELATIONS, layer, set_annotated_labels
from ..relations import (
    Relation,
    drop_relations,
    get_relations,
    has_relations,
    set_relations,
)
from ..span_groups import TRIPLES
from .layers import move_entities
from .senses import entity_senses, relation_senses

Reader = Callable[[Language], Iterable[Example]]
CATEGORIES = "categories"
TASKS = {
    ENTITIES: lambda doc: doc.has_annotation("ENT_IOB") or bool(doc.spans),
    RELATIONS: has_relations,
    CATEGORIES: lambda doc: bool(doc.cats),
}
# by what a component assigns, spaCy's own, too: what it learns from
LEARNT = {
    "doc.ents": ENTITIES,
    "doc.spans": ENTITIES,
    "doc._.relations": RELATIONS,
    "doc.cats": CATEGORIES,
    "token.tag": "TAG",
    "token.pos": "POS",
    "token.morph": "MORPH",
    "token.lemma": "LEMMA",
    "token.dep": "DEP",
    "token.is_sent_start": "SENT_START",
}


@registry.readers("spacy-attnner.MixedCorpus.v1")
def create_mixed_corpus(
    corpora: dict[str, Any],
    shares: dict[str, float] | None = None,
    temperature: float = 1.0,
    tasks: dict[str, list[str]] | None = None,
    labels: dict[str, dict[str, str]] | None = None,
    spans: dict[str, str] | None = None,
    annotates: dict[str, list[str]] | None = None,
) -> Reader:
    """Read several corpora as one, for components that learn together.

    What a corpus annotates nothing of costs nothing, as in any document without it.
    Entities, also those of a span group, and relations with labels that only some of
    the corpora have are *missing* in the documents of the others, not absent:
    `attn_ner` and `attn_rel` take no word and no pair of them for none of those, and
    `entity_scorer.v1` and `relation_scorer.v1` count no prediction of them as wrong.
    A category is missing wherever a document does not name it.

    corpora: Readers, by a name of yours.
    shares: Of each corpus among the words of an epoch, adding up to 1. Batches are
        made of words, and a document of one corpus may be as long as twenty of another.
    temperature: Without shares, they follow the words n of the corpora to the power 1 /
        temperature: 1 takes them as they are, more brings them closer together (Devlin
        et al. 2018, multilingual BERT).
    tasks: What is taken of a corpus, `entities`, `relations` and `categories`, by
        corpus; all that it annotates if it is not named.
    labels: New names of labels of entities, relations and categories, by corpus, for
        labels that are the same under two names, or two under the same.
    spans: Span group that the entities of a corpus are put into, by corpus, for
        entities by other guidelines: an `attn_ner` without `set_ents` learns them.
    annotates: Labels (new names) of entities and relations that were looked for in a
        corpus, beside those that it has, by corpus: for a small one that has some by
        chance only.

    Every document is read at least once in an epoch; those of corpora whose share is
    larger than their size come several times. With `training.max_epochs = -1`, which
    shuffles nothing, the corpora are spread evenly over it.

    Raises ValueError where shares name other corpora or do not add up to 1, a new name
    is empty, and, when it is read, for a corpus that is empty or annotates nothing that
    is learnt.
    """
    # corpora are typed Any, since confection looks at blocks in a dict before it makes
    # readers of them
    tasks, labels, spans = tasks or {}, labels or {}, spans or {}
    annotates = annotates or {}
    _check(corpora, shares, temperature, [*tasks, *labels, *spans, *annotates])
    _check_tasks(tasks)
    _check_names(labels)

    renamed: dict[str, set[str]] = defaultdict(set)  # labels that were met
    surveys: WeakKeyDictionary[Language, dict[str, _Survey]] = WeakKeyDictionary()

    def prepared(name: str, nlp: Language) -> Iterator[Example]:
        for example in corpora[name](nlp):
            if name in tasks:
                _keep(example, tasks[name])
            if name in labels:
                for doc in (example.reference, example.predicted):
                    renamed[name] |= rename_labels(doc, labels[name])
            if name in spans:
                move_entities(example, spans[name])
            yield example

    def read(nlp: Language) -> Iterator[Example]:
        # a pipeline reads it many times before it is trained, often the beginning alone
        if nlp not in surveys:
            with _same_chance():
                found = {
                    name: _Survey(name, nlp, prepared(name, nlp)) for name in corpora
                }
            _warn_of_names(labels, renamed)
            _warn_of_senses(found)
            _warn_of_unknown(annotates, found, nlp)
            _add_labels(annotates, found)
            surveys[nlp] = found
        found = surveys[nlp]
        sizes = {name: (each.n, each.n_words) for name, each in found.items()}
        parts = []
        for name, n in counts(sizes, shares, temperature).items():
            examples = _marked(prepared(name, nlp), _partial_labels(name, found))
            parts.append((examples if n == found[name].n else _times(examples, n), n))
        yield from _spread(parts) if _streams(nlp) else chain(*(x for x, _ in parts))

    return read


def _streams(nlp: Language) -> bool:
    """Whether documents are trained on in the order in which they are read."""
    return nlp.config.interpolate()["training"]["max_epochs"] < 0


def _spread(parts: Iterable[tuple[Iterable[Example], int]]) -> Iterator[Example]:
    """Examples of all parts, each of which is as far as the others at any time.

    parts: With the number of examples of each.
    """

    def placed(examples: Iterable[Example], n: int) -> Iterator[tuple[float, Example]]:
        yield from ((i / n, example) for i, example in enumerate(examples))

    for _, example in merge(*starmap(placed, parts), key=itemgetter(0)):
        yield example


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
        self.labels: dict[str, set[str]] = defaultdict(set)  # by kind
        annotated = not learnt
        texts: dict[str, dict[str, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        self.joined: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for example in examples:
            doc = example.reference
            self.n += 1
            self.n_words += len(doc)
            annotated = annotated or any(_annotates(doc, each) for each in learnt)
            for kind, span in _spans_of(doc):
                texts[kind][span.text][span.label_] += 1
                self.labels[kind].add(span.label_)
            for each in get_relations(doc):
                self.labels[RELATIONS].add(each.label)
                self.joined[each.label][each.head.label_, each.tail.label_] += 1
        # the most frequent label of every entity, by kind
        self.texts = {
            kind: {text: n.most_common(1)[0][0] for text, n in found.items()}
            for kind, found in texts.items()
        }
        if not self.n:
            raise ValueError(f"the corpus {name!r} has no documents")
        if not annotated:
            raise ValueError(
                f"the corpus {name!r} annotates no {' and no '.join(sorted(learnt))}, "
                "which is what the pipeline learns, in any of its "
                f"{self.n:,} documents: take it out of the mixture, or add a component "
                "for what it annotates"
            )


def _spans_of(doc: Doc) -> Iterator[tuple[str, Span]]:
    """Entities and the spans of all layers that have a label, with their kind."""
    yield from ((ENTITIES, ent) for ent in doc.ents)
    for key, group in layers_of(doc):
        yield from ((layer(key), span) for span in group if span.label_)


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
    """What the components learn from, of those of which it is known.

    Also of those that are switched off, as they are where others are initialized beside
    them.
    """
    trained = [n for n, pipe in nlp.components if getattr(pipe, "is_trainable", False)]
    assigned = [each for name in trained for each in nlp.get_pipe_meta(name).assigns]
    return {LEARNT[each] for each in assigned if each in LEARNT}


def _annotates(doc: Doc, what: str) -> bool:
    """Whether a document has a task's annotation, or one of tokens."""
    return TASKS[what](doc) if what in TASKS else doc.has_annotation(what)


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


def _check_names(labels: Mapping[str, Mapping[str, str]]) -> None:
    for name, names in labels.items():
        for old, new in names.items():
            if not new.strip():
                raise ValueError(
                    f"the new name of {old!r}, a label of the corpus {name!r}, is empty"
                )


def _warn_of_names(
    labels: Mapping[str, Mapping[str, str]], renamed: Mapping[str, set[str]]
) -> None:
    for name, names in labels.items():
        if unmet := [old for old in names if old not in renamed[name]]:
            warnings.warn(
                f"no document of the corpus {name!r} has the label "
                f"{', '.join(map(repr, unmet))}, which was to get another name",
                stacklevel=3,
            )


def _warn_of_unknown(
    annotates: Mapping[str, Iterable[str]], found: Mapping[str, _Survey], nlp: Language
) -> None:
    """Of labels that were looked for, but neither found nor learnt."""
    known = {
        label
        for labels in (
            *(labels for each in found.values() for labels in each.labels.values()),
            *(getattr(pipe, "labels", ()) for _, pipe in nlp.components),
        )
        for label in labels
    }
    for name, labels in annotates.items():
        if unmet := [label for label in labels if label not in known]:
            warnings.warn(
                f"no document of any corpus has the label "
                f"{', '.join(map(repr, unmet))}, which was looked for in the corpus "
                f"{name!r}",
                stacklevel=3,
            )


def _add_labels(
    annotates: Mapping[str, Iterable[str]], found: Mapping[str, _Survey]
) -> None:
    """Those that a corpus would have if there were any.

    Of which kind each is does not matter: no kind has the labels of another.
    """
    kinds = {kind for each in found.values() for kind in each.labels}
    for name, labels in annotates.items():
        for kind in kinds:
            found[name].labels[kind].update(labels)


def _partial_labels(name: str, found: Mapping[str, _Survey]) -> dict[str, set[str]]:
    """By kind, the labels that a corpus has, where others have more."""
    partial = {}
    for kind, own in found[name].labels.items():
        every = set().union(*(each.labels.get(kind, ()) for each in found.values()))
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


def _warn_of_senses(found: Mapping[str, _Survey]) -> None:
    messages = list(
        relation_senses({name: each.joined for name, each in found.items()})
    )
    for kind in dict.fromkeys(kind for each in found.values() for kind in each.texts):
        texts = {name: each.texts.get(kind, {}) for name, each in found.items()}
        messages.extend(entity_senses(texts))
    for message in dict.fromkeys(messages):  # layers may hold the same entities
        warnings.warn(message, stacklevel=3)


def _times(examples: Iterable[Example], n: int) -> Iterator[Example]:
    """This many, each about as often as any other."""
    examples = list(examples)
    yield from examples * (n // len(examples))
    yield from random.sample(examples, n % len(examples))


def rename_labels(doc: Doc, names: Mapping[str, str]) -> set[str]:
    """Rename labels: of entities and other spans, of relations and their arguments, of
    categories.

    names: The new label of each old one; labels not named stay. Of categories that
        become one, the higher value stays.

    Returns the old labels that the document had.
    """
    met: set[str] = set()

    def named(label: str) -> str:
        if label in names:
            met.add(label)
        return names.get(label, label)

    def rename(span: Span) -> Span:
        ids: Any = {"kb_id": span.kb_id, "span_id": span.id}
        return Span(doc, span.start, span.end, named(span.label_), **ids)

    ents = list(map(rename, doc.ents))
    relations = [
        Relation(rename(each.head), rename(each.tail), named(each.label), each.score)
        for each in get_relations(doc)
    ]
    doc.set_ents(ents, default="unmodified")
    if has_relations(doc):
        set_relations(doc, relations)
    for key, group in layers_of(doc):
        settings: Any = {"name": group.name, "attrs": group.attrs}
        doc.spans[key] = type(group)(doc, spans=list(map(rename, group)), **settings)
    cats = doc.cats
    doc.cats = {}
    for label, value in cats.items():
        doc.cats[named(label)] = max(value, doc.cats.get(named(label), value))
    return met


def layers_of(doc: Doc) -> list[tuple[str, SpanGroup]]:
    """The span groups that hold spans, not relations."""
    return [(k, group) for k, group in doc.spans.items() if TRIPLES not in group.attrs]
