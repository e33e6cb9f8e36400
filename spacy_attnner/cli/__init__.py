"""The command line: `python -m spacy attn …`, one file a command.

Importing a command registers it.
"""

from . import calibrate as calibrate
from . import check as check
from . import convert as convert
from . import corpus as corpus
from . import evaluate as evaluate
from . import fetch as fetch
from . import info as info
from . import install as install
from . import relations as relations
from . import report as report
from . import stamp as stamp
from . import steps as steps
from . import thresholds as thresholds
from . import vectors as vectors
from .app import attn_cli

__all__ = ["attn_cli"]
