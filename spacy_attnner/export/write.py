"""The relations of documents in a file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..atomic import Output, replacing
from ..relations import get_relations
from .csv import to_csv
from .cypher import to_cypher
from .graph import import_networkx, write_graphml
from .identifiers import BASE, check_base
from .jsonl import to_jsonl
from .ntriples import to_ntriples
from .triples import Source

FORMATS = ("jsonl", "csv", "nt", "cypher", "graphml")


@dataclass
class Written:
    """How much was written.

    unreadable: What is wrong with texts that were read as empty ones.
    """

    documents: int = 0
    triples: int = 0
    unreadable: list[str] = field(default_factory=list)


def write_relations(
    docs: Iterable[Source],
    path: str | Path,
    *,
    format: str | None = None,
    threshold: float = 0.0,
    base: str = BASE,
    spreadsheet: bool = False,
) -> Written:
    """Write the relations of documents to a file, all of it or nothing.

    docs: Documents, or pairs of a document and its id or `DocInfo`; one at a time is
        held. Those without relations are counted and add nothing.
    path: The file, UTF-8; it replaces what is there.
    format: One of jsonl, csv, nt, cypher, graphml; None tells it from the file's name.
    threshold: Leave out relations with a lower score.
    base: What the names of nt, and those of documents in cypher, begin with.
    spreadsheet: In csv, put a ' before texts that a spreadsheet takes for formulas.

    Raises ValueError for an unknown format, a base that is no absolute IRI or a score
    that is no finite number; UserError if the file cannot be written; ImportError
    for graphml without networkx.
    """
    path = Path(path)
    format = choose_format(path, format)
    check_base(base)
    if format == "graphml":
        import_networkx()
    written = Written()
    docs = _counted(docs, written, threshold)
    with replacing(path) as output:
        if format == "graphml":
            write_graphml(docs, output, threshold=threshold)
        elif format == "csv":
            _put(to_csv(docs, threshold=threshold, spreadsheet=spreadsheet), output)
        elif format == "nt":
            _put(to_ntriples(docs, threshold=threshold, base=base), output)
        elif format == "cypher":
            _put(to_cypher(docs, threshold=threshold, base=base), output)
        else:
            _put(to_jsonl(docs, threshold=threshold), output)
    return written


def choose_format(path: Path, format: str | None = None) -> str:
    """The format that was named, or that of the file's name.

    Raises ValueError if it is none of `FORMATS`.
    """
    name = path.suffix.removeprefix(".").lower() if format is None else format
    if name not in FORMATS:
        what = f"the ending of {path}" if format is None else repr(format)
        raise ValueError(f"{what} is no format; the formats are {', '.join(FORMATS)}")
    return name


def _counted(
    docs: Iterable[Source], written: Written, threshold: float
) -> Iterator[Source]:
    for source in docs:
        doc = source[0] if isinstance(source, tuple) else source
        written.documents += 1
        written.triples += sum(
            relation.score >= threshold for relation in get_relations(doc)
        )
        yield source


def _put(lines: Iterable[str], output: Output) -> None:
    for line in lines:
        output.write(line.encode("utf-8"))
