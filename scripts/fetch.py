"""Get the corpora: from public addresses, from a mirror, or the bundled sample.

python scripts/fetch.py PROJECT_DIR [--corpus CORPUS] [--mirror MIRROR]
"""

import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer
from download import DownloadError, Network, check_address, download, is_url, probe
from source import (
    ASSETS_DIR,
    SOURCE_FILE,
    Asset,
    read_assets,
    real_source,
    sample_source,
    write_source,
)
from wasabi.util import color

from spacy_attnner.errors import UserError
from spacy_attnner.terminal import Commands, msg, visible

CORPUS_CHOICES = ("auto", "conll", "sample")
RUN = "python -m spacy project run all ."
BOX_WIDTH = 78  # columns
app = Commands()


@app.command()
def main(project_dir: Path, corpus: str = "auto", mirror: str = "") -> None:
    """Fetch the corpora that project.yml lists and write corpus/SOURCE.json.

    --corpus: conll for the real corpora, sample for the bundled one, auto for the real
    ones if they can be had. --mirror: a folder or http(s) address that holds the files
    below assets/.
    """
    fetch(project_dir, corpus, mirror)


def fetch(
    project_dir: Path,
    corpus: str = "auto",
    mirror: str = "",
    network: Network | None = None,
) -> dict[str, Any]:
    """Bring the corpora below `assets/` and describe them in `corpus/SOURCE.json`.

    project_dir: The folder of `project.yml`, which lists addresses and checksums.
    corpus: "conll" for the real corpora, "sample" for the bundled one, "auto" for the
        real ones if they can be had and the bundled one otherwise.
    mirror: A folder or an http(s) address that holds the files as they lie below
        `assets/`; empty for the public addresses.

    Returns the description. Raises UserError if a real corpus was asked for, by
    name or by a mirror, and cannot be had.
    """
    if corpus not in CORPUS_CHOICES:
        raise UserError(
            f"unknown corpus {corpus!r}", f"Choose one of {', '.join(CORPUS_CHOICES)}."
        )
    assets = read_assets(project_dir)
    if corpus == "sample":
        source = sample_source(project_dir)
    else:
        source = _fetch_real(project_dir, assets, corpus, mirror, network or Network())
    write_source(project_dir / SOURCE_FILE, source)
    msg.good(f"{SOURCE_FILE}: {source['name']}")
    return source


def _fetch_real(
    project_dir: Path, assets: list[Asset], corpus: str, mirror: str, network: Network
) -> dict[str, Any]:
    missing = [asset for asset in assets if not asset.is_there(project_dir)]
    if len(missing) < len(assets):
        msg.good(f"{len(assets) - len(missing)} files are there already")
    try:
        _fetch_missing(project_dir, missing, mirror, network)
    except DownloadError as error:
        if corpus == "conll" or mirror:
            raise UserError(error.problem, f"{error.way_out}\n{_ways()}") from error
        source = sample_source(project_dir)
        typer.echo(_box(error.problem))
        return source
    return real_source(assets)


def _fetch_missing(
    project_dir: Path, missing: list[Asset], mirror: str, network: Network
) -> None:
    if mirror and (missing or is_url(mirror) or "@" in mirror):  # it may be a secret
        _check_mirror(mirror)
    if missing and not mirror and (error := probe(missing[0].url, network)):
        raise error
    for asset in missing:
        origin = locate(asset, mirror)
        download(origin, project_dir / asset.dest, asset, network)
        msg.good(f"{asset.dest} ({(project_dir / asset.dest).stat().st_size:,} bytes)")


def locate(asset: Asset, mirror: str) -> str:
    """The address or path of an asset, in the mirror if one is given."""
    if not mirror:
        return asset.url
    if is_url(mirror):
        return f"{mirror.rstrip('/')}/{quote(asset.relative)}"
    return str(Path(mirror).expanduser() / asset.relative)


def _check_mirror(mirror: str) -> None:
    if is_url(mirror):
        check_address(mirror)
    elif not Path(mirror).expanduser().is_dir():
        shown = "with an @" if "@" in mirror else repr(mirror)  # may be a password's
        raise DownloadError(
            f"the mirror {shown} is neither a folder nor an http(s) address",
            f"A relative folder counts from {Path.cwd()}.",
        )


def _ways() -> str:
    return (
        "The corpora can be had in one of these ways:\n"
        "1. From a copy: a folder, or an http(s) server, with the files as they lie\n"
        f"   below {ASSETS_DIR}/ (conll2003/eng.train and so on):\n"
        f"     {RUN} --vars.mirror DIR-or-URL\n"
        "2. On a machine that reaches their public addresses, run\n"
        "     python -m spacy project assets\n"
        f"   and copy its {ASSETS_DIR}/ folder here.\n"
        "3. Not at all, with the small sample that comes with the project:\n"
        f"     {RUN} --vars.corpus sample"
    )


def _box(reason: str) -> str:
    """The announcement that the sample stands in for the real corpora."""
    body = [
        "THE REAL CORPORA CANNOT BE HAD: GOING ON WITH THE BUNDLED SAMPLE",
        "",
        "The pipeline will work, but a few hundred short documents teach it little:",
        "its scores say nothing about what it reaches on CoNLL-2003.",
        "",
        "For the real corpora, one of",
        f"  {RUN} --vars.mirror DIR-or-URL",
        f"  {RUN} --vars.corpus conll",
        "",
        *textwrap.wrap(
            visible(f"Why: {reason}"),
            BOX_WIDTH - 6,
            break_long_words=False,
            break_on_hyphens=False,
        ),
    ]
    edge = "#" * BOX_WIDTH
    lines = [edge, *(f"##  {line:<{BOX_WIDTH - 4}}" for line in body), edge]
    return "\n".join(["", *(color(x, fg="black", bg="yellow") for x in lines), ""])


if __name__ == "__main__":
    app()
