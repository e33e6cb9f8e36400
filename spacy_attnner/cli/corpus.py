"""`spacy attn corpus`: the `.spacy` files of all trainings."""

from pathlib import Path

import typer

from .app import attn_cli


@attn_cli.command("corpus")
def corpus_cli(
    source: Path = typer.Argument(..., help="The SOURCE.json that `fetch` wrote"),
    output_dir: Path = typer.Argument(..., help="The folder to write to"),
) -> None:
    """Convert what was fetched to OUTPUT_DIR/{ner,rel,sentiment,questions}."""
    from ..project.corpus import make_corpora

    make_corpora(source, output_dir)
