"""CoNLL-2003 and CoNLL04: one token a line, its entity as an IOB tag.

CoNLL-2003 has named entities, in four columns:

    -DOCSTART- -X- O O

    Ada NNP I-NP I-PER
    slept VBD I-VP O

The last column holds the entity tag, IOB1 or IOB2. A blank line ends a sentence and a
`-DOCSTART-` line begins a document. Before the first of those, or in a file that has
none, every sentence is a document of its own.

CoNLL04 has entities and the relations between them:

    #doc 1
    0<TAB>Ada<TAB>B-Peop<TAB>['Live_In']<TAB>[3]
    …

The columns are index, token, IOB2 tag, relation names and tails. A relation stands on
the last token of its head and names the index of the last token of its tail; `['N']`
means none. Three kinds of flaw are known, repaired and counted (see `Repairs`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import count, groupby
from typing import NamedTuple, TypeVar

from .documents import LINK_TWICE
from .reading import Numbered, Source, split_columns
from .recognition import Format, Glimpse, first_line
from .record import Link, Mention, Record, first_of_each

T = TypeVar("T")
DOCSTART = "-DOCSTART-"
NO_DOCUMENTS = "sentence outside any -DOCSTART- document: made a document of its own"
STRAY_TAG = "I- tag that follows no entity of its type: read as an entity of its own"
OF_STRAY = "relation of an entity read from such I- tags: kept"
ATTACHED = "relation argument inside an entity, not its last token: moved to the entity"
DROPPED = "relation argument in no entity: relation dropped"
MERGED = "relation that a moved argument made a self relation or a duplicate: dropped"

Token = tuple[int, str, str]  # line, word, tag


class TaggedSpan(NamedTuple):
    """An entity read from tags.

    start, end: Its tokens, the end exclusive.
    label: Its type.
    begins_inside: Whether its first tag is an `I-`: plain IOB1, a flaw in IOB2.
    """

    start: int
    end: int
    label: str
    begins_inside: bool


def decode_iob(tags: Iterable[str], offset: int = 0) -> list[TaggedSpan]:
    """Read the entities of one sentence, tagged as in IOB1 or IOB2.

    `B-` always begins an entity; `I-` continues one of its type and otherwise begins
    one (Ramshaw & Marcus 1995).

    offset: The place of the first tag.

    Raises ValueError if a tag is malformed.
    """
    spans: list[TaggedSpan] = []
    for i, tag in enumerate(tags, offset):
        prefix, label = _split_tag(tag)
        if prefix == "O":
            continue
        last = spans[-1] if spans else None
        if prefix == "I" and last and last.end == i and last.label == label:
            spans[-1] = last._replace(end=i + 1)
        else:
            spans.append(TaggedSpan(i, i + 1, label, prefix == "I"))
    return spans


def _split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into its prefix and its label, ("O", "") for no entity."""
    prefix, _, label = tag.partition("-")
    if tag != "O" and (prefix not in ("B", "I") or not label):
        raise ValueError(f"tag {tag!r} is none of O, B-TYPE and I-TYPE; correct it")
    return prefix, label


def read_conll2003(source: Source) -> Iterator[Record]:
    """Read a CoNLL-2003 file, entities and sentence starts annotated."""

    def parse(block: list[Numbered]) -> Iterator[Record]:
        inside = _starts_document(block[0][1])
        sentences = _read_sentences(source, block[1:] if inside else block)
        if not inside and sentences:
            source.line, word, _ = sentences[0][0]
            source.repaired(NO_DOCUMENTS, f"sentence {word!r} …")
        if sentences:
            yield make_tagged_record(sentences)

    return source.records(document_blocks(source, _starts_document), parse)


def _starts_document(line: str) -> bool:
    return split_columns(line)[:1] == [DOCSTART]


def document_blocks(
    source: Source, starts: Callable[[str], bool]
) -> Iterator[list[Numbered]]:
    """The lines of each document, and before the first of each sentence.

    starts: Whether a line begins a document.
    """
    inside = False
    block: list[Numbered] = []
    for line in source.lines():
        at, begins = source.line, starts(line)
        if block and (begins or not (inside or line.strip())):
            yield source.stand(block)
            block = []
        inside = inside or begins
        if block or line.strip():
            block.append((at, line))
    if block:
        yield source.stand(block)


def _read_sentences(source: Source, block: list[Numbered]) -> list[list[Token]]:
    def parse(line: str) -> Token | None:
        columns = split_columns(line)
        return (source.line, *_parse_token(columns)) if columns else None

    return split_blank(source.parse_lines(block, parse))


def split_blank(tokens: Iterable[T | None]) -> list[list[T]]:
    """The sentences of tokens, which are apart by None."""
    groups = groupby(tokens, lambda token: token is None)
    return [[t for t in group if t is not None] for blank, group in groups if not blank]


def _parse_token(columns: list[str]) -> tuple[str, str]:
    if len(columns) != 4:
        raise ValueError(
            f"{len(columns)} columns in {' '.join(columns)!r}; "
            "write 4: word, part of speech, chunk, entity tag"
        )
    _split_tag(columns[3])
    return columns[0], columns[3]


