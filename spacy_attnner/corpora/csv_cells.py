"""The separator of CSV or TSV, and the names of its columns."""

import csv


def read_names(line: str) -> tuple[list[str], str]:
    """The names of the columns, none if the line is no CSV, and the separator."""
    comma = max("\t;,", key=line.count)
    try:
        return next(csv.reader([line], delimiter=comma), []), comma
    except csv.Error:
        return [], comma
