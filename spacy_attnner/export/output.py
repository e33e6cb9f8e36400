"""A file that is written bit by bit, and is there when it is complete or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..atomic import PartialFile
from ..errors import UserError


class Output:
    """What `replacing` gives to write to."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path

    def write(self, data: bytes) -> int:
        """Raises UserError if the disk is full or gone."""
        with _reported(self.path):
            return self.file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[Output]:
    """Write beside a file's place, and put it there at the end of the block.

    An error within the block leaves what was there before. Folders on the way are made;
    of a link, the file that it points to is replaced.

    Raises UserError if the file cannot be written.
    """
    check_output(path)
    with _reported(path):
        partial = PartialFile(Path(os.path.realpath(path)))
    try:
        yield Output(partial.file, path)
        with _reported(path):
            partial.finish()
    except BaseException:
        partial.discard()
        raise


def check_output(path: Path) -> None:
    """Raises UserError if something stands there that is no file to be replaced."""
    if path.is_dir():
        raise UserError(f"{path} is a folder", f"Name a file: -o {path}/triples.csv")
    if path.exists() and not path.is_file():
        raise UserError(
            f"{path} is no ordinary file, and would be replaced by one",
            "Name another file, then read that.",
        )


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error}", "Name a file in another folder."
        ) from error
