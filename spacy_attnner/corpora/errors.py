"""What a reader says of a file it cannot read, and of one it had to repair."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc


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


def check_label(label: str, labels: Collection[str] | None) -> None:
    """Raises ValueError if a list of labels is given and does not hold this one."""
    if labels is not None and label not in labels:
        raise ValueError(
            f"unknown label {label!r}; the labels given are {', '.join(sorted(labels))}"
        )


def require_documents(path: str | Path, docs: Iterable[Doc]) -> Iterator[Doc]:
    """Pass documents on.

    Raises CorpusError if there is none.
    """
    count = 0
    for count, doc in enumerate(docs, 1):  # noqa: B007
        yield doc
    if not count:
        raise CorpusError(path, 1, "the file holds no document; check path and format")
