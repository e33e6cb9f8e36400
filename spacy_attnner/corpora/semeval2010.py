"""SemEval-2010 Task 8: two marked nominals a sentence and the relation between them.

    8001<TAB>"The <e1>flood</e1> was caused by heavy <e2>rain</e2>."
    Cause-Effect(e2,e1)
    Comment: not the rain of the day before

A relation goes from its first argument to its second; `Other` means that no relation
holds, of the kinds looked for. The comment may be left out; so may the relation, as in
`TEST_FILE.txt`, and is not annotated then. Blank lines mean nothing.

Only the two nominals of a sentence were looked at, so the entities of its other tokens
are missing, not "outside". Hendrickx et al. 2010, https://aclanthology.org/S10-1006;
the README of the data's full release describes the files.
"""

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..relations import Relation, set_relations
from .errors import CorpusError, Repairs, check_label, require_documents
from .jsonl_spans import read_label
from .lines import read_lines
from .marked_text import MarkedText, read_marked_text
from .token_boundaries import split_tokens

SENTENCE = re.compile(r"\d+[ \t]+(.*)")
RELATION = re.compile(r"([^\s()]+)\s*\(\s*(e[12])\s*,\s*(e[12])\s*\)")
COMMENT = "Comment:"
OTHER = "Other"
SPLIT = "entity that begins or ends inside a token: token split"


class Block(NamedTuple):
    """The lines on one sentence; `relation` is (line, text), None if it is left out."""

    line: int
    sentence: str
    relation: tuple[int, str] | None


def read_semeval2010(
    path: str | Path,
    nlp: Language,
    *,
    entity_label: str = "ENTITY",
    labels: Collection[str] | None = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a SemEval-2010 Task 8 file, one document a sentence.

    nlp: The pipeline whose tokenizer splits the sentences. A token that holds more
        than an entity is split further; to have `spacy train` see such tokens, read
        the corpus with `gold_preproc = true`.
    entity_label: The label of the nominals, which have no types.
    labels: The entity and relation labels allowed; None allows any.
    repairs: Counts the flaws that were repaired.

    Raises CorpusError if a line or the file is malformed.
    """
    repairs = Repairs() if repairs is None else repairs
    docs = _read_docs(path, nlp, entity_label, labels, repairs)
    return require_documents(path, docs)


def _read_docs(
    path: str | Path,
    nlp: Language,
    entity_label: str,
    labels: Collection[str] | None,
    repairs: Repairs,
) -> Iterator[Doc]:
    for block in _read_blocks(path):
        record = partial(repairs.record, path=path, line=block.line)
        line = block.line
        try:
            read_label({"label": entity_label}, "entity", labels)
            marked = read_marked_text(block.sentence, record)
            doc, spans = _make_doc(marked, nlp, entity_label, record)
            if block.relation:
                line, text = block.relation
                set_relations(doc, _read_relation(text, spans, labels))
        except ValueError as error:
            raise CorpusError(path, line, str(error)) from error
        yield doc


def _make_doc(
    marked: MarkedText, nlp: Language, label: str, record: Callable[..., None]
) -> tuple[Doc, dict[str, Span]]:
    """A document with its entities, and these by name."""
    tokens = nlp.make_doc(marked.text)
    spans: dict[str, Span] = {}
    doc = split_tokens(tokens, [at for place in marked.places.values() for at in place])
    for name, (start, end) in marked.places.items():
        span = doc.char_span(start, end, label)
        if span is None:
            text = marked.text[start:end]
            raise ValueError(
                f"the tokenizer changes {text!r}; use one that keeps the text"
            )
        spans[name] = span
        if tokens.char_span(start, end) is None:
            within = tokens.char_span(start, end, alignment_mode="expand")
            record(SPLIT, detail=f"{span.text!r} in {str(within)!r}")
    doc.set_ents(list(spans.values()), default="missing")
    return doc, spans


def _read_relation(
    text: str, spans: dict[str, Span], labels: Collection[str] | None
) -> list[Relation]:
    if text == OTHER:
        return []
    found = RELATION.fullmatch(text)
    if not found or found[1] == OTHER:
        raise ValueError(
            f"relation {text!r} is none of LABEL(e1,e2), LABEL(e2,e1) and {OTHER}; "
            "write one of these"
        )
    label, head, tail = found.groups()
    if head == tail:
        raise ValueError(
            f"relation {text!r} joins {head} to itself; write {label}(e1,e2) or "
            f"{label}(e2,e1)"
        )
    check_label(label, labels)
    return [Relation(spans[head], spans[tail], label)]


def _read_blocks(path: str | Path) -> Iterator[Block]:
    block: Block | None = None
    for number, line in read_lines(path):
        line = line.strip()
        if sentence := SENTENCE.fullmatch(line):
            if block:
                yield block
            block = Block(number, sentence[1], None)
        elif line and block is None:
            raise CorpusError(
                path,
                number,
                f"{line[:40]!r} precedes the first sentence; write NUMBER<TAB>"
                '"The <e1>…</e1> … <e2>…</e2> …" in double quotes',
            )
        elif line and block and not line.startswith(COMMENT):
            if block.relation:
                message = f"{line[:40]!r} follows the relation {block.relation[1]!r}; "
                message += "a sentence has one, then `Comment: …`"
                raise CorpusError(path, number, message)
            block = block._replace(relation=(number, line))
    if block:
        yield block
