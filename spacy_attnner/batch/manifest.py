"""Which parts of a run are finished, so that a killed one goes on and none is doubled.

    manifest.jsonl
        {"settings": {…}, "n_inputs": 2}      what the results depend on
        {"input": ["a.txt", "/…", "txt", 12, 345]}
        {"part": 0, "stop": [0, 5000], …, "errors": […]}   as soon as its file is there
        {"finished": true, "size": 678}     in bytes, where the output is one file

A part's file is complete under its name before its line is written; the line holds its
errors, so that one write and one fsync say both. A line that was cut off is none, and
its part is made again, the same as before.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from ..atomic import check_folder, writing
from ..errors import UserError
from ..texts.inputs import MANIFEST, Input, is_manifest
from ..texts.json_lines import json_line
from ..texts.row_stream import Position
from .annotator import TEMPORARY, Done
from .part_files import FORMATS

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two runs apart
    fcntl = None

ERRORS = "errors.jsonl"
PART = "part-"
GOES_ON = " Once it can be written, --resume goes on after the finished parts."


class Finished(NamedTuple):
    """What the manifest says of a part.

    offset: Where its line begins.
    """

    stop: Position
    size: int
    rows: int
    words: int
    n_errors: int
    digest: str
    n_bytes: int
    offset: int


class Manifest:
    """The record of one run, locked for as long as it is open; a context manager.

    folder: Where parts, errors and the manifest lie.
    format: The ending of part files.
    size: Of the one file that the whole run has become.
    kept, advice: What to say where the run ends early, and where a part cannot be
        written.
    """

    kept = (
        " Finished parts are kept: --resume goes on after them if all inputs are as "
        "they were, --overwrite begins anew."
    )
    advice = ""

    def __init__(self, folder: Path, format: str) -> None:
        self.folder = folder
        self.format = format
        self.parts: dict[int, Finished] = {}
        self.finished = False
        self.size: int | None = None
        self._file: FileIO | None = None

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other runs have it."""
        if self._file is not None:
            with suppress(OSError):
                self._remove_temporary()
            self._file.close()
            self._file = None

    @property
    def file(self) -> FileIO:
        """Raises ValueError if it is not open."""
        if self._file is None:
            raise ValueError(f"{self.folder} is not open")
        return self._file

    def begin(
        self,
        settings: Mapping[str, Any],
        inputs: Sequence[Input],
        *,
        resume: bool,
        overwrite: bool,
    ) -> None:
        """Open it, anew or where it was cut off.

        settings: By the names that a user knows them by.

        Raises UserError if there is a run and neither `resume` nor `overwrite`, if
        another process works on it, or if it was begun with something else.
        """
        path = self.folder / MANIFEST
        _check_place(self.folder, resume or overwrite)
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(path, "r+" if path.exists() else "x+")
        try:
            _lock(self.file, self.folder)
        except UserError:
            self._file.close()
            self._file = None  # what is temporary is the other's
            raise
        known = not overwrite and self._read(settings, inputs)
        if not self.finished:
            self.forget_missing()
        with writing(self.folder, GOES_ON):
            self._remove_temporary()
            if not known:
                self._write_head(settings, inputs)
            self._write_errors()

    @property
    def errors_path(self) -> Path:
        """Where the rows that failed are listed."""
        return self.folder / ERRORS

    def part_path(self, number: int) -> Path:
        """Where the file of a part lies."""
        return self.folder / f"{PART}{number:06}.{self.format}"

    def forget_missing(self) -> bool:
        """Forget parts whose files are gone, to make them again; whether any is."""
        missing = [n for n, part in self.parts.items() if not self._is_there(n, part)]
        for number in missing:
            del self.parts[number]
        return bool(missing)

    def _is_there(self, number: int, part: Finished) -> bool:
        with suppress(OSError):
            return self.part_path(number).stat().st_size == part.size
        return False

    def part_paths(self) -> list[Path]:
        """The files of all finished parts, in their order."""
        return [self.part_path(number) for number in sorted(self.parts)]

    def add(self, done: Done) -> None:
        """Put the file of a part into its place, then count it as finished.

        Raises UserError if that cannot be written.
        """
        with writing(self.folder):
            os.replace(done.path, self.part_path(done.number))
            _sync_folder(self.folder)
            errors = [each._asdict() for each in done.failures]
            line = {
                "part": done.number,
                "stop": done.stop,
                "size": done.size,
                "rows": done.rows,
                "words": done.words,
                "digest": done.digest,
                "n_bytes": done.n_bytes,
                "errors": errors,
            }
            offset = self._append(line)
            if errors:
                with self.errors_path.open("ab") as file:
                    file.writelines(map(_to_line, errors))
        self.parts[done.number] = finished_part(done, offset)

    def finish(self, size: int | None) -> None:
        """Count the whole run as finished, with its errors in the order of rows."""
        with writing(self.folder, GOES_ON):
            self._write_errors()
            self._append({"finished": True, "size": size})
        self.finished, self.size = True, size

    def remove_parts(self, format: str) -> None:
        """Delete the files of parts, because another file has all rows, or none has."""
        ours = re.compile(rf"{PART}[0-9]{{6,}}\.{format}")
        for path in self.folder.glob(f"{PART}*"):
            if ours.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def errors(self) -> Iterator[dict[str, Any]]:
        """The rows that failed, in their order."""
        with (self.folder / MANIFEST).open("rb") as file:
            for _, part in sorted(self.parts.items()):
                if part.n_errors:
                    file.seek(part.offset)
                    yield from json.loads(file.readline())["errors"]

    def _read(self, settings: Mapping[str, Any], inputs: Sequence[Input]) -> bool:
        """Read what there is; False if a run was cut off before its first part."""
        offset, lines = 0, 0
        n_inputs = None
        for line, raw in _lines_of(self.folder / MANIFEST):
            if "settings" in line:
                _check_settings(line["settings"], settings, self.folder)
                n_inputs = line["n_inputs"]
            elif "input" in line:
                _check_input(lines, line["input"], inputs, self.folder)
                lines += 1
            elif "part" in line:
                self.parts[line["part"]] = _finished(line, offset)
            self.finished = "finished" in line
            self.size = line.get("size") if self.finished else None
            offset += len(raw)  # of whole lines
        if n_inputs is None or lines < n_inputs:
            self.parts = {}
            return False
        _check_input(lines, None, inputs, self.folder)
        with writing(self.folder):
            self.file.truncate(offset)
        return True

    def _write_head(self, settings: Mapping[str, Any], inputs: Sequence[Input]) -> None:
        self.parts, self.finished = {}, False
        self.file.truncate(0)
        for format in FORMATS:
            self.remove_parts(format)
        self.errors_path.unlink(missing_ok=True)
        head = {"settings": dict(settings), "n_inputs": len(inputs)}
        self.file.seek(0)
        self._write(_to_line(head))
        self._write(b"".join(_to_line({"input": list(each)}) for each in inputs))
        os.fsync(self.file.fileno())
        _sync_folder(self.folder)

    def _write_errors(self) -> None:
        path, new = self.errors_path, self.folder / f"{TEMPORARY}errors"
        with new.open("wb") as file:
            file.writelines(map(_to_line, self.errors()))
            file.flush()
            os.fsync(file.fileno())
        if new.stat().st_size:
            os.replace(new, path)
        else:
            new.unlink()
            path.unlink(missing_ok=True)

    def _append(self, line: Mapping[str, Any]) -> int:
        """Write a line, and say where it begins; nothing of it if the disk is full."""
        offset = self.file.seek(0, os.SEEK_END)
        try:
            self._write(_to_line(line))
            os.fsync(self.file.fileno())
        except OSError:
            with suppress(OSError):
                self.file.truncate(offset)
            raise
        return offset

    def _write(self, content: bytes) -> None:
        """Unbuffered, so that nothing of a line that failed is written later."""
        rest = memoryview(content)
        while rest:
            rest = rest[self.file.write(rest) :]

    def _remove_temporary(self) -> None:
        for path in self.folder.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)


