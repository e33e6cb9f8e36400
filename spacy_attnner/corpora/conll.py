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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..relations import Relation, set_relations
from .reading import Labels, Repairs, Source, check_label, split_columns

DOCSTART = "-DOCSTART-"
NO_DOCUMENTS = "sentence outside any -DOCSTART- document: made a document of its own"
STRAY_TAG = "I- tag that follows no entity of its type: read as an entity of its own"
OF_STRAY = "relation of an entity read from such I- tags: kept"
ATTACHED = "relation argument inside an entity, not its last token: moved to the entity"
DROPPED = "relation argument in no entity: relation dropped"
MERGED = "relation that a moved argument made a self relation or a duplicate: dropped"

Sentence = list[tuple[str, str]]  # (word, tag) of each token


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
        prefix, label = _split_tag(tag, None)
        if prefix == "O":
            continue
        last = spans[-1] if spans else None
        if prefix == "I" and last and last.end == i and last.label == label:
            spans[-1] = last._replace(end=i + 1)
        else:
            spans.append(TaggedSpan(i, i + 1, label, prefix == "I"))
    return spans


def _split_tag(tag: str, labels: Labels) -> tuple[str, str]:
    """Split a tag into its prefix and its label, ("O", "") for no entity."""
    prefix, _, label = tag.partition("-")
    if tag != "O":
        if prefix not in ("B", "I") or not label:
            raise ValueError(f"tag {tag!r} is none of O, B-TYPE and I-TYPE; correct it")
        check_label(label, labels)
    return prefix, label


def _make_doc(
    vocab: Vocab, sentences: list[list[str]], spans: Iterable[TaggedSpan]
) -> Doc:
    """A document of words; every token is annotated as outside or in an entity."""
    starts: list[bool | int | None] = [
        i == 0 for sentence in sentences for i in range(len(sentence))
    ]
    # without `spaces` spaCy trains on these words instead of tokenizing anew
    words = [word for sentence in sentences for word in sentence]
    doc = Doc(vocab, words=words, sent_starts=starts)
    doc.set_ents([_make_span(doc, span) for span in spans], default="outside")
    return doc


def _make_span(doc: Doc, span: TaggedSpan) -> Span:
    return Span(doc, span.start, span.end, span.label)


