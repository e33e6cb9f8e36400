"""Outputs that are either not there or complete, whenever the process is killed.

One rule for all commands. What is written grows in a folder of our own beside its place
and is renamed. Of a link, what it points to is replaced; devices and FIFOs are refused,
and so is an output that is, holds or lies in an input. Permissions are those of what is
replaced, otherwise the umask's. A folder is replaced only if it is a pipeline, or known
by its files; from others only files of the names that are written.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

from .errors import UserError, way_out_of
from .workspace import Workspace, clean

PIPELINE = ("config.cfg", "meta.json")
DOCUMENTS = ("README.md", "LICENSE", "LICENSES_SOURCES")  # that `spacy package` takes


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    write_bytes(path, text.encode("utf8"))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one step."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    with replacing(path) as output:
        output.write(content)


class Output:
    """What `replacing` gives to write to."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path

    def write(self, content: bytes) -> int:
        """Raises UserError if the disk is full or gone."""
        with writing(self.path):
            return self.file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[Output]:
    """Write beside a file's place, and put it there at the end of the block.

    An error within the block leaves what was there before. Folders on the way are made.

    Raises UserError if the file cannot be written.
    """
    check_file(path)
    with writing(path):
        workspace = Workspace(_place(path))
    with workspace:
        with writing(path):
            file = workspace.new.open("xb")
        try:
            yield Output(file, path)
            with writing(path):
                file.flush()
                os.fsync(file.fileno())
                file.close()
                workspace.put_file()
        finally:
            with suppress(OSError):  # what could not be written is not flushed either
                file.close()


@contextmanager
def replacing_pipeline(folder: Path) -> Iterator[Path]:
    """An empty folder for a pipeline, which takes the place of `folder` at the end.

    Raises UserError if it cannot be written, or something else stands there.
    """
    with _replacing_whole(folder, PIPELINE, lambda: check_pipeline(folder)) as place:
        yield place


