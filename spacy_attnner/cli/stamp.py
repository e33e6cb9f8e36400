"""`spacy attn stamp`: say in a pipeline what it was trained on."""

from pathlib import Path

import typer

from .app import attn_cli


@attn_cli.command("stamp")
def stamp_cli(
    model_dir: Path = typer.Argument(..., help="The pipeline's folder"),
    source: Path = typer.Argument(..., help="The SOURCE.json that `fetch` wrote"),
    vectors: Path | None = typer.Option(None, help="The folder of its word vectors"),
) -> None:
    """Write sources, description and licence into MODEL_DIR/meta.json."""
    from ..project.stamp import stamp

    stamp(model_dir, source, vectors)
