"""Labels that seem to mean different things in two corpora that are mixed.

Of a category nothing tells: two corpora hardly share a document.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

SENSES = 0.5  # share of texts from which on a label seems to have two senses
FEWEST = 10  # texts, or relations, that say so

Texts = Mapping[str, str]
Joined = Mapping[str, Counter[tuple[str, str]]]


def entity_senses(texts: Mapping[str, Texts]) -> Iterator[str]:
    """Say of an entity label that the same texts are something else in another corpus.

    texts: Of each corpus, the label of every entity.
    """
    for one, other in combinations(texts, 2):
        for label, examples in _disputed(texts[one], texts[other]).items():
            text, second = examples[0]
            yield (
                f"the label {label!r} seems to have two senses: of the entities "
                f"that are {label} in {one!r} and annotated in {other!r}, too, "
                f"{len(examples):,} have another label there ({text!r}: {second}); "
                "give one of them another name in `labels` of the mixed corpus"
            )


def relation_senses(joined: Mapping[str, Joined]) -> Iterator[str]:
    """Say of a relation label that it never joins the same types in two corpora.

    joined: Of each corpus and label, how often which types of head and tail are joined.
    """
    for one, other in combinations(joined, 2):
        for label in sorted(joined[one].keys() & joined[other].keys()):
            first, second = joined[one][label], joined[other][label]
            few = min(first.total(), second.total()) < FEWEST
            if few or first.keys() & second.keys():
                continue
            yield (
                f"the relation label {label!r} seems to have two senses: it joins "
                f"{_types(first)} in {one!r}, {_types(second)} in {other!r}, and never "
                "the same types; in `labels` of the mixed corpus, give types that mean "
                "the same one name, or one of the relations another"
            )


def _disputed(one: Texts, other: Texts) -> dict[str, list[tuple[str, str]]]:
    """Labels of both whose texts mostly have another label in the second."""
    both = [text for text in one if text in other]
    found = {}
    for label in sorted(set(one.values()) & set(other.values())):
        own = [text for text in both if one[text] == label]
        wrong = [(text, other[text]) for text in own if other[text] != label]
        if len(wrong) >= FEWEST and len(wrong) > SENSES * len(own):
            found[label] = wrong
    return found


def _types(joined: Counter[tuple[str, str]]) -> str:
    (types, _), *others = joined.most_common()
    return " → ".join(types) + (f" and {len(others)} more pairs" if others else "")
