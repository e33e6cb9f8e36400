"""Tokens with tags, a line or a row each, and the records of them."""

from collections.abc import Sequence
from typing import NamedTuple

from .reading import Source
from .record import Mention, Record, first_of_each
from .tags import UNFITTING, Scheme, Tagged, decode_scheme


class Row(NamedTuple):
    """A token: its line and text, (prefix, label) of each tag, if a space follows."""

    line: int
    word: str
    tags: list[tuple[str, str]]
    space: bool = True


def record_of_rows(
    sentences: list[list[Row]], scheme: Scheme, name: str | None, source: Source
) -> Record:
    """The record of a document; tags that do not fit the scheme are counted.

    Every token has as many tags as the others; of each an entity may be part.
    """
    rows: list[Row] = []
    mentions: list[Mention] = []
    for sentence in sentences:
        for i in range(len(sentences[0][0].tags)):
            tags = [row.tags[i] for row in sentence]
            spans = decode_scheme(tags, len(rows), scheme.begins, scheme.ends)
            for span in spans:
                first = sentence[span.start - len(rows)]
                _count(span, [*rows, *sentence], source)
                mentions.append(Mention(*span[:3], line=first.line))
        rows += sentence
    spaces = [row.space for row in rows]
    return Record(
        words=[row.word for row in rows],
        spaces=None if all(spaces) else spaces,
        sent_starts=first_of_each(sentences),
        entities=mentions,
        id=name,
    )


def _count(span: Tagged, rows: Sequence[Row], source: Source) -> None:
    for i in span.flaws:
        source.line = rows[i].line
        source.repaired(UNFITTING, f"{span.label} at {rows[i].word!r}")


def named_columns(
    wanted: str, n_columns: int, names: Sequence[str] = ()
) -> dict[str, list[int]]:
    """The columns that `--columns` gives, `token` and `tag` among them.

    wanted: Such as `token=0,tag=3`, or by names, if columns have some; `sentence` goes
        with those. Numbers below 0 count from the last.

    Raises ValueError for what is no column.
    """
    roles = ("token", "tag", "sentence") if names else ("token", "tag")
    found: dict[str, list[int]] = {}
    for part in wanted.split(","):
        role, _, name = (each.strip() for each in part.partition("="))
        i = names.index(name) if name in names else _number(name, n_columns)
        if role not in roles or i is None:
            there = f"columns {', '.join(names)}" if names else f"{n_columns} columns"
            write = "token=word,tag=ner" if names else "token=0,tag=3, counted from 0"
            raise ValueError(
                f"--columns {wanted!r}: {part!r} is none of the {there}; write {write}"
            )
        found.setdefault(role, []).append(i)
    return found


def _number(name: str, n_columns: int) -> int | None:
    """That of a column, None if there is none."""
    try:
        i = int(name)
    except ValueError:
        return None
    i = i + n_columns if i < 0 else i
    return i if 0 <= i < n_columns else None
