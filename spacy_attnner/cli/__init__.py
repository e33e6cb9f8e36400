"""The command line: `python -m spacy attn …`, one file a command."""

import typer
from spacy.cli._util import app

attn_cli = typer.Typer(
    name="attn",
    help="Corpora, vectors and project steps of spacy-attnner.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(attn_cli)

__all__ = ["attn_cli"]

# the commands register themselves with attn_cli, so they come behind it
from . import calibrate as calibrate  # noqa: E402
from . import check as check  # noqa: E402
from . import convert as convert  # noqa: E402
from . import corpus as corpus  # noqa: E402
from . import evaluate as evaluate  # noqa: E402
from . import fetch as fetch  # noqa: E402
from . import install as install  # noqa: E402
from . import relations as relations  # noqa: E402
from . import report as report  # noqa: E402
from . import stamp as stamp  # noqa: E402
from . import steps as steps  # noqa: E402
from . import thresholds as thresholds  # noqa: E402
from . import vectors as vectors  # noqa: E402
