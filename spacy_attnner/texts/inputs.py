"""The files that hold the rows: found, in a fixed order, and looked at before a run."""

import glob
import json
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import NamedTuple

from ..atomic import check_apart
from ..compressed import ENDINGS
from ..errors import Gathered, UserError, sound

ROW_KINDS = ("txt", "jsonl", "csv", "parquet", "spacy")
SAME_KINDS = {"ndjson": "jsonl", "tsv": "csv"}
WHOLE_TEXT = "whole"  # a .txt file of a folder, which is one text
STANDARD_INPUT = "-"
RUN = ".run"  # what folders end with that lie beside an output of `spacy attn apply`
MANIFEST = "manifest.jsonl"  # of such a run
HEAD = b'{"settings": {'  # what it begins with
EXPECTED = (
    "Give a .txt, .jsonl, .csv, .parquet or .spacy file, also compressed, a folder, a "
    "quoted pattern, or - for stdin; --input-format says what a name does not."
)
YOURS = "Check that it is yours to read."


class Input(NamedTuple):
    """One file of rows.

    name: Below the folder or pattern that was given; what ids and places begin with.
    path: Where it lies, or "-".
    kind: One of `ROW_KINDS`, or `WHOLE_TEXT`.
    size, mtime: In bytes and nanoseconds; 0 of stdin.
    """

    name: str
    path: str
    kind: str
    size: int = 0
    mtime: int = 0


def find_inputs(given: str, kind: str | None = None) -> list[Input]:
    """The files of rows that a name stands for, in the order of their names.

    A folder stands for all files of a known kind below it, hidden ones left out, and a
    .txt file in it for one text. A pattern stands for the files that it matches. What
    `spacy attn apply` keeps beside its outputs is left out of both.

    given: A file, a folder, a pattern, or "-".
    kind: Of all of them, whatever their names say.

    Warns of what else a folder holds.

    Raises UserError if there is none, or one cannot be read.
    """
    if given == STANDARD_INPUT:
        return [_standard_input(kind)]
    path = Path(given)
    if path.is_dir():
        names = _below(path, kind)
        if not names:
            raise UserError(f"the folder {given} holds no texts", EXPECTED)
        return _inputs(((path / name, name) for name in names), kind, True)
    if path.exists():
        return _inputs([(path, path.name)], kind, False)
    if not glob.has_magic(given):
        raise UserError(f"{given} does not exist", EXPECTED)
    root = _root(given)
    files = []
    for file in sorted(filter(os.path.isfile, glob.iglob(given, recursive=True))):
        name = PurePath(os.path.relpath(file, root or "."))
        if not any(_is_run(Path(root, each)) for each in name.parents[:-1]):
            files.append((Path(file), name.as_posix()))
    if not files:
        raise UserError(f"no file matches {given}", EXPECTED)
    return _inputs(files, kind, False)


def kind_of(name: str) -> str:
    """The kind that a file's name tells, without the ending of a compression."""
    name = name.lower()
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    kind = PurePath(name).suffix.removeprefix(".")
    kind = SAME_KINDS.get(kind, kind)
    return kind if kind in ROW_KINDS else ""