def read_conll2003(
    path: str | Path,
    vocab: Vocab,
    *,
    sentences: bool = False,
    labels: Labels = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a CoNLL-2003 file, entities and sentence starts annotated.

    vocab: The vocabulary of the documents.
    sentences: Make one document of every sentence.
    labels: The entity labels allowed; None allows any.
    repairs: Counts the sentences that stand outside any document.

    Raises CorpusError if a line or the file is malformed.
    """
    source = Source(path, labels, repairs)
    found = _read_sentences(source)
    grouped = ([each] for each in found if each) if sentences else _group(found, source)
    return source.documents(_make_sentences_doc(vocab, each) for each in grouped)


def _read_sentences(source: Source) -> Iterator[Sentence]:
    """Each sentence, with `source` at its first line, and [] for `-DOCSTART-` lines."""
    sentence: Sentence = []
    first = 0
    for line in source.lines():
        columns = split_columns(line)
        starts_document = columns[:1] == [DOCSTART]
        if columns and not starts_document:
            first = first if sentence else source.line
            sentence.append(_parse_token(columns, source.labels))
            continue
        if sentence:
            source.line = first
            yield sentence
            sentence = []
        if starts_document:
            yield []
    if sentence:
        source.line = first
        yield sentence


def _parse_token(columns: list[str], labels: Labels) -> tuple[str, str]:
    if len(columns) != 4:
        raise ValueError(
            f"{len(columns)} columns in {' '.join(columns)!r}; "
            "write 4: word, part of speech, chunk, entity tag"
        )
    _split_tag(columns[3], labels)
    return columns[0], columns[3]


def _group(found: Iterable[Sentence], source: Source) -> Iterator[list[Sentence]]:
    document: list[Sentence] | None = None
    for sentence in found:
        if not sentence:
            if document:
                yield document
            document = []
        elif document is None:
            source.repaired(NO_DOCUMENTS, f"sentence {sentence[0][0]!r} …")
            yield [sentence]
        else:
            document.append(sentence)
    if document:
        yield document


def _make_sentences_doc(vocab: Vocab, sentences: list[Sentence]) -> Doc:
    spans: list[TaggedSpan] = []
    offset = 0
    for sentence in sentences:
        spans += decode_iob((tag for _, tag in sentence), offset)
        offset += len(sentence)
    return _make_doc(vocab, [[word for word, _ in each] for each in sentences], spans)


class Row(NamedTuple):
    """A token of CoNLL04: its line, text, tag and (label, tail index) of relations."""

    line: int
    word: str
    tag: str
    relations: list[tuple[str, int]]


def read_conll04(
    path: str | Path,
    vocab: Vocab,
    *,
    labels: Labels = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a CoNLL04 file, entities and relations annotated.

    vocab: The vocabulary of the documents.
    labels: The entity and relation labels allowed; None allows any.
    repairs: Counts the flaws that were repaired.

    Raises CorpusError if a line or the file is malformed.
    """
    source = Source(path, labels, repairs)
    return source.documents(
        _make_rows_doc(vocab, rows, source) for rows in _read_rows(source)
    )


def _read_rows(source: Source) -> Iterator[list[Row]]:
    rows: list[Row] | None = None
    for line in source.lines():
        if line.startswith("#doc"):
            if rows:
                yield rows
            rows = []
        elif line.strip():
            if rows is None:
                raise ValueError(f"{line!r} precedes the first `#doc` line; add one")
            rows.append(_parse_row(line, len(rows), source))
    if rows:
        yield rows


def _parse_row(line: str, index: int, source: Source) -> Row:
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
    _split_tag(tag, source.labels)
    relations = _parse_relations(names, tails)
    for name, _ in relations:
        check_label(name, source.labels)
    return Row(source.line, word, tag, relations)


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


def _make_rows_doc(vocab: Vocab, rows: list[Row], source: Source) -> Doc:
    spans = decode_iob(row.tag for row in rows)
    doc = _make_doc(vocab, [[row.word for row in rows]], spans)
    for span in spans:
        if span.begins_inside:
            source.line = rows[span.start].line
            detail = f"{rows[span.start].tag} on {doc[span.start : span.end].text!r}"
            source.repaired(STRAY_TAG, detail, span.end - span.start)
    set_relations(doc, _resolve(doc, rows, spans, source))
    return doc


Key = tuple[TaggedSpan, TaggedSpan, str]


def _resolve(
    doc: Doc, rows: list[Row], spans: list[TaggedSpan], source: Source
) -> list[Relation]:
    """Find the arguments of every relation, repairing and counting what is flawed."""
    entity_at = {i: span for span in spans for i in range(span.start, span.end)}
    found: dict[Key, bool] = {}  # whether an argument had to be moved
    for i, row in enumerate(rows):
        source.line = row.line
        for label, j in row.relations:
            detail = f"{label} from token {i} to token {j}"
            if not 0 <= j < len(rows):
                last = len(rows) - 1
                raise ValueError(f"{detail}: the document has the tokens 0 to {last}")
            head, tail = entity_at.get(i), entity_at.get(j)
            repair = DROPPED
            if head and tail:
                moved = head.end != i + 1 or tail.end != j + 1
                repair = _place(found, (head, tail, label), moved, detail)
            if repair:
                source.repaired(repair, detail)
    return [
        Relation(_make_span(doc, head), _make_span(doc, tail), label)
        for head, tail, label in found
    ]


def _place(found: dict[Key, bool], key: Key, moved: bool, detail: str) -> str | None:
    """Add one relation to `found` and return what was repaired about it."""
    head, tail, _ = key
    if head == tail or key in found:
        if moved or found.get(key):
            return MERGED
        what = "joins an entity to itself" if head == tail else "is given twice"
        raise ValueError(f"{detail} {what}; remove it")
    found[key] = moved
    if moved:
        return ATTACHED
    return OF_STRAY if head.begins_inside or tail.begins_inside else None