def make_tagged_record(sentences: list[list[Token]]) -> Record:
    """A record of words with tags; every token is outside or in an entity."""
    tokens: list[Token] = []
    spans: list[TaggedSpan] = []
    for sentence in sentences:
        spans += decode_iob((tag for _, _, tag in sentence), len(tokens))
        tokens += sentence
    return Record(
        words=[word for _, word, _ in tokens],
        sent_starts=first_of_each(sentences),
        entities=[
            Mention(span.start, span.end, span.label, line=tokens[span.start][0])
            for span in spans
        ],
    )


class Row(NamedTuple):
    """A token of CoNLL04: its line, text, tag and (label, tail index) of relations."""

    line: int
    word: str
    tag: str
    relations: list[tuple[str, int]]


def read_conll04(source: Source) -> Iterator[Record]:
    """Read a CoNLL04 file, entities and relations annotated."""

    def parse(block: list[Numbered]) -> Iterator[Record]:
        rows = _read_rows(source, block)
        if rows:
            yield _make_rows_record(rows, source)

    return source.records(source.blocks(_starts_rows), parse)


def _starts_rows(line: str) -> bool:
    return line.startswith("#doc")


def _read_rows(source: Source, block: list[Numbered]) -> list[Row]:
    lines = [(at, line) for at, line in block if line.strip()]
    if lines and not _starts_rows(lines[0][1]):
        source.line, line = lines[0]
        raise ValueError(f"{line!r} precedes the first `#doc` line; add one")
    numbers = count()
    return source.parse_lines(
        lines[1:], lambda line: _parse_row(line, next(numbers), source.line)
    )


def _parse_row(line: str, index: int, at: int) -> Row:
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
    _split_tag(tag)
    return Row(at, word, tag, _parse_relations(names, tails))


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


def _make_rows_record(rows: list[Row], source: Source) -> Record:
    spans = decode_iob(row.tag for row in rows)
    for span in spans:
        if span.begins_inside:
            source.line = rows[span.start].line
            words = " ".join(row.word for row in rows[span.start : span.end])
            detail = f"{rows[span.start].tag} on {words!r}"
            source.repaired(STRAY_TAG, detail, span.end - span.start)
    mentions = [
        Mention(span.start, span.end, span.label, line=rows[span.start].line)
        for span in spans
    ]
    return Record(
        words=[row.word for row in rows],
        sent_starts=first_of_each([rows]),
        entities=mentions,
        relations=_resolve(rows, spans, source),
    )


Key = tuple[TaggedSpan, TaggedSpan, str]


def _resolve(rows: list[Row], spans: list[TaggedSpan], source: Source) -> list[Link]:
    """Find the arguments of every relation, repairing and counting what is flawed."""
    entity_at = {i: span for span in spans for i in range(span.start, span.end)}
    found: dict[Key, bool] = {}  # whether an argument had to be moved
    lines: dict[Key, int] = {}
    for i, row in enumerate(rows):
        source.line = row.line
        for label, j in row.relations:
            with source.flaws.of(row.line):
                detail = f"{label} from token {i} to token {j}"
                if not 0 <= j < len(rows):
                    last = len(rows) - 1
                    raise ValueError(
                        f"{detail}: the document has the tokens 0 to {last}"
                    )
                head, tail = entity_at.get(i), entity_at.get(j)
                repair = DROPPED
                if head and tail:
                    key = head, tail, label
                    moved = head.end != i + 1 or tail.end != j + 1
                    repair = _place(found, key, moved, detail)
                    lines.setdefault(key, row.line)
                if repair:
                    source.repaired(repair, detail)
    return [
        Link(spans.index(head), spans.index(tail), label, line=lines[head, tail, label])
        for head, tail, label in found
    ]


def _place(found: dict[Key, bool], key: Key, moved: bool, detail: str) -> str | None:
    """Add one relation to `found` and return what was repaired about it."""
    head, tail, _ = key
    if head == tail or key in found:
        if moved or found.get(key):
            return MERGED
        if head != tail:
            return LINK_TWICE
        raise ValueError(f"{detail} joins an entity to itself; remove it")
    found[key] = moved
    if moved:
        return ATTACHED
    return OF_STRAY if head.begins_inside or tail.begins_inside else None


FOUR = re.compile(r"[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+(O|[BI]-[^ \t]+)$")


def fits_conll2003(glimpse: Glimpse) -> bool:
    """Whether most lines, the first one, too, have four columns, the last IOB tags.

    A first column of numbers is not CoNLL-2003's, but GermEval's.
    """
    lines = [line for line in glimpse.lines if not _starts_document(line)]
    if lines and all(split_columns(line)[0].isdigit() for line in lines):
        return False
    fitting = sum(bool(FOUR.match(line)) for line in lines)
    others = len(lines) - fitting
    return bool(not lines or FOUR.match(lines[0])) and others * 10 <= len(lines)


CONLL2003 = Format("conll2003", read_conll2003, fits_conll2003)
CONLL04 = Format("conll04", read_conll04, first_line("#doc"))