def is_manifest(path: Path) -> bool:
    """Whether a file is the manifest of a run, wherever that was cut off."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        raw = file.readline()
        if not raw.endswith(b"\n"):
            return raw.startswith(HEAD) or HEAD.startswith(raw)
        return raw.startswith(HEAD) and type(json.loads(raw).get("n_inputs")) is int
    return False


def check_places(
    output: Path,
    model: str | None,
    given: str,
    inputs: Sequence[Input],
    parts: Iterable[str] = (),
) -> None:
    """Raises UserError if an output is, holds or lies in what is read, or a pattern
    would stand for it as soon as it is there.

    model: A pipeline, if one reads.
    given: What was given to find the inputs, which lie anywhere if it is a pattern.
    parts: Names of files in the output, if it is a folder.
    """
    texts = None if given == STANDARD_INPUT else given
    check_apart(output, {"pipeline": model, "texts": texts})
    place = output.resolve()
    for source in inputs:
        path = Path(source.path)
        if source.path != STANDARD_INPUT and (path == place or place in path.parents):
            check_apart(output, {"texts": path})
    if glob.has_magic(given) and not Path(given).exists():
        for path in (place, *(place / name for name in parts)):
            if _stands_for(given, path):
                raise UserError(
                    f"{path} would be among the texts that {given} stands for",
                    "Name another file or folder to write.",
                )


def check_unchanged(source: Input) -> None:
    """Raises UserError if a file is not what it was when it was found."""
    if source.path == STANDARD_INPUT:
        return
    try:
        now = os.stat(source.path)
    except OSError as error:
        raise UserError(
            f"{source.path} vanished while it was read: {error}",
            "Put it back as it was, then run the command again.",
        ) from error
    for what, then, new in (
        ("bytes", source.size, now.st_size),
        ("nanoseconds, its time of change,", source.mtime, now.st_mtime_ns),
    ):
        if then != new:
            raise UserError(
                f"{source.path} changed while it was read: it had {then:,} {what} and "
                f"has {new:,}",
                "Read a copy that nothing writes to.",
            )


def _standard_input(kind: str | None) -> Input:
    if kind in ("spacy", "parquet"):
        raise UserError(
            f"a .{kind} file is not read from stdin", "Give the path of the file."
        )
    if sys.stdin is None:
        raise UserError("stdin is closed", "Pipe texts into it, or name a file.")
    return Input("stdin", STANDARD_INPUT, kind or "txt")


def _inputs(
    files: Iterable[tuple[Path, str]], kind: str | None, in_folder: bool
) -> list[Input]:
    """Files and their names as inputs; raises UserError with all that are none."""
    found, wrong = [], Gathered()
    for path, name in files:
        with wrong.each():
            found.append(_input(path, name, kind, in_folder))
    wrong.check()
    return found


def _input(path: Path, name: str, kind: str | None, in_folder: bool) -> Input:
    kind = kind or kind_of(name)
    if not kind:
        raise UserError(f"{path} is of no kind that holds texts", EXPECTED)
    with sound(f"{path} cannot be read", YOURS):
        found = path.stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(13, os.strerror(13), str(path))
    if not path.is_file():  # it would have to be read twice
        raise UserError(f"{path} is a pipe or a device, no file", "Pipe it into -.")
    if in_folder and kind == "txt":
        kind = WHOLE_TEXT
    return Input(name, os.path.abspath(path), kind, found.st_size, found.st_mtime_ns)


def _below(folder: Path, kind: str | None) -> list[str]:
    """Names of the visible files below a folder that hold rows; of no pipes.

    Raises UserError if a folder cannot be looked into.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error}", YOURS) from error

    names: list[str] = []
    others: list[str] = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [
            each
            for each in folders
            if not each.startswith(".") and not _is_run(Path(place, each))
        ]
        others += [each for each in folders if Path(place, each).is_symlink()]
        for file in files:
            path = Path(place, file)
            if file.startswith(".") or path.is_fifo():
                continue
            if kind or kind_of(file):
                names.append(path.relative_to(folder).as_posix())
            else:
                others.append(file)
    if names and others:
        warnings.warn(
            f"{len(others):,} files of other kinds, or links to folders, in {folder} "
            f"are not read, {min(others)} among them",
            stacklevel=3,
        )
    return sorted(names)


def _is_run(folder: Path) -> bool:
    return folder.suffix == RUN and is_manifest(folder / MANIFEST)


def _stands_for(pattern: str, place: Path) -> bool:
    """Whether a pattern would match a path that need not be there."""
    root = PurePath(_root(pattern))
    base = Path(root).resolve()
    if not place.is_relative_to(base):
        return False
    parts = PurePath(pattern).parts[len(root.parts) :]
    return _match(place.relative_to(base).parts, parts)


def _match(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether they match as `glob` has it; both in their parts."""
    if not path or not pattern:
        return not path and all(each == "**" for each in pattern)
    first, *rest = pattern
    if first == "**" and _match(path, rest):
        return True
    if path[0].startswith(".") and not first.startswith("."):
        return False
    rest = pattern if first == "**" else rest
    return fnmatch(path[0], first) and _match(path[1:], rest)


def _root(pattern: str) -> str:
    """The folder of a pattern that all that it matches lies in."""
    parts: list[str] = []
    for part in PurePath(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return os.path.join(*parts) if parts else ""
