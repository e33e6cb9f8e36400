"""What goes wrong in a command, in the words of the person who can mend it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)
MAX_TOLD = 20  # errors in a message


class UserError(Exception):
    """A command cannot go on.

    problem: What is wrong, with the file, address or value it is about.
    way_out: What to do about it.
    """

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(f"{problem}\n{way_out}")
        self.problem = problem
        self.way_out = way_out

    def __reduce__(self) -> tuple:
        """How it comes back from a worker process."""
        return type(self), (self.problem, self.way_out)


class Gathered:
    """Errors of several files, so that one run tells all of them."""

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    @contextmanager
    def each(self) -> Iterator[None]:
        """Keep a `UserError`, and go on behind it."""
        try:
            yield
        except UserError as error:
            self.errors.append(error)

    def check(self) -> None:
        """Raises UserError if there are any, with the first `MAX_TOLD` of them."""
        problems = list(dict.fromkeys(error.problem for error in self.errors))
        ways_out = list(dict.fromkeys(error.way_out for error in self.errors))
        if len(problems) > 1:
            told = [f"{len(problems):,} inputs are wrong:", *problems[:MAX_TOLD]]
            if (rest := len(problems) - MAX_TOLD) > 0:
                told.append(f"… and {rest:,} more")
            raise UserError("\n".join(told), "\n".join(ways_out))
        if self.errors:
            raise self.errors[0]


def import_extra(name: str, extra: str, what: str) -> Any:
    """A module that an extra of the package installs.

    what: What needs it, for the error.

    Raises UserError if it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UserError(
            f"{what} needs {name.partition('.')[0]}: {error}",
            f'Install it: pip install "spacy-attnner[{extra}]"',
        ) from error


def way_out_of(error: OSError) -> str:
    """What to do about an error of the file system."""
    if error.errno in FULL:
        return "Make room on the disk, or name a place on another one."
    if error.errno in REFUSED:
        return "Name a place that you may read and write, or change its permissions."
    if error.errno in NO_FOLDER:
        return "A file stands where a folder is needed: move it, or name another place."
    return "Check the path, or name another place."


@contextmanager
def sound(problem: str, way_out: str) -> Iterator[None]:
    """Say of any error what it means: what is damaged may raise all kinds.

    problem, way_out: As for `UserError`; the error itself is added.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise UserError(f"{problem}: {message_of(error)}", way_out) from error


def message_of(error: BaseException) -> str:
    """What an error says, and of which kind it is where that is not clear."""
    kind, words = type(error).__name__, str(error)
    if not words or isinstance(error, UserError | OSError | ValueError):
        return words or kind
    return f"{kind}: {words}"  # such as a key alone
