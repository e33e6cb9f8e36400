"""Folders that other programs fill, such as `spacy train`: complete or not there.

    python scripts/steps.py begin FOLDER [--copy FOLDER]
    python scripts/steps.py finish FOLDER [--expect PATH]

`begin X` makes `X.partial`, the program fills it, `finish X` renames it to `X`. A
marker in each says what is ours: in `X.partial` who fills it, in `X` the names that it
got, so that the next `begin` removes these and nothing else. A pipeline has no marker,
which would be packaged with it; it is replaced as every command replaces pipelines.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from spacy_attnner.atomic import (
    check_folder,
    foreign_to_pipeline,
    write_json,
    writing,
)
from spacy_attnner.errors import UserError
from spacy_attnner.terminal import Commands
from spacy_attnner.workspace import MARKER, Workspace

PARTIAL = ".partial"
app = Commands()


def partial_of(folder: Path) -> Path:
    """Where a folder grows until it is finished."""
    return folder.with_name(folder.name + PARTIAL)


@app.command()
def begin(folder: Path, copy: Path | None = None) -> Path:
    """Remove what a step has made, and what an interrupted run left; start afresh.

    copy: A folder whose files it begins with.

    Returns the folder to fill, `FOLDER.partial`. Raises UserError if `folder` is
    not below the current directory, holds anything that no `finish` put there, or is
    being filled by another run.
    """
    _check_place(folder)
    if copy is not None and not copy.is_dir():
        raise UserError(f"{copy} is missing", "Run the step that makes it first.")
    partial = partial_of(folder)
    if os.path.lexists(partial):
        _check_partial(partial)
    with writing(folder), Workspace(folder) as workspace:
        _clear(folder, workspace)
        if partial.exists():
            workspace.set_aside(partial)
        if copy is not None:
            shutil.copytree(copy, workspace.new, dirs_exist_ok=True)
        write_json(workspace.new / MARKER, {"process": os.getppid()})
        os.replace(workspace.new, partial)
    return partial


@app.command()
def finish(folder: Path, expect: list[str] | None = None) -> None:
    """Put a complete `FOLDER.partial` in its place.

    Raises UserError if it is missing, misses one of the `expect`ed paths, or something
    stands there that no `finish` put there.
    """
    _check_place(folder)
    partial = partial_of(folder)
    for path in (partial, *(partial / name for name in expect or ())):
        if not path.exists():
            raise UserError(
                f"{path} is missing: {folder} was not completed",
                "Read what the step printed above, then run it again.",
            )
    with writing(folder), Workspace(folder) as workspace:
        _clear(folder, workspace)
        _put(partial, folder)


def _put(partial: Path, folder: Path) -> None:
    names = [name for name in sorted(os.listdir(partial)) if name != MARKER]
    standing = [name for name in names if os.path.lexists(folder / name)]
    whole = not set(foreign_to_pipeline(partial)) - {MARKER}
    if standing or (whole and folder.exists()):
        raise _not_ours(folder, standing or sorted(os.listdir(folder)))
    if not folder.exists():
        write_json(partial / MARKER, {"made": names})
        os.replace(partial, folder)
    else:
        write_json(folder / MARKER, {"made": names})
        for name in names:
            os.replace(partial / name, folder / name)
        (partial / MARKER).unlink(missing_ok=True)
        partial.rmdir()
    if whole:
        (folder / MARKER).unlink()


def _clear(folder: Path, workspace: Workspace) -> None:
    """Set aside what a step has made of a folder; the rest of it stays.

    Raises UserError if none of it is a step's.
    """
    if not os.path.lexists(folder):
        return
    made = read_marker(folder).get("made")
    if made is not None:
        for name in made:
            if os.path.lexists(folder / name):
                workspace.set_aside(folder / name)
    if set(os.listdir(folder)) <= {MARKER} or not foreign_to_pipeline(folder):
        workspace.set_aside(folder)
    elif made is None:
        raise _not_ours(folder, sorted(os.listdir(folder)))


def read_marker(folder: Path) -> dict[str, Any]:
    """What a folder's marker says, empty if it has none."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    if made := content.get("made"):  # names, not paths that lead out of the folder
        content["made"] = [str(n) for n in made if Path(str(n)).name == n]
    return content


def _check_place(folder: Path) -> None:
    root = Path.cwd().resolve()
    if root not in folder.resolve().parents:
        raise UserError(
            f"{folder} is not inside the project folder {root}",
            "Only outputs below the project folder are replaced.",
        )
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(
            f"{folder} is there and is no folder", "Move it away, or name a folder."
        )
    check_folder(folder.parent)


def _check_partial(partial: Path) -> None:
    """Raises UserError if it is none of ours, or another run is filling it."""
    marker = {} if partial.is_symlink() else read_marker(partial)
    if not marker and (partial.is_symlink() or not _is_empty(partial)):
        raise UserError(
            f"{partial} is there and was not made by `steps.py begin`",
            "Move it away or delete it, then run the step again.",
        )
    process = marker.get("process")
    if process != os.getppid() and _is_alive(process):
        raise UserError(
            f"process {process} is filling {partial}",
            f"Wait for it to end. If it does something else, delete {partial}.",
        )


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not os.listdir(path)


def _is_alive(process: Any) -> bool:
    """Whether there is such a process; elsewhere than on POSIX nobody knows."""
    if os.name != "posix" or not isinstance(process, int) or process <= 1:
        return False
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _not_ours(folder: Path, names: list[str]) -> UserError:
    return UserError(
        f"{folder} holds what no step made: {', '.join(names[:5])}",
        "Move that away, then run the step again; nothing in it was changed.",
    )


if __name__ == "__main__":
    app()
