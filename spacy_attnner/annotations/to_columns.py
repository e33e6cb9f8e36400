"""Columns: a token a line with its tag, a blank line after each sentence.

    -DOCSTART- -X- O O              # newdoc id = a7

    Ada -X- O B-PER                 Ada<TAB>B-PER
    left -X- O O                    left<TAB>O

Left as CoNLL-2003's, right with as few columns as there can be. Tags are BIO, or what
--scheme says. Chunks are O, as INCEpTION reads `-X-` as one of the type X.
"""

import re
from collections.abc import Callable

from ..corpora.columns import SETTING
from ..corpora.conll import DOCSTART
from ..corpora.record import Record
from .doc_records import Note
from .layouts import Layout, Sheet, in_tokens, one_word, sentence_cuts

# what stands before the labels of the first token of several, of one between, of the
# last, and of an only token
PREFIXES = {"bio": "BIIB", "bioes": "BIES", "biluo": "BILU"}
OUTSIDE = "O"
SPACE = "token of whitespace: left out"
INSIDE = "token with whitespace in it: written with _"
COMMENT = "token that would begin a document or a comment: written after _"
CUT = "entity across sentences: cut at their ends"
EMPTY = "document without tokens: left out"
NO_ENTITIES = "document without annotation of entities: written as without any"
LONG_ID = "id with whitespace: left out"


def lay_out_conll2003(record: Record, sheet: Sheet) -> str:
    begin = f"{DOCSTART} -X- {OUTSIDE} {OUTSIDE}\n\n"
    return _document(record, sheet, begin, lambda word: f"{word} -X- {OUTSIDE} ")


def lay_out_columns(record: Record, sheet: Sheet) -> str:
    begin, name = "# newdoc", record.id
    if name is not None and len(str(name).split()) == 1:
        begin += f" id = {name}"
    elif name is not None:
        sheet.note(LONG_ID, repr(name), 1)
    return _document(record, sheet, f"{begin}\n", lambda word: f"{word}\t")


def _document(
    record: Record, sheet: Sheet, begin: str, start: Callable[[str], str]
) -> str:
    """start: What a line begins with, of its word."""
    note = sheet.note
    tokens = record.words or ()
    if not "".join(tokens).strip():
        note(EMPTY, repr(record.id), 1)
        return ""
    if record.entities is None:
        note(NO_ENTITIES, repr((record.text or "")[:40]), 1)
    tags = _tags(record, sheet)
    lines = [begin]
    for first, stop in sentence_cuts(record):
        words = [
            f"{start(_written(word, note))}{tags[i]}\n"
            for i, word in enumerate(tokens[first:stop], first)
            if not word.isspace()
        ]
        n_left = stop - first - len(words)
        if n_left:
            note(SPACE, repr((record.text or "")[:40]), n_left)
        lines += [*words, "\n"] if words else []
    return "".join(lines)


def _tags(record: Record, sheet: Sheet) -> list[str]:
    """The tag of each token; those of whitespace belong to no entity."""
    words = record.words or ()
    tags = [OUTSIDE] * len(words)
    sentence = {i: n for n, s in enumerate(sentence_cuts(record)) for i in range(*s)}
    begins, inside, ends, single = PREFIXES[sheet.scheme]
    for mention, (first, stop) in zip(
        record.entities or (), in_tokens(record), strict=True
    ):
        label = one_word(mention.label, sheet.note)
        places = [i for i in range(first, stop) if not words[i].isspace()]
        if sentence[places[0]] != sentence[places[-1]]:
            sheet.note(CUT, repr(mention.text), 1)
        for number in sorted({sentence[i] for i in places}):
            here = [i for i in places if sentence[i] == number]
            marks = begins + inside * (len(here) - 2) + ends
            for i, mark in zip(here, marks if len(here) > 1 else single, strict=True):
                tags[i] = f"{mark}-{label}"
    return tags


def _written(word: str, note: Note) -> str:
    name = re.sub(r"[ \t\r\n]", "_", word)
    if name != word:
        note(INSIDE, repr(word), 1)
    if name == DOCSTART or (name[:1] == "#" and SETTING.match(name)):
        note(COMMENT, repr(word), 1)
        return f"_{name}"
    return name


CONLL2003_LAYOUT = Layout("conll2003", ("sentences", "tokens"), lay_out_conll2003)
COLUMNS_LAYOUT = Layout("columns", ("id", "sentences", "tokens"), lay_out_columns)
