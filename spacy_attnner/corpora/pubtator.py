"""PubTator's, as of BC5CDR and the NCBI disease corpus: titles, abstracts, concepts.

    227508|t|Aspirin and ulcers.
    227508|a|Aspirin led to ulcers.
    227508<TAB>0<TAB>7<TAB>Aspirin<TAB>Chemical<TAB>D001241
    227508<TAB>CID<TAB>D001241<TAB>D014456

A title begins a document. Offsets count the title, one space and the abstract. What has
offsets is a mention, of one concept or several (`D1|D2`, with their texts in a seventh
column). PubTator3's relations have types before concepts, `Chemical|D001241`, BioRED's
a fifth column, which are passed over. A relation joins
concepts: it is put on the two of their mentions that stand nearest to each other; one
of a concept that is marked nowhere is left out and counted. A document without a
relation counts as one that has none if another of the file has some.

https://www.ncbi.nlm.nih.gov/research/bionlp/APIs/format/
"""

import re
from collections.abc import Iterator

from .alignment import nearest
from .reading import Numbered, Source
from .recognition import Format, first_line
from .record import FLAWED, Link, Mention, Record

PASSAGE = re.compile(r"([^|\t]+)\|([ta])\|(.*)")
UNMARKED = "relation of a concept that is marked nowhere: left out"
OFFSET = re.compile(r"-?\d+")
N_COLUMNS, N_OF_RELATION = (5, 6, 7), (4, 5)


def read_pubtator(source: Source) -> Iterator[Record]:
    """Read PubTator's documents."""

    def parse(block: list[Numbered]) -> Iterator[Record]:
        lines = [(at, line) for at, line in block if line.strip()]
        if lines:
            yield _make_record(lines, source)

    return source.records(source.blocks(_begins), parse)


def _begins(line: str) -> bool:
    found = PASSAGE.fullmatch(line)
    return found is not None and found[2] == "t"


def _is_relation(row: list[str]) -> bool:
    return len(row) in N_OF_RELATION and not OFFSET.fullmatch(row[1])


def _make_record(lines: list[Numbered], source: Source) -> Record:
    passages: dict[str, str] = {}
    rows: list[tuple[int, list[str]]] = []
    name = lines[0][1].partition("|")[0]
    for source.line, line in lines:
        found = PASSAGE.fullmatch(line)
        row = line.split("\t")
        with source.flaws.of(source.line):
            if found and (rows or found[2] in passages):
                raise ValueError(
                    f"{line[:40]!r} follows the text of {name}; write one title and "
                    "one abstract, before the mentions"
                )
            if found:
                passages[found[2]] = found[3]
                continue
            if row[0] != name or len(row) not in {*N_COLUMNS, *N_OF_RELATION}:
                raise ValueError(
                    f"{line[:40]!r} is neither `{name}|a|…` nor a line of {name} with "
                    "4 to 7 columns, separated by tabs"
                )
            rows.append((source.line, row))
    if "t" not in passages:
        raise ValueError(f"{lines[0][1][:40]!r} precedes a title; write `ID|t|…` first")
    text = " ".join(passages[key] for key in ("t", "a") if key in passages)
    marked = [(at, row) for at, row in rows if not _is_relation(row)]
    mentions = [_mention(row, at, source) for at, row in marked]
    concepts = [row[5] if len(row) > 5 else "" for _, row in marked]
    links = [
        link
        for at, row in rows
        if _is_relation(row) and (link := _link(row, at, mentions, concepts, source))
    ]
    return Record(text, entities=mentions, relations=links, id=name)


def _mention(row: list[str], line: int, source: Source) -> Mention:
    with source.flaws.of(line):
        if len(row) not in N_COLUMNS or not all(map(OFFSET.fullmatch, row[1:3])):
            raise ValueError(
                f"{row} is no mention; write 5 to 7 columns: ID, start, end, text, "
                "type, concept"
            )
        start, end = int(row[1]), int(row[2])
        return Mention(start, end, row[4], f"{row[3]!r}", row[3], line)
    return FLAWED


def _link(
    row: list[str],
    line: int,
    mentions: list[Mention],
    concepts: list[str],
    source: Source,
) -> Link | None:
    """The two nearest mentions of two concepts; of `D1|D2` either counts."""
    _, label, *ends = row[:4]
    head, tail = (
        [
            i
            for i, names in enumerate(concepts)
            if end.rpartition("|")[2] in re.split(r"[|;,+]", names)
        ]
        for end in ends
    )
    near = nearest(head, tail, start=lambda i: mentions[i].start)
    if not near:
        source.line = line
        source.repaired(UNMARKED, f"{label} from {ends[0]} to {ends[1]}")
        return None
    return Link(*near, label, f"{label} {ends}", line)


PUBTATOR = Format("pubtator", read_pubtator, first_line(r"[^|\t]+\|t\|"), joined=True)
