"""The formats by name: telling which one a file has, and reading it."""

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from .conll04 import read_conll04
from .conll2003 import DOCSTART, read_conll2003
from .errors import CorpusError, Repairs
from .json_dialects import detect_dialect
from .jsonl import read_jsonl
from .lines import read_lines
from .prodigy import read_prodigy
from .semeval2010 import read_semeval2010
from .sentences import split_counting
from .sst2 import read_sst2
from .trec import ENCODING, read_trec

# the first line of a file that is not blank, read as ISO-8859-1, which never fails
JSON = re.compile(r"\s*\{")
SIGNATURES = {
    "conll04": re.compile(r"#doc"),
    "conll2003": re.compile(
        rf"{DOCSTART}([ \t]|$)|[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+(O|[BI]-[^ \t]+)$"
    ),
    # before sst2, whose `1 text` a first sentence looks like
    "semeval2010": re.compile(r"\d+[ \t]+\".*</e[12]>"),
    "trec": re.compile(r"[A-Z]+:[^ \t]+[ \t]+[^ \t]"),
    "sst2": re.compile(r"[01][ \t]+[^ \t]"),
}
FORMATS = ("jsonl", "prodigy", *SIGNATURES)


def detect_format(path: str | Path) -> str:
    """Tell a file's format from its extension or its first line.

    JSON is told from Prodigy's by its keys, see `detect_dialect`.

    Raises CorpusError if there is no such file, nothing in it, or it looks like none.
    """
    if Path(path).suffix == ".jsonl":
        return detect_dialect(path)
    for number, line in read_lines(path, ENCODING):
        line = line.removeprefix("\u00ef\u00bb\u00bf")  # a UTF-8 byte order mark
        if not line.strip():
            continue
        if JSON.match(line):
            return detect_dialect(path)
        for name, signature in SIGNATURES.items():
            if signature.match(line):
                return name
        raise CorpusError(
            path,
            number,
            f"{line[:40]!r} looks like none of the formats; name it with --format, one "
            f"of {', '.join(FORMATS)}",
        )
    raise CorpusError(path, 1, "the file is empty; check its path")


def read_corpus(
    path: str | Path,
    nlp: Language,
    format: str,
    *,
    sentences: bool = False,
    fine: bool = False,
    entity_label: str = "ENTITY",
    labels: Collection[str] | None = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a corpus in a format known by name.

    nlp: Gives the vocabulary and, for JSONL, Prodigy and SemEval, the tokenizer.
    format: One of `FORMATS`.
    sentences: Make one document of every sentence.
    fine: Use TREC's fine labels.
    entity_label: The label of entities that have none in SemEval-2010 and Prodigy.
    labels: The labels allowed; None allows any.
    repairs: Counts the flaws that were repaired.

    Raises CorpusError if the format is unknown, or the file or a line malformed.
    """
    repairs = Repairs() if repairs is None else repairs
    vocab = nlp.vocab
    readers: dict[str, Callable[[], Iterator[Doc]]] = {
        "jsonl": lambda: read_jsonl(path, nlp, labels=labels),
        "prodigy": lambda: read_prodigy(
            path, nlp, entity_label=entity_label, labels=labels, repairs=repairs
        ),
        "conll2003": lambda: read_conll2003(
            path, vocab, sentences=sentences, labels=labels, repairs=repairs
        ),
        "conll04": lambda: read_conll04(path, vocab, labels=labels, repairs=repairs),
        "trec": lambda: read_trec(path, vocab, fine=fine, labels=labels),
        "sst2": lambda: read_sst2(path, vocab, labels=labels),
        "semeval2010": lambda: read_semeval2010(
            path, nlp, entity_label=entity_label, labels=labels, repairs=repairs
        ),
    }
    if format not in readers:
        raise CorpusError(
            path, None, f"unknown format {format!r}; choose from {', '.join(FORMATS)}"
        )
    docs = readers[format]()
    return split_counting(docs, path, repairs) if sentences else docs
