"""The steps of `project.yml`: getting, checking, packaging and installing things."""
