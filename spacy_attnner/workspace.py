"""Where an output grows until it is complete: a folder beside it that says whose it is.

    .NAME.XXXXXXXX.attn/
        MARKER  the name of the output; locked for as long as its process lives
        new     the output, until it is complete
        old     what it replaces, for the moment between two renames

Nothing is removed but such folders. What a killed run left is cleaned up by the next
one of the same output, which first puts `old` back if nothing took its place.
"""

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from errno import EEXIST, ENOTEMPTY
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: what a killed run left stays there
    fcntl = None

MARKER = ".spacy-attnner"
UNNAMED = f"{MARKER}.new"  # a marker that is not locked yet
SUFFIX = ".attn"
YOUNG = 60  # seconds, in which a new folder gets its marker
ATTEMPTS = 20  # of a swap, while other runs put their output into the same place


class Workspace:
    """A folder of our own beside an output; a context manager that removes it.

    target: The output, no link.
    new: Where it is to be written.

    Raises OSError where no folder can be made.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.made = [folder for folder in target.parents if not folder.exists()]
        with ExitStack() as undo:
            undo.callback(self._remove_made)
            target.parent.mkdir(parents=True, exist_ok=True)
            clean(target)
            ours = {"dir": target.parent, "prefix": _prefix(target), "suffix": SUFFIX}
            self.folder = Path(tempfile.mkdtemp(**ours))
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._marker = _mark(self.folder, target)
            undo.pop_all()
        self.new = self.folder / "new"
        self.old = self.folder / "old"

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._marker)  # Windows removes nothing that is open
        with suppress(OSError):  # the next run tries again
            _restore(self.folder, self.target)
            _delete(self.folder)
        self._remove_made()

    def _remove_made(self) -> None:
        """Remove folders on the way that were made in vain."""
        with suppress(OSError):  # it is not empty
            for folder in self.made:
                folder.rmdir()

    def put_file(self) -> None:
        """Put the file `new` into its place, with the permissions of what was there."""
        _keep_mode(self.target, self.new)
        os.replace(self.new, self.target)

    def put_folder(self) -> None:
        """Put the folder `new` into its place; what was there is deleted.

        Of two runs that finish at the same time, one replaces the other.
        """
        for last in [False] * ATTEMPTS + [True]:
            if self.old.exists():
                self.set_aside(self.old)
            with suppress(FileNotFoundError):
                _keep_mode(self.target, self.new)
                os.replace(self.target, self.old)
            try:
                os.replace(self.new, self.target)
                return
            except OSError as error:
                if last or error.errno not in (EEXIST, ENOTEMPTY):
                    raise

    def put_files(self, folder: Path, names: Sequence[str]) -> None:
        """Put files below `new` at the same names below `folder`.

        The old ones go first: an interrupted run leaves no mixture.
        """
        places = {name: Path(os.path.realpath(folder / name)) for name in names}
        for name, place in places.items():
            if place.exists():
                _keep_mode(place, self.new / name)
                self.set_aside(place)
        for name, place in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.new / name, place)

    def set_aside(self, path: Path) -> None:
        """Have a file or folder deleted with this one."""
        os.rename(path, Path(tempfile.mkdtemp(dir=self.folder)) / "gone")


def clean(target: Path) -> None:
    """Remove what killed runs left of an output, and nothing else."""
    prefix = _prefix(target)
    with suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            ours = entry.name.startswith(prefix) and entry.name.endswith(SUFFIX)
            if ours and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):  # another user's, or being removed
                    _clean(Path(entry.path), target)


def _clean(folder: Path, target: Path) -> None:
    names = os.listdir(folder)
    if set(names) <= {UNNAMED} and time.time() - folder.stat().st_mtime > YOUNG:
        for name in names:  # its run was killed while it left its marker
            (folder / name).unlink()
        folder.rmdir()
        return
    marker = os.open(folder / MARKER, os.O_RDWR)
    try:
        if os.read(marker, 4096) == os.fsencode(target.name) and _lock(marker):
            _restore(folder, target)
            _delete(folder)
    finally:
        os.close(marker)


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}."  # with the rest, names stay below 255 bytes


def _mark(folder: Path, target: Path) -> int:
    """Leave a marker, locked before it has its name."""
    unnamed = folder / UNNAMED
    marker = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.write(marker, os.fsencode(target.name))
        with suppress(OSError):  # no locks on this disk: nobody will clean up
            _lock(marker)
        if fcntl is not None:  # Windows cannot rename what is open, and never cleans up
            os.rename(unnamed, folder / MARKER)
    except BaseException:
        os.close(marker)
        raise
    return marker


def _lock(marker: int) -> bool:
    """Whether no living process has it; raises OSError where it does."""
    if fcntl is None:
        return False
    fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def _restore(folder: Path, target: Path) -> None:
    old = folder / "old"
    if old.exists() and not os.path.lexists(target):
        os.rename(old, target)


def _delete(folder: Path) -> None:
    """Without `old` first, which might be restored half deleted; the marker last."""
    if (folder / "old").exists():
        os.rename(folder / "old", Path(tempfile.mkdtemp(dir=folder)) / "gone")
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    (folder / MARKER).unlink(missing_ok=True)
    folder.rmdir()


def _keep_mode(old: Path, new: Path) -> None:
    """Give `new` the permissions of `old`, if there is one."""
    with suppress(FileNotFoundError):
        os.chmod(new, stat.S_IMODE(old.stat().st_mode))
