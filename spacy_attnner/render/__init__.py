"""Pictures of what a pipeline says, and why."""

from .heat import caption, heat
from .page import page
from .picture import Picture, picture

__all__ = ["Picture", "caption", "heat", "page", "picture"]
