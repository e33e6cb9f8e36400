"""Texts out of files: found, decompressed and read row by row, for all commands.

inputs ──row_readers──► rows ──row_stream──► parts of a fixed number of rows
  ──given──► what a pipeline gets of each row, and what is known of it
"""
