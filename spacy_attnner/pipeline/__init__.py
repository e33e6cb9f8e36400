"""spaCy pipeline components; no module here imports torch."""
