"""`spacy attn check`: see that an installed pipeline works."""

from pathlib import Path

import typer

from .app import attn_cli


@attn_cli.command("check")
def check_cli(
    name: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    output: Path | None = typer.Option(None, help="A text file to write it to, too"),
) -> None:
    """Load a pipeline and show what it finds in three sentences."""
    from ..atomic import check_apart, check_file, write_text
    from ..pipelines import running
    from ..project.check import check_pipeline, describe

    if output is not None:
        check_file(output)
        check_apart(output, {"pipeline": name})
    nlp = check_pipeline(name)
    with running(name):
        shown, plain = describe(nlp, colored=True), describe(nlp)
    typer.echo(shown)
    if output is not None:
        write_text(output, plain)
