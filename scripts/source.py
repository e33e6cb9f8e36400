"""The corpora that `project.yml` lists, and `corpus/SOURCE.json`, which were used.

The content of the latter depends on the corpora alone, not on the day or on the mirror,
because the later steps run again when it changes.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import srsly

from spacy_attnner.atomic import write_json
from spacy_attnner.errors import UserError

PROJECT_FILE = "project.yml"
RESTORE = "Restore the entry from the repository."
ASSETS_DIR = "assets"
CHUNK = 1 << 16  # bytes
SOURCE_FILE = "corpus/SOURCE.json"
SAMPLE_DIR = "assets/sample"
SAMPLE_FILES = ("train.jsonl", "dev.jsonl", "test.jsonl")
# folder below assets/: name, author, licence
CORPORA = {
    "conll2003": (
        "CoNLL-2003 English named entities",
        "Erik F. Tjong Kim Sang and Fien De Meulder (2003)",
        "Reuters text, research use",
    ),
    "conll04": (
        "CoNLL04 entities and relations",
        "Dan Roth and Wen-tau Yih (2004)",
        "research use",
    ),
    "trec": (
        "TREC question classification",
        "Xin Li and Dan Roth (2002)",
        "research use",
    ),
    "sst_trees": (
        "Stanford Sentiment Treebank",
        "Richard Socher and others (2013)",
        "research use",
    ),
}
OTHERS = {"trec"}  # of pipelines that are trained beside the one that is shipped


@dataclass(frozen=True)
class Asset:
    """One file of a corpus.

    dest: Its path in the project, below assets/, with forward slashes.
    url: Its public address.
    md5: The MD5 of its content, 32 hexadecimal digits.
    sha256: Its SHA-256, 64 hexadecimal digits; empty if it is not known.
    size: Its bytes; None if they are not known.
    longer: Whether the file at the address goes on with something else behind them.
    """

    dest: str
    url: str
    md5: str
    sha256: str = ""
    size: int | None = None
    longer: bool = False

    @property
    def relative(self) -> str:
        """Its path below assets/, which is also its path in a mirror."""
        return str(PurePosixPath(self.dest).relative_to(ASSETS_DIR))

    def is_there(self, project_dir: Path) -> bool:
        """Whether the project holds the file with the right content."""
        path = project_dir / self.dest
        if not path.is_file() or self.size not in (None, path.stat().st_size):
            return False
        check = Check(self)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                check.update(chunk)
        return check.is_right()


class Check:
    """Whether what it is given, chunk by chunk, is the content of an asset.

    size: How many bytes it was given.
    """

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.size = 0
        self.hashes = {"MD5": hashlib.md5(usedforsecurity=False)}
        if asset.sha256:
            self.hashes["SHA-256"] = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        """The next bytes."""
        self.size += len(chunk)
        for each in self.hashes.values():
            each.update(chunk)

    def is_right(self) -> bool:
        """Whether all of it was as expected."""
        expected = {"MD5": self.asset.md5, "SHA-256": self.asset.sha256}
        found = {name: each.hexdigest() for name, each in self.hashes.items()}
        size = self.asset.size in (None, self.size)
        return size and all(expected[name] == found[name] for name in found)

    def expected(self) -> str:
        """What the content should be, in words."""
        size = "" if self.asset.size is None else f"{self.asset.size:,} bytes with "
        sha256 = f" and SHA-256 {self.asset.sha256}" if self.asset.sha256 else ""
        return f"{size}MD5 {self.asset.md5}{sha256}"

    def found(self) -> str:
        """What it is, in words."""
        hashes = (f"{name} {each.hexdigest()}" for name, each in self.hashes.items())
        return f"{self.size:,} bytes with {' and '.join(hashes)}"


def md5_of(path: Path) -> str:
    """The MD5 of a file's content, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


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
    if not isinstance(entry, dict):
        raise UserError(f"{path}: asset {entry!r} has no keys", RESTORE)
    longer = entry.get("longer", False)
    # `spacy project assets` compares `checksum` with all that is at the address
    key = "md5" if longer is True else "checksum"
    texts = (str(entry.get(name) or "") for name in ("dest", "url", key, "sha256"))
    asset = Asset(*texts, size=entry.get("size"), longer=longer)
    parts = PurePosixPath(asset.dest).parts
    if len(parts) < 2 or parts[0] != ASSETS_DIR or ".." in parts:
        raise UserError(
            f"{path}: asset {asset.dest!r} does not lie below {ASSETS_DIR}/",
            f"Give it a dest such as {ASSETS_DIR}/conll2003/eng.train.",
        )
    if not re.fullmatch("[0-9a-f]{32}", asset.md5) or not asset.url:
        raise UserError(
            f"{path}: asset {asset.dest!r} needs a url and an MD5 checksum ({key}) of "
            f"32 lower-case hexadecimal digits, not {asset.url!r} and {asset.md5!r}",
            RESTORE,
        )
    if not re.fullmatch("(?:[0-9a-f]{64})?", asset.sha256) or not (
        asset.size is None or (type(asset.size) is int and asset.size > 0)
    ):
        raise UserError(
            f"{path}: asset {asset.dest!r} has the sha256 {asset.sha256!r} and the "
            f"size {asset.size!r}; they are 64 lower-case hexadecimal digits and a "
            "number of bytes",
            RESTORE,
        )
    if type(longer) is not bool or (longer and asset.size is None):
        raise UserError(
            f"{path}: asset {asset.dest!r} has longer {longer!r} and size "
            f"{asset.size!r}; longer is true or false, and true needs a size",
            RESTORE,
        )
    return asset


