"""CoNLL04: entities and the relations between them, one token a line.

    #doc 1
    0<TAB>Ada<TAB>B-Peop<TAB>['Live_In']<TAB>[3]
    …

The columns are index, token, IOB2 tag, relation names and tails. A relation stands on
the last token of its head and names the index of the last token of its tail; `['N']`
means none. Three kinds of flaw are known, repaired and counted (see `Repairs`).
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..relations import Relation, set_relations
from .errors import CorpusError, Repairs, check_label, require_documents
from .lines import read_lines
from .tags import TaggedSpan, decode_iob, set_tagged_entities, split_tag

STRAY_TAG = "I- tag that follows no entity of its type: read as an entity of its own"
OF_STRAY = "relation of an entity read from such I- tags: kept"
ATTACHED = "relation argument inside an entity, not its last token: moved to the entity"
DROPPED = "relation argument in no entity: relation dropped"
MERGED = "relation that a moved argument made a self relation or a duplicate: dropped"


class Row(NamedTuple):
    """One token: its line, text, tag and the (label, tail index) of its relations."""

    line: int
    word: str
    tag: str
    relations: list[tuple[str, int]]


def read_conll04(
    path: str | Path,
    vocab: Vocab,
    *,
    labels: Collection[str] | None = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a CoNLL04 file, entities and relations annotated.

    vocab: The vocabulary of the documents.
    labels: The entity and relation labels allowed; None allows any.
    repairs: Counts the flaws that were repaired.

    Raises CorpusError if a line or the file is malformed.
    """
    repairs = Repairs() if repairs is None else repairs
    documents = _read_documents(path, labels)
    docs = (_make_doc(vocab, rows, path, repairs) for rows in documents)
    return require_documents(path, docs)


def _read_documents(
    path: str | Path, labels: Collection[str] | None
) -> Iterator[list[Row]]:
    rows: list[Row] | None = None
    for number, line in read_lines(path):
        if line.startswith("#doc"):
            if rows:
                yield rows
            rows = []
        elif line.strip():
            if rows is None:
                raise CorpusError(
                    path, number, f"{line!r} precedes the first `#doc` line; add one"
                )
            try:
                rows.append(_parse_row(line, number, len(rows), labels))
            except ValueError as error:
                raise CorpusError(path, number, str(error)) from error
    if rows:
        yield rows


def _parse_row(
    line: str, number: int, index: int, labels: Collection[str] | None
) -> Row:
    columns = line.split("\t")
    if len(columns) != 5:
        raise ValueError(
            f"{len(columns)} columns in {line!r}; "
            "write 5, tab-separated: index, token, tag, relations, tails"
        )
    position, word, tag, names, tails = columns
    if position != str(index):
        raise ValueError(f"index {position!r} where {index} follows; number the tokens")
    if not word:
        raise ValueError(f"no token in {line!r}; fill the second column")
    prefix, label = split_tag(tag)
    if prefix != "O":
        check_label(label, labels)
    relations = _parse_relations(names, tails)
    for name, _ in relations:
        check_label(name, labels)
    return Row(number, word, tag, relations)


def _parse_relations(names: str, tails: str) -> list[tuple[str, int]]:
    way_out = "write two lists of one length, like ['Kill'] and [7], or ['N'] for none"
    try:
        labels = json.loads(names.replace("'", '"'))
        indices = json.loads(tails)
    except ValueError as error:
        raise ValueError(
            f"relations {names} {tails} are no lists; {way_out}"
        ) from error
    if labels == ["N"]:
        return []
    if (
        not isinstance(labels, list)
        or not isinstance(indices, list)
        or len(labels) != len(indices)
        or not all(
            isinstance(label, str) and label not in ("", "N") for label in labels
        )
        or not all(type(index) is int for index in indices)
    ):
        raise ValueError(f"relations {names} {tails} do not match; {way_out}")
    return list(zip(labels, indices, strict=True))


def _make_doc(vocab: Vocab, rows: list[Row], path: str | Path, repairs: Repairs) -> Doc:
    starts: list[bool | int | None] = [i == 0 for i in range(len(rows))]
    doc = Doc(vocab, words=[row.word for row in rows], sent_starts=starts)
    spans = decode_iob(row.tag for row in rows)
    for span in spans:
        if span.begins_inside:
            row = rows[span.start]
            text = doc[span.start : span.end].text
            detail = f"{row.tag} on {text!r}"
            repairs.record(STRAY_TAG, path, row.line, detail, span.end - span.start)
    set_tagged_entities(doc, spans)
    set_relations(doc, _resolve(doc, rows, spans, path, repairs))
    return doc


Key = tuple[TaggedSpan, TaggedSpan, str]


def _resolve(
    doc: Doc,
    rows: list[Row],
    spans: list[TaggedSpan],
    path: str | Path,
    repairs: Repairs,
) -> list[Relation]:
    """Find the arguments of every relation, repairing and counting what is flawed."""
    entity_at = {i: span for span in spans for i in range(span.start, span.end)}
    found: dict[Key, bool] = {}  # whether an argument had to be moved
    for i, row in enumerate(rows):
        for label, j in row.relations:
            detail = f"{label} from token {i} to token {j}"
            if not 0 <= j < len(rows):
                message = f"{detail}: the document has the tokens 0 to {len(rows) - 1}"
                raise CorpusError(path, row.line, message)
            try:
                repair = _place(entity_at, found, i, j, label)
            except ValueError as error:
                raise CorpusError(path, row.line, f"{detail} {error}") from error
            if repair:
                repairs.record(repair, path, row.line, detail)
    return [
        Relation(
            Span(doc, head.start, head.end, head.label),
            Span(doc, tail.start, tail.end, tail.label),
            label,
        )
        for head, tail, label in found
    ]


def _place(
    entity_at: dict[int, TaggedSpan],
    found: dict[Key, bool],
    i: int,
    j: int,
    label: str,
) -> str | None:
    """Add one relation to `found` and return what was repaired about it."""
    head, tail = entity_at.get(i), entity_at.get(j)
    if head is None or tail is None:
        return DROPPED
    key = (head, tail, label)
    moved = head.end != i + 1 or tail.end != j + 1
    if head == tail or key in found:
        if moved or found.get(key):
            return MERGED
        what = "joins an entity to itself" if head == tail else "is given twice"
        raise ValueError(f"{what}; remove it")
    found[key] = moved
    if moved:
        return ATTACHED
    return OF_STRAY if head.begins_inside or tail.begins_inside else None
