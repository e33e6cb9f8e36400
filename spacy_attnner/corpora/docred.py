"""DocRED's JSON: relations between entities that a document names several times.

    [{"title": "Ada", "sents": [["Ada", "left", "Oslo"], ["She", "slept"]],
      "vertexSet": [[{"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}, …]],
      "labels": [{"r": "P551", "h": 0, "t": 1, "evidence": [0]}]}]

`pos` counts tokens of a sentence, the end exclusive. A relation joins entities, not
their mentions: it is put on the two of their mentions that stand nearest to each other.
Hugging Face's copy has columns, whose names of relations are taken:

    "labels": {"head": [0], "tail": [1], "relation_id": ["P551"],
               "relation_text": ["residence"], "evidence": [[0]]}

Without `labels`, as in the test part, relations are not annotated. Yao et al. 2019,
https://aclanthology.org/P19-1074, https://github.com/thunlp/DocRED
"""

from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any

from .alignment import nearest
from .json_values import check_type, read_sentences
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record, first_of_each

READ = ("title", "sents", "vertexSet", "labels")
OTHER_NAME = "entity whose tokens are not its name: read by its place"


def read_docred(source: Source) -> Iterator[Record]:
    """Read DocRED's JSON, also Re-DocRED's and DWIE's in its form."""
    return source.objects(lambda value: _make_record(value, source))


def _make_record(value: dict[str, Any], source: Source) -> Record:
    flaws = source.flaws
    source.count_unread(value, READ)
    sentences = read_sentences(value.get("sents"), "sents")
    words = list(chain.from_iterable(sentences))
    starts = [0, *accumulate(map(len, sentences))]
    mentions: list[Mention] = []
    entities: list[list[int]] = []

    def read_mention(item: Any, name: str) -> Mention:
        mention = _mention(item, name, starts)
        found = " ".join(words[mention.start : mention.end])
        given = item.get("name")
        if isinstance(given, str) and _packed(given) != _packed(found):
            source.repaired(OTHER_NAME, f"{name} {found!r}, its name {given!r}")
        return mention

    for i, vertex in enumerate(check_type(value.get("vertexSet"), list, "vertexSet")):
        name, n_before = f"vertexSet[{i}]", len(mentions)
        mentions += flaws.each(vertex, name, read_mention, FLAWED)
        entities.append([*range(n_before, len(mentions))])

    def read_relation(item: Any, name: str) -> Link:
        return _link(item, name, entities, mentions)

    links = None
    if "labels" in value:
        labels = value["labels"]
        rows = _rows(labels) if isinstance(labels, dict) else labels
        links = flaws.each(rows, "labels", read_relation)
    return Record(
        words=words,
        sent_starts=first_of_each(sentences),
        entities=mentions,
        relations=links,
        id=value.get("title"),
    )


def _packed(text: str) -> str:
    return "".join(text.split())


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


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The relations of columns, as the lists of others."""
    lists = [
        check_type(columns.get(key), list, f"labels {key}")
        for key in ("head", "tail", "relation_text")
    ]
    if len(set(map(len, lists))) > 1:
        raise ValueError("labels has columns of different lengths; mend them")
    return [{"h": h, "t": t, "r": r} for h, t, r in zip(*lists, strict=True)]


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
    if head == tail or not near:
        raise ValueError(f"{name} joins entity {head} to itself; remove it")
    return Link(*near, check_type(item.get("r"), str, f"{name} r"), name)


def claims_docred(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return "vertexSet" in value


DOCRED = Format("docred", read_docred, claims=claims_docred)
