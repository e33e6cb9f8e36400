"""Pictures of what a pipeline says, and why."""

from .heat import caption, heat
from .page import page

__all__ = ["caption", "heat", "page"]