def real_source(assets: list[Asset]) -> dict[str, Any]:
    """The corpora that `project.yml` lists, and what of them the pipeline learns."""
    folders = dict.fromkeys(PurePosixPath(a.relative).parts[0] for a in assets)
    sources = []
    for folder in (each for each in folders if each not in OTHERS):
        name, author, licence = CORPORA.get(folder, (folder, "unknown", "unknown"))
        url = next(a.url for a in assets if a.relative.startswith(f"{folder}/"))
        sources.append(
            {
                "name": name,
                "author": author,
                "license": licence,
                "url": url.rsplit("/", 1)[0],
            }
        )
    names = ", ".join(source["name"] for source in sources)
    return {
        "corpus": "conll",
        "name": "CoNLL",
        "description": f"Trained on {names}.",
        "card": {
            "intended_use": (
                "Research, and trying out what spacy-attnner does: names, relations "
                "between them, and whether a sentence is for or against, in English."
            ),
            "limits": (
                "Entities and relations were learnt from news of the last century, "
                "categories from sentences of film reviews: on other texts scores are "
                "lower, and confidences may be too high. Each corpus annotates a part, "
                "by guidelines of its own. The corpora are for research use."
            ),
        },
        "licence": "research use",
        "sources": sources,
        "files": {asset.dest: asset.md5 for asset in assets},
    }


def sample_source(project_dir: Path) -> dict[str, Any]:
    """The description of the bundled sample.

    Raises UserError if one of its files is missing.
    """
    files = {}
    for name in SAMPLE_FILES:
        path = project_dir / SAMPLE_DIR / name
        if not path.is_file():
            raise UserError(
                f"{path} of the bundled sample is missing",
                f"Restore it: git checkout -- {SAMPLE_DIR}",
            )
        files[f"{SAMPLE_DIR}/{name}"] = md5_of(path)
    name = "spacy-attnner sample"
    return {
        "corpus": "sample",
        "name": name,
        "description": (
            f"Trained on the {name}: a few hundred short documents that show how it "
            "works; too few for real use."
        ),
        "card": {
            "intended_use": "Seeing that all steps work.",
            "limits": "It has read a few hundred invented documents: believe nothing.",
        },
        "licence": "CC0-1.0",
        "sources": [
            {
                "name": name,
                "author": "the spacy-attnner contributors",
                "license": "CC0-1.0",
                "url": SAMPLE_DIR,
            }
        ],
        "files": files,
    }


def write_source(path: Path, source: dict[str, Any]) -> None:
    """Write `SOURCE.json` in one step."""
    write_json(path, source)


def read_source(path: Path) -> dict[str, Any]:
    """Read `SOURCE.json`.

    Raises UserError if it is missing or is not what `write_source` writes.
    """
    way_out = "Run: python -m spacy project run fetch"
    try:
        source = json.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing", way_out) from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}", way_out) from error
    keys = ("corpus", "name", "description", "licence", "sources", "files")
    if not isinstance(source, dict) or not isinstance(source.get("files", {}), dict):
        raise UserError(f"{path} is no description of corpora", way_out)
    absent = [key for key in keys if key not in source]
    if absent:
        raise UserError(f"{path} lacks {', '.join(absent)}", way_out)
    return source
