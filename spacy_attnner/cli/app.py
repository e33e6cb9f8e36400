"""The command that all others register themselves with, and how it lists them."""

from typing import Any

from spacy.cli._util import app
from typer.core import TyperGroup

from ..terminal import Commands

CODE = "A Python file to import: registered functions"  # what --code is
GROUPS = {
    "Data": ("convert", "export", "data", "vectors", "encoder", "init-config"),
    "Pipelines": (
        *("train", "tune", "crossval", "calibrate", "thresholds", "evaluate", "report"),
        *("card", "onnx", "info"),
    ),
    "Texts": ("apply", "relations", "render", "explain", "serve"),
}


class GroupedCommands(TyperGroup):
    """Lists commands under headings, with the first sentence of what they do."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Nothing: the headings say it."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands alone: the one option, --help, was just given."""
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write all commands, those of no group at the end."""
        grouped = [name for names in GROUPS.values() for name in names]
        others = [name for name in self.commands if name not in grouped]
        for title, names in {**GROUPS, "Others": others}.items():
            rows = [
                (f"{name:<12}", self.commands[name].get_short_help_str(formatter.width))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_spacing=0)


attn_cli = Commands(
    name="attn",
    help="Data, trained pipelines and texts with spacy-attnner.",
    no_args_is_help=True,
    cls=GroupedCommands,
)
app.add_typer(attn_cli)
