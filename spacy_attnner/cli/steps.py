"""`spacy attn begin` and `finish`: outputs that are complete or not there."""

from pathlib import Path

import typer

from .app import attn_cli


@attn_cli.command("begin")
def begin_cli(
    folder: Path = typer.Argument(..., help="The folder that a step is to fill"),
) -> None:
    """Remove an earlier FOLDER and make an empty FOLDER.partial to fill."""
    from ..project.step_folders import begin

    begin(folder)


@attn_cli.command("finish")
def finish_cli(
    folder: Path = typer.Argument(..., help="The folder that a step has filled"),
    expect: list[str] = typer.Option([], help="A path in it that must be there"),
) -> None:
    """Rename a complete FOLDER.partial to FOLDER."""
    from ..project.step_folders import finish

    finish(folder, expect)
