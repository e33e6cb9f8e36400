"""`spacy attn install`: put the packaged pipeline into this environment."""

from pathlib import Path

import typer

from ..terminal import msg
from .app import attn_cli


@attn_cli.command("install")
def install_cli(
    packages: Path = typer.Argument(..., help="The folder with the built wheel"),
    record: Path = typer.Argument(..., help="The JSON file that says what was done"),
) -> None:
    """Install the newest wheel below PACKAGES with pip and record it."""
    from ..project.install import install_wheel

    result = install_wheel(packages, record)
    msg.good(f"Installed {result['name']} {result['version']}")
