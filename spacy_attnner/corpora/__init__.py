"""Corpus readers and converters, one file a format."""
