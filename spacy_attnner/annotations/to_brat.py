"""BRAT's folders: `NAME.txt`, `NAME.ann`, and `annotation.conf` with the types.

`corpora/brat.py` says what stands in them. Confidences are notes of annotators, which
BRAT shows beside an annotation:

    #1<TAB>AnnotatorNotes T1<TAB>confidence 0.98

https://brat.nlplab.org/standoff.html, https://brat.nlplab.org/configuration.html
"""

import re
from collections.abc import Collection, Iterator

from ..corpora.brat import brat_order
from ..corpora.record import Mention, Record
from .doc_records import Note
from .layouts import DIGITS, KINDS, Layout, Sheet, one_word

LINE = re.compile(r"[^\r\n]+")
# what the reader keeps of other lines, under these keys of meta
KEPT = {
    "attributes": re.compile(r"([AM]\d+\S*) (\S+ (\S+)(?: .*)?)()"),
    "normalizations": re.compile(r"(N\d+\S*) (\S+ (\S+) \S+) ?(.*)"),
    "notes": re.compile(r"(#\S*) (\S+ (\S+)) ?(.*)"),
}
NOTE = re.compile(r"#(\d+)")
EDGE = "line break at the edge of an entity: left out"
BOM = "\ufeff"


def lay_out_brat(record: Record, sheet: Sheet) -> dict[str, str]:
    """The text, and its annotations if it has some."""
    text = record.text or ""
    # the reader takes one mark away
    files = {".txt": BOM + text if text.startswith(BOM) else text}
    if record.entities is not None:
        files[".ann"] = "".join(f"{line}\n" for line in _lines(record, sheet))
    elif record.meta:
        sheet.note(KINDS["meta"], repr(text[:40]), 1)
    return files


def _lines(record: Record, sheet: Sheet) -> Iterator[str]:
    mentions = record.entities or ()
    order = sorted(range(len(mentions)), key=lambda i: brat_order(mentions[i]))
    names = {i: f"T{number}" for number, i in enumerate(order, 1)}
    scores: list[tuple[str, float | None]] = []
    for i in order:
        yield f"{names[i]}\t{_entity(mentions[i], record.text or '', sheet.note)}"
        scores.append((names[i], mentions[i].score))
    for number, link in enumerate(record.relations or (), 1):
        label = one_word(link.label, sheet.note)
        yield f"R{number}\t{label} Arg1:{names[link.head]} Arg2:{names[link.tail]}"
        scores.append((f"R{number}", link.score))
    others = list(_others(record, {name for name, _ in scores}, sheet.note))
    yield from others
    number = max((int(m[1]) for line in others if (m := NOTE.match(line))), default=0)
    for name, score in scores:
        if score is not None:
            number += 1
            yield f"#{number}\tAnnotatorNotes {name}\tconfidence {score:.{DIGITS}g}"


def _entity(mention: Mention, text: str, note: Note) -> str:
    """A line break ends a piece of an entity, and another one begins behind it."""
    covered = text[mention.start : mention.end]
    pieces = [each for each in LINE.finditer(covered) if each[0].strip()]
    if pieces[0].start() or pieces[-1].end() < len(covered):
        note(EDGE, repr(covered), 1)
    places = ";".join(
        f"{mention.start + each.start()} {mention.start + each.end()}"
        for each in pieces
    )
    words = " ".join(each[0] for each in pieces)
    return f"{one_word(mention.label, note)} {places}\t{words}"


def _others(record: Record, names: Collection[str], note: Note) -> Iterator[str]:
    """Attributes, normalizations and notes, as the reader keeps them in meta."""
    for key, value in record.meta.items():
        lines = value if isinstance(value, list) and key in KEPT else [value]
        for line in lines:
            found = key in KEPT and isinstance(line, str) and KEPT[key].fullmatch(line)
            if not found or found[3] not in names:
                note(KINDS["meta"], f"{key}: {line!r}"[:60], 1)
                continue
            last = f"\t{found[4]}" if found[4] or key == "notes" else ""
            yield f"{found[1]}\t{found[2]}{last}"


def brat_configuration(
    entities: Collection[str], relations: Collection[tuple[str, str, str]]
) -> dict[str, str]:
    """The types that BRAT is to know."""

    def name(label: str) -> str:
        return one_word(label, lambda kind, detail, n: None)

    types = "".join(f"{each}\n" for each in sorted(set(map(name, entities))))
    joined = sorted({tuple(map(name, each)) for each in relations})
    pairs = "".join(f"{r}\tArg1:{head}, Arg2:{tail}\n" for r, head, tail in joined)
    content = f"[entities]\n{types}[relations]\n{pairs}[events]\n[attributes]\n"
    return {"annotation.conf": content}


BRAT_LAYOUT = Layout(
    "brat",
    ("overlaps", "relations", "id", "meta", "scores", "text"),
    lay_out_brat,
    folder=("*.txt", "*.ann", "annotation.conf"),
    finish=brat_configuration,
)
