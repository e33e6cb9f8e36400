"""The formats by name: telling which one a file has, and reading it."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..relations import get_relations, split_sentences
from .conll import DOCSTART, read_conll04, read_conll2003
from .jsonl import read_jsonl
from .labelled_text import TREC_ENCODING, read_sst2, read_trec
from .prodigy import read_prodigy
from .reading import CorpusError, Labels, Repairs, Source
from .semeval import read_semeval2010
from .trees import read_sst_trees

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
    "sst_trees": re.compile(r"\([0-4][ \t]+[^ \t]"),
}
FORMATS = ("jsonl", "prodigy", *SIGNATURES)

# keys that no line of the other format of JSON has
PRODIGY_KEYS = frozenset(
    ("spans", "answer", "_input_hash", "_task_hash", "_view_id", "_session_id")
)
OWN_KEYS = frozenset(("entities", "cats", "spaces", "sent_starts"))
PRODIGY_RELATION_KEYS = frozenset(("child", "head_span", "child_span"))
GROUP = "document"
CROSSING = "relation across sentences: dropped with --sentences"
CATS_LEFT = "categories of a document of several sentences: dropped with --sentences"


def detect_format(path: str | Path) -> str:
    """Tell a file's format from its extension or its first line.

    JSON is told from Prodigy's by its keys, the package's own if they do not tell.

    Raises CorpusError if there is no such file, nothing in it, or it looks like none.
    """
    source = Source(path)
    if source.path.suffix == ".jsonl":
        return _detect_dialect(source)
    for line in source.lines(TREC_ENCODING):
        line = line.removeprefix("\u00ef\u00bb\u00bf")  # a UTF-8 byte order mark
        if not line.strip():
            continue
        if JSON.match(line):
            return _detect_dialect(source)
        for name, signature in SIGNATURES.items():
            if signature.match(line):
                return name
        raise source.error(
            f"{line[:40]!r} looks like none of the formats; name it with --format, one "
            f"of {', '.join(FORMATS)}"
        )
    raise CorpusError(path, 1, "the file is empty; check its path")


def _detect_dialect(source: Source) -> str:
    """ "prodigy" or "jsonl", by the first line that can be only one of them."""
    for record in source.json_lines():
        prodigy = is_prodigy(record)
        if prodigy is not None:
            return "prodigy" if prodigy else "jsonl"
    return "jsonl"


def is_prodigy(record: Any) -> bool | None:
    """Whether a line of JSON is Prodigy's; None if it may be either's."""
    if not isinstance(record, dict):
        return None
    if PRODIGY_KEYS & set(record):
        return True
    if OWN_KEYS & set(record):
        return False
    tokens, relations = (_items(record, key) for key in ("tokens", "relations"))
    if any(isinstance(token, dict) for token in tokens):
        return True
    for relation in relations:
        if isinstance(relation, dict) and PRODIGY_RELATION_KEYS & set(relation):
            return True
    return False if tokens or relations else None


def _items(record: dict[str, Any], key: str) -> list[Any]:
    items = record.get(key)
    return items if isinstance(items, list) else []


def read_corpus(
    path: str | Path,
    nlp: Language,
    format: str,
    *,
    sentences: bool = False,
    fine: bool = False,
    phrases: bool = False,
    entity_label: str = "ENTITY",
    labels: Labels = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a corpus in a format known by name.

    nlp: Gives the vocabulary and, for JSONL, Prodigy and SemEval, the tokenizer.
    format: One of `FORMATS`.
    sentences: Make one document of every sentence; its `user_data[GROUP]` is the number
        of the document that it was in.
    fine: Use TREC's fine labels, five classes of SST's trees.
    phrases: Make a document of every phrase of SST's trees.
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
            path, vocab, labels=labels, repairs=repairs
        ),
        "conll04": lambda: read_conll04(path, vocab, labels=labels, repairs=repairs),
        "trec": lambda: read_trec(path, vocab, fine=fine, labels=labels),
        "sst2": lambda: read_sst2(path, vocab, labels=labels),
        "sst_trees": lambda: read_sst_trees(
            path, vocab, fine=fine, phrases=phrases, labels=labels
        ),
        "semeval2010": lambda: read_semeval2010(
            path, nlp, entity_label=entity_label, labels=labels, repairs=repairs
        ),
    }
    if format not in readers:
        raise CorpusError(
            path, None, f"unknown format {format!r}; choose from {', '.join(FORMATS)}"
        )
    docs = readers[format]()
    return _split_counting(docs, path, repairs) if sentences else docs


def _split_counting(
    docs: Iterable[Doc], path: str | Path, repairs: Repairs
) -> Iterator[Doc]:
    """Split documents into sentences, counting the annotations that this costs."""
    for number, doc in enumerate(docs, 1):
        parts = list(split_sentences(doc))
        lost = len(get_relations(doc)) - sum(len(get_relations(part)) for part in parts)
        if lost:
            repairs.record(CROSSING, path, f"document {number}", f"{lost} lost", lost)
        if doc.cats and len(parts) > 1:
            repairs.record(CATS_LEFT, path, f"document {number}", str(sorted(doc.cats)))
        for part in parts:
            part.user_data[GROUP] = number
            yield part
