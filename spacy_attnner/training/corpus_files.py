"""The files that a training reads: whether their content has changed since it began."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..wheels import sha256_of


def corpus_digests(config: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each file that readers in `[corpora]` are given, by its path.

    Of all their content: that takes seconds for a gigabyte, of which making documents
    takes minutes.

    config: Interpolated.
    """
    files = sorted(set(_files(config.get("corpora", {}))))
    return {str(file): sha256_of(file) for file in files}


def _files(section: Mapping[str, Any]) -> Iterator[Path]:
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _files(value)
        elif isinstance(value, str) and os.path.isfile(value):
            yield Path(value)
        elif isinstance(value, str) and name == "path":  # a folder of `.spacy` files
            yield from (file for file in Path(value).rglob("*.spacy") if file.is_file())


def require_unchanged(
    before: Mapping[str, str], now: Mapping[str, str], output: Path
) -> None:
    """Raises UserError, naming the files, if any is another, is new or is gone.

    before: Of the beginning of the training into `output`.
    """
    found = [
        f"{file} {'has changed' if file in now else 'is gone'}"
        for file, digest in before.items()
        if now.get(file) != digest
    ]
    found += [f"{file} is new" for file in now if file not in before]
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise UserError(
            f"since the training in {output} began, {', '.join(found[:5])}{more}",
            "Restore what it was begun with, or begin anew by --force.",
        )
