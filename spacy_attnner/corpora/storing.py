"""Where converted documents go: one file, a folder of parts, or train, dev and test."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from spacy.attrs import IDS
from spacy.tokens import Doc, DocBin

from ..atomic import replacing, replacing_files, replacing_parts
from ..span_groups import LABEL, STORED_SPAN, pack_message, stored_spans
from .complaints import CorpusError

STRINGS = (  # attributes of tokens that are strings
    *("ORTH", "NORM", "LEMMA", "TAG", "MORPH", "DEP"),
    *("ENT_TYPE", "ENT_KB_ID", "ENT_ID"),
)
PART = "part-{:05}.spacy"
PART_PATTERN = "part-*.spacy"
# a part takes about 200 MB while it is written: a token of a `DocBin` 500 bytes
PART_TOKENS = 400_000
BYTES_HELD = 60  # memory that one file takes for each byte of a corpus that becomes it
# a .spacy file holds an array of 8 bytes for each token and attribute, up to 4 GiB
MAX_TOKENS = 35_000_000
FEW = "no document is left for it: {} records are too few for these shares, or their"
FEW += " groups are too large"
ONE = "no document is left for it: the corpus is one document; of columns a -DOCSTART-"
ONE += " line begins each, and without any each sentence is one"


class Sink(Protocol):
    """Takes the documents of a corpus, in its order.

    n_written: How many files are written, whose documents are no longer held.
    """

    n_written: int

    def add(self, number: int, doc: Doc) -> str | None:
        """Add a document of the record of this number; names its share of a split."""
        ...


class Bin:
    """Documents of one `.spacy` file; `path` names it in errors.

    It fills a `DocBin` as `DocBin.add` does, which takes most of the time of a
    conversion: nine strings of every token, and a look through the entry points of all
    that is installed for every document and each of its span groups.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.docs: Any = DocBin(store_user_data=True)  # whose lists are filled here
        self.string_columns = [self.docs.attrs.index(IDS[name]) for name in STRINGS]
        self.known: set[int] = set()  # strings that are there
        self.n_tokens = 0

    def add(self, doc: Doc) -> None:
        """Raises CorpusError where a file can hold no more."""
        self.n_tokens += len(doc)
        if self.n_tokens > MAX_TOKENS:
            raise CorpusError(
                self.path,
                None,
                f"a .spacy file holds up to {MAX_TOKENS:,} tokens; name a folder, "
                "which gets files of a part each; `spacy train` takes it as well",
            )
        data = doc.user_data
        try:  # to read an empty one would take three times as long as the document
            self.docs.user_data.append(pack_message(data) if data else None)
        except OverflowError as error:
            raise CorpusError(
                self.path,
                None,
                f"id or meta of {doc.text[:40]!r} holds a whole number of more than 64 "
                "bits; write it as a string",
            ) from error
        self._add_tokens(doc)
        self.docs.flags.append({"has_unknown_spaces": doc.has_unknown_spaces})
        self.docs.cats.append(doc.cats)
        self.docs.span_groups.append(self._pack(doc))

    def _add_tokens(self, doc: Doc) -> None:
        array = doc.to_array(self.docs.attrs)
        self.docs.tokens.append(array)
        self.docs.spaces.append(doc.to_array(["SPACY"]).reshape(-1, 1).astype(bool))
        self._add_strings(doc, array[:, self.string_columns].ravel().tolist())

    def _add_strings(self, doc: Doc, found: Iterable[int]) -> None:
        new = set(found) - self.known
        self.known |= new
        self.docs.strings.update(map(doc.vocab.strings.__getitem__, new))

    def _pack(self, doc: Doc) -> bytes:
        """What `doc.spans.to_bytes` makes."""
        packed: dict[bytes, list[str]] = {}
        for key, group in doc.spans.items():
            spans = stored_spans(group)
            self._add_strings(doc, (span[LABEL] for span in spans))
            item = {"name": group.name, "attrs": group.attrs}
            item["spans"] = [STORED_SPAN.pack(*span) for span in spans]
            packed.setdefault(pack_message(item), []).append(key)
        return pack_message(packed or [])

    def to_bytes(self) -> bytes:
        """The file."""
        return self.docs.to_bytes()


class _OneFile:
    n_written = 0

    def __init__(self, path: Path) -> None:
        self.bin = Bin(path)

    def add(self, number: int, doc: Doc) -> None:
        self.bin.add(doc)


class _Parts:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_written = 0
        self.bin = Bin(folder)

    def add(self, number: int, doc: Doc) -> None:
        self.bin.add(doc)
        if self.bin.n_tokens >= PART_TOKENS:
            self.write()

    def write(self) -> None:
        if len(self.bin.docs):
            self.n_written += 1
            path = self.folder / PART.format(self.n_written)
            path.write_bytes(self.bin.to_bytes())
            self.bin = Bin(self.folder)


class _Shares:
    n_written = 0

    def __init__(self, paths: Sequence[Path], plan: Sequence[int]) -> None:
        self.bins = [Bin(path) for path in paths]
        self.plan = plan

    def add(self, number: int, doc: Doc) -> str:
        share = self.bins[self.plan[number]]
        share.add(doc)
        return share.path.stem


@contextmanager
def one_file(path: Path) -> Iterator[Sink]:
    """Write one `.spacy` file at the end of the block."""
    sink = _OneFile(path)
    yield sink
    with replacing(path) as output:
        output.write(sink.bin.to_bytes())


@contextmanager
def folder_of_parts(folder: Path) -> Iterator[Sink]:
    """Write a folder of `.spacy` files, each when it is full."""
    with replacing_parts(folder, PART_PATTERN) as place:
        sink = _Parts(place)
        yield sink
        sink.write()


@contextmanager
def folder_of_shares(
    folder: Path, names: Sequence[str], plan: Sequence[int]
) -> Iterator[Sink]:
    """Write a `.spacy` file for each share into a folder, at the end of the block.

    plan: The share of each record.

    Raises CorpusError if a share gets no document.
    """
    files = [f"{name}.spacy" for name in names]
    sink = _Shares([folder / file for file in files], plan)
    yield sink
    for each in sink.bins:
        if not len(each.docs):
            message = ONE if len(plan) == 1 else FEW.format(len(plan))
            raise CorpusError(each.path, None, message)
    with replacing_files(folder, files) as place:
        for file, each in zip(files, sink.bins, strict=True):
            (place / file).write_bytes(each.to_bytes())
