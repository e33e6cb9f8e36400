"""What is said of what is wrong in a corpus file, and of what was repaired in it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import MAX_TOLD
from .json_values import check_type

T = TypeVar("T")

Labels = Collection[str] | None  # those allowed; None allows any
MAX_KEPT = 10_000  # errors and places of repairs that are kept; all are counted
STDIN = "(stdin)"  # the name of the file that stdin is copied to
OTHER_TYPE = "a value is of no type that the format has there"
# what readers raise for a value of another type than they take it for
OTHER_TYPES = (TypeError, KeyError, AttributeError)


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
        where = called(self.path)
        if self.line is not None:
            where += f":{self.line}"
        return f"{where}: {self.message}"


class CorpusErrors(CorpusError):
    """All that is wrong in a file; path, line and message are those of the first.

    errors: What is wrong, up to `MAX_KEPT` of them.
    n_errors, n_records: How many there are, and in how many records.
    """

    def __init__(self, errors: list[CorpusError], n_errors: int, n_records: int):
        first = errors[0]
        super().__init__(first.path, first.line, first.message)
        self.errors = errors
        self.n_errors = n_errors
        self.n_records = n_records

    def __str__(self) -> str:
        shown = [str(error) for error in self.errors[:MAX_TOLD]]
        if len(shown) < self.n_errors:
            shown.append(f"… and {self.n_errors - len(shown):,} more errors")
        if self.n_errors > 1:
            shown.append(
                f"{self.n_errors:,} errors in {self.n_records:,} records; correct "
                "them, or have --rejects FILE take these records out"
            )
        return "\n".join(shown)


class Flaws(ValueError):
    """Several flaws of one record.

    items: The line of each, None for the record's, and what is wrong.
    """

    def __init__(self, items: Sequence[tuple[int | None, str]]) -> None:
        super().__init__("; ".join(message for _, message in items))
        self.items = list(items)


class Collector:
    """Keeps what is wrong in one record, so that all of it is told, once.

    items: As those of `Flaws`.
    """

    def __init__(self) -> None:
        self.items: list[tuple[int | None, str]] = []
        self._seen: set[tuple[int | None, str]] = set()

    @contextmanager
    def of(self, line: int | None = None) -> Iterator[None]:
        """Keep the flaw that ends what is done inside, and go on behind it.

        line: The line that it is about; None for the record's.
        """
        try:
            yield
        except (ValueError, *OTHER_TYPES) as error:
            self.keep(error, line)

    def keep(self, error: Exception, line: int | None = None) -> None:
        """Keep an error; raises one that is about the file."""
        if isinstance(error, CorpusError):
            raise error
        if isinstance(error, Flaws):
            found = error.items
        elif isinstance(error, ValueError):
            found = [(line, str(error))]
        else:
            what = f"{type(error).__name__}: {error}"
            found = [(line, f"{OTHER_TYPE} ({what}); check path and format")]
        self.items += [item for item in found if item not in self._seen]
        self._seen.update(found)

    def each(
        self,
        items: Any,
        name: str,
        make: Callable[[Any, str], T | None],
        instead: T | None = None,
    ) -> list[T]:
        """What is made of each item of a list of JSON.

        name: That of the list; items are called `name[0]` and so on.
        make: Is given an item and what it is called; None leaves it out.
        instead: What takes the place of an item that is wrong; None leaves it out.
        """
        found: list[T] = []
        with self.of():
            for i, item in enumerate(check_type(items, list, name)):
                made = instead
                with self.of():
                    made = make(item, f"{name}[{i}]")
                if made is not None:
                    found.append(made)
        return found

    def check(self) -> None:
        """Raises Flaws if something is wrong."""
        if self.items:
            raise Flaws(self.items)


class Repairs(Counter[str]):
    """How often each kind of flaw was repaired.

    notes: Where, up to `MAX_KEPT` places.
    n_places: How many there are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.n_places = 0

    def record(
        self, kind: str, path: str | Path, line: int | str, detail: str, n: int = 1
    ) -> None:
        """Count `n` flaws of one kind and note where they stood.

        kind: What was wrong and what was done, the same words each time.
        line: Its line, or what else says where.
        detail: The offending value.
        """
        self[kind] += n
        self.n_places += 1
        if len(self.notes) < MAX_KEPT:
            self.notes.append(f"{called(path)}:{line}: {detail}")


class Rejects:
    """The records that are wrong.

    write: Takes each of them, as {"file", "line", "errors", "record"}, the record as
        the file has it. None: they are errors.
    """

    def __init__(self, write: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.write = write
        self.errors: list[CorpusError] = []
        self.n_errors = 0
        self.n_records = 0

    def add(self, errors: list[CorpusError], raw: str) -> None:
        """Put a record aside."""
        self.n_records += 1
        self.n_errors += len(errors)
        self.errors += errors[: MAX_KEPT - len(self.errors)]
        if self.write:
            first = errors[0]
            messages = [str(error) for error in errors]
            item = {"file": called(first.path), "line": first.line, "errors": messages}
            self.write({**item, "record": raw})

    def stop(self, error: CorpusError) -> None:
        """Raises what ends the reading, with all that was wrong before."""
        if self.write or not self.errors:
            raise error
        n = min(len(self.errors), MAX_TOLD - 1)  # so that it is shown
        errors = [*self.errors[:n], error, *self.errors[n:]]
        raise CorpusErrors(errors, self.n_errors + 1, self.n_records + 1)

    def check(self, *, nothing_left: bool) -> None:
        """Raises CorpusErrors if there are any that were not taken, or none is left."""
        if self.errors and (nothing_left or not self.write):
            raise CorpusErrors(self.errors, self.n_errors, self.n_records)


def called(path: str | Path) -> str:
    """What a file is called; the copy of stdin has no folder."""
    return STDIN if Path(path).name == STDIN else str(path)


def check_named(label: Any, name: str) -> None:
    """Raises ValueError if the label of an entity or relation is no text, or empty."""
    if not check_type(label, str, f"{name} label"):
        raise ValueError(f"{name} label is empty; name its type")


def check_label(label: str, labels: Labels, name: str | None = None) -> None:
    """Raises ValueError if a list of labels is given and does not hold this one.

    name: Its new name, if it has one.
    """
    if labels is not None and (name or label) not in labels:
        renamed = f", renamed {name!r}" if name else ""
        known = ", ".join(sorted(labels))
        raise ValueError(
            f"unknown label {label!r}{renamed}; the labels given are {known}"
        )
