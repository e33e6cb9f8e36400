"""The command that all others register themselves with."""

from collections.abc import Callable
from typing import Any

import typer
from spacy.cli._util import app

from ..errors import reported


class Commands(typer.Typer):
    """Commands that say what is wrong instead of showing where in the code it was."""

    def command(self, *args: Any, **settings: Any) -> Callable[[Callable], Callable]:
        """Register a function as a command."""
        register = super().command(*args, **settings)

        def decorate(function: Callable) -> Callable:
            register(reported()(function))
            return function

        return decorate


attn_cli = Commands(
    name="attn",
    help="Corpora, vectors and project steps of spacy-attnner.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(attn_cli)