def _check_place(folder: Path, goes_on: bool) -> None:
    check_folder(folder.parent)
    if is_manifest(path := folder / MANIFEST):
        if not goes_on:
            complete = any("finished" in line for line, _ in _lines_of(path))
            raise UserError(
                f"{folder} holds the {'whole ' * complete}results of an earlier run",
                "Add --overwrite to begin anew, or name another output."
                if complete
                else "Add --resume to go on with it, or --overwrite to begin anew.",
            )
    elif folder.exists():
        found = sorted(os.listdir(folder)) if folder.is_dir() else [folder.name]
        if found:
            raise UserError(
                f"{folder} is there and holds other things: {', '.join(found[:5])}",
                "Give a folder that is not there yet; nothing in it was changed.",
            )
    check_folder(folder)


def _lock(file: FileIO, folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            f"another process is writing to {folder}",
            "Wait until it has finished, or name another output.",
        ) from error
    except OSError:  # no locks on this disk
        return


def _check_settings(
    old: Mapping[str, Any], new: Mapping[str, Any], folder: Path
) -> None:
    differing = [
        f"{name} was {json.dumps(old.get(name))} and is {json.dumps(value)}"
        for name, value in json.loads(json.dumps(new)).items()
        if old.get(name) != value
    ]
    if differing:
        raise UserError(
            f"{folder} was begun with something else: {'; '.join(differing)}",
            "Go on with what it was begun with, or begin anew with --overwrite.",
        )


def _check_input(
    number: int, old: list | None, inputs: Sequence[Input], folder: Path
) -> None:
    """old: What the input of this number was, None if there was none."""
    new = inputs[number] if number < len(inputs) else None
    if (new and json.loads(json_line(new))) == old:
        return
    way_out = ""
    if old is None or new is None or old[:3] != json.loads(json_line(new[:3])):
        was, now = (x and f"{x[1]}, read as {x[2]}" for x in (old, new))
        what = f"its input {number + 1:,} was {was} and is {now}"
    elif old[3] != new.size:
        what = f"{new.path} had {old[3]:,} bytes and has {new.size:,}"
    else:
        what = f"{new.path} was changed since, though it is as large as before"
        time = f"{old[4] // 10**9}.{old[4] % 10**9:09}"
        way_out = f" If only its time has changed: touch -d @{time} {quote(new.path)}"
    raise UserError(
        f"{folder} was begun with other inputs: {what}",
        f"Give the inputs as they were, or begin anew with --overwrite.{way_out}",
    )


def _lines_of(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What each line says, and the line, up to one that is not whole."""
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            try:
                line = json.loads(raw)
            except ValueError:
                return
            if not isinstance(line, dict):
                return
            yield line, raw


def finished_part(done: Done, offset: int = 0) -> Finished:
    """What a manifest knows of a part.

    offset: Where its line begins.
    """
    names = set(Finished._fields) & set(Done._fields)
    values = {name: getattr(done, name) for name in names}
    return Finished(n_errors=len(done.failures), offset=offset, **values)


def _finished(line: Mapping[str, Any], offset: int) -> Finished:
    i, row = line["stop"]
    names = ("size", "rows", "words", "digest", "n_bytes")
    values = {name: line[name] for name in names}
    return Finished(
        stop=(i, row), n_errors=len(line["errors"]), offset=offset, **values
    )


def _to_line(value: Any) -> bytes:
    return (json_line(value) + "\n").encode("utf-8")


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut, where a folder can be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
