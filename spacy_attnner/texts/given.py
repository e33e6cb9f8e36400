"""Texts as a pipeline gets them, and what is known of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import UserError
from .first_look import look_at
from .inputs import Input
from .json_lines import jsonable
from .row_readers import HALF, META, Columns, Row, text_problem
from .row_stream import RowStream


@dataclass(frozen=True)
class DocInfo:
    """What is known of a document beside its text.

    id: Its name, which no other document of the export should have.
    meta: Whatever else belongs to it, of types that JSON knows.
    """

    id: str | int | None = None
    meta: Any = None


def read_texts(
    inputs: Sequence[Input], nlp: Language, unreadable: list[str] | None = None
) -> Iterator[tuple[str | Doc, DocInfo]]:
    """Texts, or documents of the given tokens, with what is known of them.

    A row's `meta` is its metadata if it is an object; otherwise all that the row holds
    beside the text and the id is.

    nlp: The pipeline that will read them.
    unreadable: Gets what is wrong with each text that has half of a surrogate pair, in
        whose place an empty one is returned; without a list, it is an error.

    Raises UserError for tables that cannot be read, before the first row, and for a
    row, naming file and line.
    """
    look_at(inputs, Columns(meta=False))
    with RowStream(inputs, Columns()) as stream:
        while part := stream.read_part():
            yield from given_texts(part.rows, nlp, unreadable)


def given_texts(
    rows: Iterable[Row], nlp: Language, unreadable: list[str] | None = None
) -> Iterator[tuple[str | Doc, DocInfo]]:
    """What `read_texts` makes of rows."""
    for row in rows:
        text = _checked(row, nlp, unreadable)
        info = DocInfo(row.id if row.named else None, jsonable(_meta(row)))
        if text and row.words is not None:
            words, spaces = row.words
            yield Doc(nlp.vocab, words=words, spaces=spaces), info
        else:
            yield text, info


def _checked(row: Row, nlp: Language, unreadable: list[str] | None) -> str:
    problem = row.problem or text_problem(row.text, nlp.max_length)
    if not problem:
        return row.text
    if unreadable is None or not problem.endswith(HALF):
        way_out = "Correct it, or take it out; `spacy attn apply` goes on without it."
        raise UserError(f"{row.place}: {problem}", way_out)
    unreadable.append(f"{row.place}: {problem}")
    return ""


def _meta(row: Row) -> Any:
    found = (row.meta or {}).get(META)
    return found if isinstance(found, dict) else row.meta
