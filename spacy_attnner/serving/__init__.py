"""A pipeline behind HTTP: requests that arrive together are read as one batch."""