@contextmanager
def replacing_folder(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """An empty folder for files, which takes the place of `folder` at the end.

    names: Of all its files; it is known by the first.

    Raises UserError if it cannot be written, or something else stands there.
    """
    with _replacing_whole(folder, names, lambda: check_known(folder, names)) as place:
        yield place


@contextmanager
def _replacing_whole(
    folder: Path, names: Sequence[str], check: Callable[[], None]
) -> Iterator[Path]:
    """names: What has to be in it at the end. check: Raises UserError if something
    else stands in its place.
    """
    check()
    with writing(folder), Workspace(_place(folder)) as workspace:
        workspace.new.mkdir()
        yield workspace.new
        _require(workspace.new, names, folder)
        check()
        workspace.put_folder()


@contextmanager
def replacing_files(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """An empty folder for files, which are put into `folder` at the end of the block.

    names: Their paths below it. All else in `folder` stays as it is.

    Raises UserError if they cannot be written.
    """
    check_files(folder, names)
    place = _place(folder)
    with writing(folder), Workspace(place / Path(names[0]).parts[0]) as workspace:
        workspace.new.mkdir()
        yield workspace.new
        _require(workspace.new, names, folder)
        workspace.put_files(place, names)


@contextmanager
def replacing_parts(folder: Path, *patterns: str) -> Iterator[Path]:
    """An empty folder for files, which takes the place of `folder` at the end.

    patterns: Of all their paths below it, of which there may be any number, such as
        `part-*.spacy`; a star stands for folders, too.

    Raises UserError if it cannot be written, or something else stands there.
    """
    with _replacing_whole(folder, (), lambda: _check_parts(folder, patterns)) as place:
        yield place


def _check_parts(folder: Path, patterns: Sequence[str]) -> None:
    check_folder(_place(folder).parent)
    clean(_place(folder))
    if folder.exists() and not folder.is_dir():
        _refuse_others(folder, [folder.name])
    files = (
        path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    others = [n for n in names if not any(fnmatch(n, each) for each in patterns)]
    _refuse_others(folder, others)


def check_file(path: Path, example: str = "") -> None:
    """Raises UserError if no file can be written there.

    example: What to give instead of a folder.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder", f"Name a file: {example or path / 'X'}")
    if path.exists() and not path.is_file():
        raise UserError(
            f"{path} is no ordinary file, and would be replaced by one",
            "Name another file, then read that.",
        )
    check_folder(_place(path).parent)


def check_files(folder: Path, names: Iterable[str]) -> None:
    """Raises UserError if files of these names cannot be written below a folder."""
    check_folder(_place(folder))
    for name in names:
        check_file(folder / name)


def check_pipeline(folder: Path) -> None:
    """Raises UserError if something else than a pipeline stands there."""
    check_folder(_place(folder).parent)
    clean(_place(folder))
    if not folder.exists():
        return
    others = foreign_to_pipeline(folder) if folder.is_dir() else [folder.name]
    if others:
        what = ", ".join(others[:5])
        whole = all((folder / name).exists() for name in PIPELINE)
        raise UserError(
            f"{folder} holds what is not part of its pipeline: {what}"
            if whole
            else f"{folder} is there and is no pipeline: {what}",
            "Give a folder that is not there yet, or a pipeline's to replace it; "
            "nothing in it was changed.",
        )


def check_known(folder: Path, names: Sequence[str]) -> None:
    """Raises UserError if something else stands there than a folder of such files.

    names: Of all its files; it is known by the first.
    """
    check_folder(_place(folder).parent)
    clean(_place(folder))
    if not folder.exists():
        return
    found = sorted(os.listdir(folder)) if folder.is_dir() else [folder.name]
    known = names if names[0] in found else ()
    _refuse_others(folder, [name for name in found if name not in known])


def _refuse_others(folder: Path, names: Sequence[str]) -> None:
    """Raises UserError if a folder holds what is not to be replaced."""
    if names:
        raise UserError(
            f"{folder} is there and holds other things: {', '.join(names[:5])}",
            "Give a folder that is not there yet; nothing in it was changed.",
        )


def foreign_to_pipeline(folder: Path) -> list[str]:
    """Names in a folder that are not part of a pipeline: all, if there is none."""
    names = sorted(os.listdir(folder))
    if not set(PIPELINE) <= set(names):
        return names
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf8"))
        components = {*(meta.get("pipeline") or ()), *(meta.get("disabled") or ())}
    except (OSError, ValueError, TypeError, AttributeError):
        return names
    known = {*PIPELINE, *DOCUMENTS, "tokenizer", "vocab", *components}
    files = tuple(f"{component}." for component in components)  # sentencizer.json
    return [n for n in names if n not in known and not n.startswith(files)]


def check_apart(output: Path, inputs: Mapping[str, Path | str | None]) -> None:
    """Raises UserError if an output is, lies in or lies around an input.

    inputs: By what they hold; those that are no path on this disk are passed over.
    """
    place = _place(output)
    for what, given in inputs.items():
        if not given or not Path(given).exists():
            continue
        source = _place(Path(given))
        if is_same(output, Path(given)):
            problem = f"{output} holds the {what}, and would be replaced"
        elif source in place.parents:
            problem = f"{output} lies inside {given}, which holds the {what}"
        elif place in source.parents:
            problem = f"{output} lies around {given}, which holds the {what}"
        else:
            continue
        raise UserError(problem, "Name another file or folder to write.")


def is_same(a: Path, b: Path) -> bool:
    """Whether two paths lead to the same place."""
    return _place(a) == _place(b) or (a.exists() and b.exists() and a.samefile(b))


@contextmanager
def writing(path: Path, kept: str = "") -> Iterator[None]:
    """Say of an error of the file system that `path` could not be written.

    kept: What to say of what was written so far.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error}", way_out_of(error) + kept
        ) from error


def _place(path: Path) -> Path:
    return Path(os.path.realpath(path))


def check_folder(folder: Path) -> None:
    """Raises UserError if it is there, or what it would be made in, and cannot be
    written to.
    """
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    with writing(folder):
        if not folder.is_dir():
            raise NotADirectoryError(20, "it is not a folder", str(folder))
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied", str(folder))


def remove_folders(*folders: Path) -> None:
    """Remove those that are there, each in one step: a killed run leaves no half."""
    for folder in filter(Path.exists, folders):
        with writing(folder), Workspace(_place(folder)) as workspace:
            workspace.set_aside(_place(folder))


def _require(folder: Path, names: Iterable[str], output: Path) -> None:
    for name in names:
        if not (folder / name).exists():
            raise UserError(
                f"{output} was not completed: {name} is missing",
                "Nothing was changed; run the command again.",
            )
