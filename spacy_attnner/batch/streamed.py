"""Results that go to a stream part by part, in place of files that stay."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from tqdm import tqdm

from ..terminal import visible
from .annotator import Done
from .manifest import Finished, finished_part


class Streamed:
    """What a `Manifest` is to a run, of which nothing stays; a context manager.

    Rows that failed are told on stderr when it is their part's turn.

    stream: What the content of all parts is written to, in their order.
    folder: Where parts lie until it is their turn.
    parts: Those that were written.
    kept, advice: As those of a `Manifest`.
    """

    errors_path = None
    kept = ""
    advice = " TMPDIR names the folder for parts until it is their turn."

    def __init__(self, stream: BinaryIO) -> None:
        self._place = TemporaryDirectory(prefix="attn-apply-")
        self.folder = Path(self._place.name)
        self.parts: dict[int, Finished] = {}
        self._stream = stream
        self._waiting: dict[int, Done] = {}

    def __enter__(self) -> "Streamed":
        return self

    def __exit__(self, *_: object) -> None:
        self._place.cleanup()

    def add(self, done: Done) -> None:
        """Write a part, and those that waited for it."""
        self._waiting[done.number] = done
        while turn := self._waiting.pop(len(self.parts), None):
            self._write(turn)
            self.parts[turn.number] = finished_part(turn)

    def errors(self) -> Iterator[dict[str, Any]]:
        """None that were not told."""
        return iter(())

    def _write(self, done: Done) -> None:
        with open(done.path, "rb") as file:
            shutil.copyfileobj(file, self._stream)
        self._stream.flush()
        Path(done.path).unlink()
        for failure in done.failures:
            line = visible(f"{failure.place}: {failure.reason}")
            tqdm.write(line, file=sys.stderr)
