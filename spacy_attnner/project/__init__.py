"""The steps of `project.yml`: getting, checking, packaging and installing things."""

from .errors import ProjectError

__all__ = ["ProjectError"]
