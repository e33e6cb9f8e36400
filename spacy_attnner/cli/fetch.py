"""`spacy attn fetch`: bring the corpora into the project."""

from enum import Enum
from pathlib import Path

import typer

from .app import attn_cli


class Corpus(str, Enum):
    """Which corpora to train on."""

    auto = "auto"
    conll = "conll"
    sample = "sample"


@attn_cli.command("fetch")
def fetch_cli(
    project_dir: Path = typer.Argument(
        Path("."), help="The folder of project.yml", exists=True, file_okay=False
    ),
    corpus: Corpus = typer.Option(
        Corpus.auto,
        help="auto: the real corpora if they can be had, otherwise the sample",
    ),
    mirror: str = typer.Option(
        "", help="A folder or http(s) address that holds the files below assets/"
    ),
) -> None:
    """Fetch the corpora that project.yml lists and write corpus/SOURCE.json."""
    from ..project.fetch import fetch

    fetch(project_dir, corpus.value, mirror)
