"""Annotations of documents, or predictions, as files of annotation tools.

    documents ──doc_records──► records ──layouts──► what the format can hold
      ──to_….py──► text of a file, or files ──exporting──► complete, or not there

A record, `corpora/record.py`, is what `convert` makes documents of.
"""
