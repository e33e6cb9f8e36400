"""The corpora that `project.yml` lists: where they go, where from, which checksum."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import srsly

from ..errors import UserError

PROJECT_FILE = "project.yml"
ASSETS_DIR = "assets"


@dataclass(frozen=True)
class Asset:
    """One file of a corpus.

    dest: Its path in the project, below assets/, with forward slashes.
    url: Its public address.
    md5: The MD5 of its content, 32 hexadecimal digits.
    """

    dest: str
    url: str
    md5: str

    @property
    def relative(self) -> str:
        """Its path below assets/, which is also its path in a mirror."""
        return str(PurePosixPath(self.dest).relative_to(ASSETS_DIR))

    def is_there(self, project_dir: Path) -> bool:
        """Whether the project holds the file with the right content."""
        path = project_dir / self.dest
        return path.is_file() and md5_of(path) == self.md5


def md5_of(path: Path) -> str:
    """The MD5 of a file's content, in hexadecimal."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def read_assets(project_dir: Path) -> list[Asset]:
    """Read the assets that `project.yml` lists.

    Raises UserError if the file or its list is missing, or an entry is malformed.
    """
    path = project_dir / PROJECT_FILE
    if not path.is_file():
        raise UserError(
            f"there is no {PROJECT_FILE} in {project_dir}",
            "Run the command in the project's folder, or name that folder.",
        )
    try:
        config = srsly.read_yaml(path)
    except ValueError as error:
        raise UserError(f"{path} is not valid YAML", str(error)) from error
    entries = config.get("assets") if isinstance(config, dict) else None
    if not entries:
        raise UserError(
            f"{path} lists no assets",
            "Restore its 'assets' section from the repository.",
        )
    return [_read_asset(path, entry) for entry in entries]


def _read_asset(path: Path, entry: dict[str, Any]) -> Asset:
    asset = Asset(
        *(str(entry.get(key) or "") for key in ("dest", "url", "checksum")),
    )
    parts = PurePosixPath(asset.dest).parts
    if len(parts) < 2 or parts[0] != ASSETS_DIR or ".." in parts:
        raise UserError(
            f"{path}: asset {asset.dest!r} does not lie below {ASSETS_DIR}/",
            f"Give it a dest such as {ASSETS_DIR}/conll2003/eng.train.",
        )
    if not re.fullmatch("[0-9a-f]{32}", asset.md5) or not asset.url:
        raise UserError(
            f"{path}: asset {asset.dest!r} needs a url and an MD5 checksum of 32 "
            f"lower-case hexadecimal digits, not {asset.url!r} and {asset.md5!r}",
            "Restore the entry from the repository.",
        )
    return asset
