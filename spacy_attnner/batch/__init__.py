"""Pipelines over any number of texts, each exactly once: `spacy attn apply`.

    texts/ ──row_stream──► parts of a fixed number of rows
      ──annotator, in one or several processes──► a part file, and the rows that failed
      ──manifest──► which parts are finished; errors.jsonl

Parts are cut by their rows alone, and batches are formed within a part, so that results
do not depend on where a run was cut off or on how many processes it had.
"""
