"""Commands of both kinds: those of `spacy attn`, and the project's scripts."""

import check
import choose
import corpus
import evaluate
import fetch
import install
import stamp
import steps
from click.testing import Result
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli

SCRIPTS = {
    "check": check.app,
    "choose": choose.app,
    "corpus": corpus.app,
    "evaluate-project": evaluate.app,
    "fetch": fetch.app,
    "install": install.app,
    "stamp": stamp.app,
}


def invoke(command: str, args: list[str]) -> Result:
    """Run a command within this process."""
    if command in SCRIPTS:
        return CliRunner().invoke(SCRIPTS[command], args)
    app = steps.app if command in ("begin", "finish") else attn_cli
    return CliRunner().invoke(app, [command, *args])
