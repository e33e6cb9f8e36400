"""DocRED's JSON: relations between entities that a document names several times.

    [{"title": "Ada", "sents": [["Ada", "left", "Oslo"], ["She", "slept"]],
      "vertexSet": [[{"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}, …]],
      "labels": [{"r": "P551", "h": 0, "t": 1, "evidence": [0]}]}]

`pos` counts tokens of a sentence, the end exclusive. A relation joins entities, not
their mentions: it is put on the two of their mentions that stand nearest to each other.
Without `labels`, as in the test part, relations are not annotated. Yao et al. 2019,
https://aclanthology.org/P19-1074, https://github.com/thunlp/DocRED
"""

from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any

from .alignment import nearest
from .complaints import Collector
from .json_values import check_type, read_sentences
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record, first_of_each


def read_docred(source: Source) -> Iterator[Record]:
    """Read DocRED's JSON, also Re-DocRED's and DWIE's in its form."""
    return source.objects(lambda value: _make_record(value, source.flaws))


def _make_record(value: dict[str, Any], flaws: Collector) -> Record:
    sentences = read_sentences(value.get("sents"), "sents")
    starts = [0, *accumulate(map(len, sentences))]
    mentions: list[Mention] = []
    entities: list[list[int]] = []
    for i, vertex in enumerate(check_type(value.get("vertexSet"), list, "vertexSet")):
        name, n_before = f"vertexSet[{i}]", len(mentions)
        mentions += flaws.each(
            vertex, name, lambda item, name: _mention(item, name, starts), FLAWED
        )
        entities.append([*range(n_before, len(mentions))])

    def read_relation(item: Any, name: str) -> Link:
        return _link(item, name, entities, mentions)

    links = None
    if "labels" in value:
        links = flaws.each(value["labels"], "labels", read_relation)
    return Record(
        words=list(chain.from_iterable(sentences)),
        sent_starts=first_of_each(sentences),
        entities=mentions,
        relations=links,
        id=value.get("title"),
    )


def _mention(item: Any, name: str, starts: list[int]) -> Mention:
    check_type(item, dict, name)
    sentence = check_type(item.get("sent_id"), int, f"{name} sent_id")
    pos = item.get("pos")
    if not isinstance(pos, list) or [type(at) for at in pos] != [int, int]:
        raise ValueError(f"{name} pos is {pos!r}; give the tokens [start, end]")
    if not 0 <= sentence < len(starts) - 1:
        raise ValueError(f"{name} sent_id is {sentence} of {len(starts) - 1} sentences")
    first = starts[sentence]
    if not 0 <= pos[0] < pos[1] <= starts[sentence + 1] - first:
        n = starts[sentence + 1] - first
        raise ValueError(
            f"{name} spans {pos[0]} to {pos[1]}: its sentence has {n} tokens"
        )
    label = check_type(item.get("type"), str, f"{name} type")
    return Mention(first + pos[0], first + pos[1], label, name)


def _link(
    item: Any, name: str, entities: list[list[int]], mentions: list[Mention]
) -> Link:
    check_type(item, dict, name)
    head, tail = (check_type(item.get(key), int, f"{name} {key}") for key in ("h", "t"))
    for each in (head, tail):
        if not 0 <= each < len(entities) or not entities[each]:
            raise ValueError(
                f"{name} joins entity {each}; vertexSet has {len(entities)}"
            )
    near = nearest(entities[head], entities[tail], start=lambda i: mentions[i].start)
    if not near:
        raise ValueError(f"{name} joins entity {head} to itself; remove it")
    return Link(*near, check_type(item.get("r"), str, f"{name} r"), name)


def claims_docred(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return {"sents", "vertexSet"} <= set(value)


DOCRED = Format("docred", read_docred, claims=claims_docred)
