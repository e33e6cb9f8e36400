"""The command that all others register themselves with."""

import typer
from spacy.cli._util import app

attn_cli = typer.Typer(
    name="attn",
    help="Corpora, vectors and project steps of spacy-attnner.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(attn_cli)
