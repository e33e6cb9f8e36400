"""`corpus/SOURCE.json`: which corpora a pipeline was trained on.

Its content depends on the corpora alone, not on the day or on the mirror, because the
later steps run again when it changes.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from ..atomic import write_json
from ..errors import UserError
from .assets import Asset, md5_of

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
    "sst2": (
        "SST-2, Stanford Sentiment Treebank",
        "Richard Socher and others (2013)",
        "research use",
    ),
}


def real_source(assets: list[Asset]) -> dict[str, Any]:
    """The description of the corpora that `project.yml` lists."""
    folders = dict.fromkeys(PurePosixPath(a.relative).parts[0] for a in assets)
    sources = []
    for folder in folders:
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
