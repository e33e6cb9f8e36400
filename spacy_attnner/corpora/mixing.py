"""A reader that mixes corpora, each of which annotates a part of what is learnt."""

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry

from ..annotated import ENTITIES, RELATIONS, set_annotated_labels
from ..relations import get_relations, has_relations
from .conversion import rename_entities

Reader = Callable[[Language], Iterable[Example]]
SENSES = 0.5  # share of texts from which on a label seems to have two senses
FEWEST = 10  # texts that say so
TASKS = {
    ENTITIES: lambda doc: doc.has_annotation("ENT_IOB") or bool(doc.spans),
    RELATIONS: has_relations,
    "categories": lambda doc: bool(doc.cats),
}


@registry.readers("spacy-attnner.MixedCorpus.v1")
def create_mixed_corpus(
    corpora: dict[str, Reader],
    shares: dict[str, float] | None = None,
    temperature: float = 1.0,
    labels: dict[str, dict[str, str]] | None = None,
    spans: dict[str, str] | None = None,
) -> Reader:
    """Read several corpora as one, for components that learn together.

    What a corpus annotates nothing of costs nothing, as in any document without it.
    Entities and relations with labels that only some of the corpora have are *missing*
    in the documents of the others, not absent: `attn_ner` and `attn_rel` take no word
    and no pair of them for none of those, and `entity_scorer.v1` and
    `relation_scorer.v1` count no prediction of them as wrong.

    corpora: Readers by a name of yours.
    shares: Of each corpus among the documents of an epoch, adding up to 1.
    temperature: Without shares, they follow the sizes n of the corpora to the power 1 /
        temperature: 1 takes them as they are, more brings them closer together (Devlin
        et al. 2018, multilingual BERT).
    labels: New names of entity labels, by corpus, for labels that are the same under
        two names, or two under the same.
    spans: Span group that the entities of a corpus are put into, by corpus, for
        entities by other guidelines: an `attn_ner` without `set_ents` learns them.

    Every document is read at least once in an epoch; those of corpora whose share is
    larger than their size come several times.

    Raises ValueError where shares name other corpora or do not add up to 1, and, when
    it is read, for a corpus that is empty or annotates nothing that is learnt.
    """
    labels, spans = labels or {}, spans or {}
    _check(corpora, shares, temperature, [*labels, *spans])

    def read(nlp: Language) -> Iterator[Example]:
        found = {name: list(reader(nlp)) for name, reader in corpora.items()}
        for name, examples in found.items():
            _check_annotated(name, examples, nlp)
            for example in examples:
                if name in labels:
                    rename_entities(example.reference, labels[name])
                if name in spans:
                    _move(example, spans[name])
        _warn_of_senses(found)
        _set_labels(found)
        sizes = {name: len(examples) for name, examples in found.items()}
        for name, n in counts(sizes, shares, temperature).items():
            examples = found[name]
            yield from examples * (n // len(examples))
            yield from random.sample(examples, n % len(examples))

    return read


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
    if temperature <= 0.0:
        raise ValueError(f"temperature {temperature} is not above 0")
    if shares is None:
        return
    if temperature != 1.0:
        raise ValueError(f"give shares or temperature {temperature}, not both")
    if set(shares) != set(corpora):
        raise ValueError(f"shares are of {', '.join(shares)}; the corpora are {known}")
    if any(share <= 0.0 for share in shares.values()):
        raise ValueError(f"shares {dict(shares)} are not all above 0")
    if abs(sum(shares.values()) - 1.0) > 1e-6:
        raise ValueError(
            f"shares {dict(shares)} add up to {sum(shares.values()):g}, not to 1"
        )


def counts(
    sizes: Mapping[str, int], shares: Mapping[str, float] | None, temperature: float
) -> dict[str, int]:
    """How many documents of each corpus an epoch has, each at least once."""
    weights = shares or {name: n ** (1.0 / temperature) for name, n in sizes.items()}
    epoch = max(sizes[name] / weights[name] for name in sizes)
    return {name: round(weights[name] * epoch) for name in sizes}


def _check_annotated(name: str, examples: list[Example], nlp: Language) -> None:
    if not examples:
        raise ValueError(f"the corpus {name!r} has no documents")
    learnt = _learnt(nlp)
    if not learnt:
        return
    for example in examples:
        if any(TASKS[task](example.reference) for task in learnt):
            return
    raise ValueError(
        f"the corpus {name!r} annotates no {' and no '.join(sorted(learnt))}, which is "
        f"what the pipeline learns, in any of its {len(examples):,} documents: take it "
        "out of the mixture, or add a component for what it annotates"
    )


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


def _move(example: Example, key: str) -> None:
    """Put entities into a span group; what else there is of entities is missing."""
    for doc in (example.reference, example.predicted):
        if doc.has_annotation("ENT_IOB"):
            doc.spans[key] = list(doc.ents)
            doc.set_ents([], default="missing")


def _labels_of(doc: Doc, kind: str) -> Iterator[str]:
    if kind == ENTITIES:
        yield from (ent.label_ for ent in doc.ents)
    else:
        yield from (relation.label for relation in get_relations(doc))


def _set_labels(found: Mapping[str, list[Example]]) -> None:
    """Say in each document which labels its corpus has, where others have more."""
    for kind in (ENTITIES, RELATIONS):
        labels = {
            name: {
                label for each in examples for label in _labels_of(each.reference, kind)
            }
            for name, examples in found.items()
        }
        every = set().union(*labels.values())
        for name, own in labels.items():
            if not own or own == every:
                continue
            for example in found[name]:
                set_annotated_labels(example.reference, kind, own)


def _warn_of_senses(found: Mapping[str, list[Example]]) -> None:
    """Say of a label that it seems to mean different things in two corpora."""
    texts = {name: _texts(examples) for name, examples in found.items()}
    names = list(found)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            for label, examples in _disputed(texts[one], texts[other]).items():
                text, second = examples[0]
                warnings.warn(
                    f"the label {label!r} seems to have two senses: of the entities "
                    f"that are {label} in {one!r} and annotated in {other!r}, too, "
                    f"{len(examples):,} have another label there ({text!r}: {second}); "
                    "give one of them another name in `labels` of the mixed corpus",
                    stacklevel=2,
                )


def _texts(examples: Iterable[Example]) -> dict[str, str]:
    """The most frequent label of every entity, by its text."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for ent in example.reference.ents:
            labels[ent.text][ent.label_] += 1
    return {text: found.most_common(1)[0][0] for text, found in labels.items()}


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
