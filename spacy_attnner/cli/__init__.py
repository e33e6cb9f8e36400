"""The command line: `python -m spacy attn …`. Importing a command registers it."""

from . import batch_commands as batch_commands
from . import data_commands as data_commands
from . import picture_commands as picture_commands
from . import pipeline_commands as pipeline_commands
from . import serving_commands as serving_commands
from . import text_commands as text_commands
from . import training_commands as training_commands
from .app import attn_cli

__all__ = ["attn_cli"]
