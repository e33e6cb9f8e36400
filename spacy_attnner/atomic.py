"""Outputs that are either not there or complete, whenever the process is killed.

A file is written beside its place and renamed. A folder that another program fills,
such as `spacy train`, grows as `FOLDER.partial` between `begin` and `finish`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import UserError

PARTIAL = ".partial"


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    write_bytes(path, text.encode("utf8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step: under another name beside it, then renamed."""
    partial = PartialFile(path)
    try:
        partial.file.write(data)
        partial.finish()
    except BaseException:
        partial.discard()
        raise


class PartialFile:
    """A file that is written beside its place, and put there when it is complete.

    file: What to write to.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        self.path = path
        self.name = Path(name)
        self.file = os.fdopen(handle, "wb")

    def finish(self) -> None:
        """Put the file in its place."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.chmod(self.name, 0o644)
        os.replace(self.name, self.path)

    def discard(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError):  # what could not be written is not flushed either
            self.file.close()
        self.name.unlink(missing_ok=True)


def partial_of(folder: Path) -> Path:
    """Where a folder grows until it is finished."""
    return folder.with_name(folder.name + PARTIAL)


def begin(folder: Path) -> Path:
    """Remove a step's output and what an interrupted run left of it; start afresh.

    Returns the empty folder to fill. Raises UserError if `folder` is not inside the
    current directory.
    """
    root = Path.cwd().resolve()
    if root not in folder.resolve().parents:
        raise UserError(
            f"{folder} is not inside the project folder {root}",
            "Only outputs below the project folder are replaced.",
        )
    remove(folder)
    return begin_beside(folder)


def begin_beside(folder: Path) -> Path:
    """An empty folder beside `folder`, which stays as it is until `finish`."""
    partial = partial_of(folder)
    remove(partial)
    partial.mkdir(parents=True)
    return partial


def finish(folder: Path, expect: Iterable[str] = ()) -> None:
    """Put a complete `FOLDER.partial` in its place.

    Raises UserError if it is missing, or misses one of the `expect`ed paths.
    """
    partial = partial_of(folder)
    for path in (partial, *(partial / name for name in expect)):
        if not path.exists():
            raise UserError(
                f"{path} is missing: {folder} was not completed",
                "Read what the step printed above, then run it again.",
            )
    remove(folder)
    os.replace(partial, folder)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there.

    A folder is renamed first, so that one that is half deleted is never found.
    """
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        doomed = path.with_name(f".{path.name}.deleted")
        shutil.rmtree(doomed, ignore_errors=True)
        os.replace(path, doomed)
        shutil.rmtree(doomed)
