"""Corpora: readers by format, conversion, and what training shows of a document."""
