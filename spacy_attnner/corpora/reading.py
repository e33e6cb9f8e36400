"""A corpus file as it is read: its lines, and what is said of what is wrong in them.

Readers raise ValueError for a flaw; `Source` adds the file and the line.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from spacy.tokens import Doc

T = TypeVar("T")
Labels = Collection[str] | None  # those allowed; None allows any
# str.split() would also split on no-break spaces, which stand inside words
COLUMN = re.compile(r"[^ \t]+")
TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class CorpusError(ValueError):
    """A corpus file that cannot be used: where, what is wrong, and the way out.

    path: The file.
    line: The line, from 1, or None if the file as a whole is meant.
    message: What is wrong with it and what to do.
    """

    def __init__(self, path: str | Path, line: int | None, message: str) -> None:
        super().__init__(path, line, message)
        self.path = Path(path)
        self.line = line
        self.message = message

    def __str__(self) -> str:
        where = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.message}"


class Repairs(Counter[str]):
    """How often each kind of flaw was repaired; `notes` says where."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def record(
        self, kind: str, path: str | Path, line: int | str, detail: str, n: int = 1
    ) -> None:
        """Count `n` flaws of one kind and note where they stood.

        kind: What was wrong and what was done, the same words each time.
        line: Its line, or what else says where.
        detail: The offending value.
        """
        self[kind] += n
        self.notes.append(f"{path}:{line}: {detail}")


class Source:
    """A corpus file that is being read.

    path: The file.
    labels: The labels that it may hold; None allows any.
    repairs: Counts the flaws that are repaired.
    line: The line that complaints and repairs are about, from 1: the one read last,
        unless a reader sets another.
    """

    def __init__(
        self, path: str | Path, labels: Labels = None, repairs: Repairs | None = None
    ) -> None:
        self.path = Path(path)
        self.labels = labels
        self.repairs = Repairs() if repairs is None else repairs
        self.line = 1

    def lines(self, encoding: str = "utf-8") -> Iterator[str]:
        """The text of each line, without its end.

        Raises CorpusError if there is no such file or a line cannot be decoded.
        """
        if not self.path.is_file():
            folder = self.path.is_dir()
            what = "is a directory, not a file" if folder else "no such file"
            message = f"{what}; give the path of a corpus file"
            raise CorpusError(self.path, None, message)
        with self.path.open("rb") as file:
            for self.line, raw in enumerate(file, 1):
                try:
                    line = raw.decode(encoding)
                except UnicodeDecodeError as error:
                    bad = raw[error.start : error.end]
                    raise self.error(
                        f"{bad!r} is not {encoding}; save the file as {encoding}"
                    ) from error
                if self.line == 1:
                    line = line.removeprefix("\ufeff")
                yield line.rstrip("\r\n")

    def json_lines(self) -> Iterator[Any]:
        """The value of each line of JSON; blank lines are passed over.

        Raises CorpusError if a line is no JSON, or gives a key of an object twice.
        """
        for line in filter(str.strip, self.lines()):
            try:
                value = json.loads(line, object_pairs_hook=_make_object)
            except (ValueError, RecursionError) as error:
                raise self.error(
                    f"invalid JSON, {error}: {line[:40]!r}; write one object a line"
                ) from error
            yield value

    def documents(self, docs: Iterable[Doc]) -> Iterator[Doc]:
        """Pass on the documents that are made of the file.

        Raises CorpusError for a ValueError on the way, and if there is no document.
        """
        count = 0
        try:
            for count, doc in enumerate(docs, 1):  # noqa: B007
                yield doc
        except CorpusError:
            raise
        except ValueError as error:
            raise self.error(str(error)) from error
        if not count:
            message = "the file holds no document; check path and format"
            raise CorpusError(self.path, 1, message)

    def error(self, message: str) -> CorpusError:
        """What to raise about the line."""
        return CorpusError(self.path, self.line, message)

    def repaired(self, kind: str, detail: str, n: int = 1) -> None:
        """Count flaws of the line, as `Repairs.record`."""
        self.repairs.record(kind, self.path, self.line, detail, n)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return made


def split_columns(line: str) -> list[str]:
    """The columns of a line, separated by spaces or tabs."""
    return COLUMN.findall(line)


def check_label(label: str, labels: Labels) -> None:
    """Raises ValueError if a list of labels is given and does not hold this one."""
    if labels is not None and label not in labels:
        raise ValueError(
            f"unknown label {label!r}; the labels given are {', '.join(sorted(labels))}"
        )


def read_label(item: Any, name: str, labels: Labels) -> str:
    """The label of an entity or a relation that came out of JSON.

    Raises ValueError if it is no string, empty, or not allowed.
    """
    label = check_type(item["label"], str, f"{name} label")
    if not label:
        raise ValueError(f"{name} label is empty; name its type")
    check_label(label, labels)
    return label


def check_type(value: Any, kind: type[T], name: str) -> T:
    """Pass a value of JSON on.

    Raises ValueError if it is not of this type; `True` is no whole number.
    """
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r}; give {TYPE_NAMES[kind]}")
    return value


def check_keys(
    value: Any,
    name: str,
    *,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Raises ValueError if this is no object, lacks a key or has an unknown one."""
    keys = set(check_type(value, dict, name))
    allowed = ", ".join([*required, *optional])
    for flaw, wrong in (
        ("unknown", keys.difference(required, optional)),
        ("missing", set(required) - keys),
    ):
        if wrong:
            listed = ", ".join(repr(key) for key in sorted(wrong))
            raise ValueError(f"{flaw} key {listed} in {name}; its keys are {allowed}")
