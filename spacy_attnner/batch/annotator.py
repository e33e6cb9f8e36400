"""A pipeline that reads the rows of a part, whatever single ones do to it."""

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from ..atomic import writing
from ..errors import UserError
from ..models.workers import free_memory, trim_heap
from ..texts.row_readers import Row, text_problem
from ..texts.row_stream import Part, Position
from ..vocabulary import forgetting
from .part_files import Layout

HOPELESS = 20  # texts of a part; if a pipeline fails on all of them, it is to blame
TEMPORARY = ".part-"  # what the names of unfinished files begin with
MAX_REASON = 500  # characters
TOO_LONG = "split it, or raise --max-length"


class Failure(NamedTuple):
    """A row that is not in the results."""

    id: str | int
    place: str
    reason: str


class Done(NamedTuple):
    """A part that is annotated and written to a temporary file.

    size: Of the file, in bytes.
    words: Tokens that were read.
    """

    number: int
    stop: Position
    path: str
    size: int
    rows: int
    words: int
    failures: list[Failure]
    digest: str
    n_bytes: int


@dataclass
class Annotator:
    """Annotates parts and writes their files.

    layout: How results are written.
    batch_tokens: How many tokens the pipeline reads at a time; a longer text is read by
        itself.
    folder: Where the files are written.
    advice: What to say where they cannot be.
    """

    nlp: Language
    layout: Layout
    batch_tokens: int
    folder: Path
    advice: str = ""

    def __post_init__(self) -> None:
        gc.collect()
        gc.freeze()  # what is loaded stays: collecting takes milliseconds without it

    def __call__(self, part: Part) -> Done:
        """Raises UserError if the pipeline fails on all texts, or the disk is full."""
        with forgetting(self.nlp):
            reading = _Reading(self.nlp, self.layout, part.rows)
            reading.run(self.batch_tokens)
            content = self.layout.join(reading.pieces())
            n_words, failures = reading.n_words, reading.failures()
            del reading
        gc.collect()  # documents that components of others leave in circles
        trim_heap()
        return Done(
            number=part.number,
            stop=part.stop,
            path=self._write(content, part.number),
            size=len(content),
            rows=len(part.rows),
            words=n_words,
            failures=failures,
            digest=part.digest,
            n_bytes=part.n_bytes,
        )

    def _write(self, content: bytes, number: int) -> str:
        """The path of a file that no other process writes to."""
        path = self.folder / f"{TEMPORARY}{number}.{os.getpid()}.{token_hex(4)}"
        with writing(self.folder, self.advice):
            try:
                with path.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return str(path)


class _Reading:
    """The rows of one part while a pipeline reads them.

    n_words: Tokens of all texts that were read.
    """

    def __init__(self, nlp: Language, layout: Layout, rows: Sequence[Row]) -> None:
        self.nlp = nlp
        self.layout = layout
        self.rows = rows
        self.n_words = 0
        self._pieces: dict[int, Any] = {}
        self._problems: dict[int, str] = {}
        self._made: dict[int, Doc] = {}  # until the pipeline gets them

    def run(self, batch_tokens: int) -> None:
        """Read all rows, texts of similar length together.

        While the pipeline reads a batch, a thread tokenizes the next one.
        """
        tokenized: list[int] = []
        batches = in_batches(self._tokenize_all(), batch_tokens)
        with ThreadPoolExecutor(1, "tokenizer") as pool:
            coming = pool.submit(next, batches, None)
            while batch := coming.result():
                coming = pool.submit(next, batches, None)
                tokenized += batch
                self._read(batch)
        n_failed = sum(i in self._problems for i in tokenized)
        if n_failed == len(tokenized) >= HOPELESS:
            first = min(tokenized)
            raise UserError(
                f"the pipeline fails on all {n_failed:,} texts of a part, at "
                f"{self.rows[first].place} with {self._problems[first]}",
                "nlp = spacy.load(MODEL) and nlp(TEXT) show where. Mend it, then begin "
                "anew.",
            )

    def pieces(self) -> list[Any]:
        """What the layout made of each row that did not fail, in their order."""
        return [self._pieces[i] for i in sorted(self._pieces)]

    def failures(self) -> list[Failure]:
        """The other rows, in their order."""
        return [
            Failure(self.rows[i].id, self.rows[i].place, self._problems[i])
            for i in sorted(self._problems)
        ]

    def _tokenize_all(self) -> Iterator[tuple[int, int]]:
        """Numbers of texts, from the shortest to the longest, and their tokens."""
        readable = []
        for i, row in enumerate(self.rows):
            longest = self.nlp.max_length
            problem = row.problem or text_problem(row.text, longest, TOO_LONG)
            if problem:
                self._problems[i] = problem
            else:
                readable.append(i)
        for i in sorted(readable, key=lambda i: len(self.rows[i].text)):
            try:
                doc = self._make(i)
            except Exception as error:
                self._problems[i] = reason_of(error)
            else:
                self._made[i] = doc
                yield i, len(doc)

    def _make(self, i: int) -> Doc:
        row = self.rows[i]
        if row.words is None:
            return self.nlp.make_doc(row.text)
        words, spaces = row.words
        return Doc(self.nlp.vocab, words=words, spaces=spaces)

    def _read(self, batch: list[int]) -> None:
        """Annotate rows; where that fails each half of them, and in the end each row.

        So a batch that is too large for the memory is halved, and a row that a
        component fails on is the only one that fails.
        """
        reason = self._try(batch)
        if not reason:
            return
        free_memory()
        if len(batch) == 1:
            self._problems[batch[0]] = reason
            return
        half = len(batch) // 2
        self._read(batch[:half])
        self._read(batch[half:])

    def _try(self, batch: list[int]) -> str:
        """Why a batch fails, "" if it does not. Its frames, and what they hold, are
        gone then.
        """
        try:
            docs = [
                self._made.pop(i) if i in self._made else self._make(i) for i in batch
            ]
            found = list(self.nlp.pipe(docs, batch_size=len(docs)))
            if len(found) != len(batch):
                return f"a component {'dropped' if not found else 'doubled'} the text"
            if any(map(self._is_other, batch, found)):
                return "a component, or the tokenizer, changed the text"
        except Exception as error:
            return reason_of(error)
        for i, doc in zip(batch, found, strict=True):
            self._extract(i, doc)
        return ""

    def _is_other(self, i: int, doc: Doc) -> bool:
        """Whether offsets are those of another text; a space may follow each word."""
        return doc.text.rstrip() != self.rows[i].text.rstrip()

    def _extract(self, i: int, doc: Doc) -> None:
        try:
            self._pieces[i] = self.layout.encode(doc, self.rows[i])
            self.n_words += len(doc)
        except Exception as error:
            self._problems[i] = reason_of(error)


def in_batches(
    texts: Iterable[tuple[int, int]], batch_tokens: int
) -> Iterator[list[int]]:
    """Numbers of texts within a budget of tokens; a longer text is alone.

    texts: Their numbers, and how many tokens each has.
    """
    batch: list[int] = []
    used = 0
    for i, length in texts:
        if batch and used + length > batch_tokens:
            yield batch
            batch, used = [], 0
        batch.append(i)
        used += length
    if batch:
        yield batch


def reason_of(error: Exception) -> str:
    """An error as the reason of a row.

    Raises UserError where a GPU failed and would fail on all that follows.
    """
    what = f"{type(error).__name__}: {error}".replace("\n", " ")[:MAX_REASON]
    if "CUDA error" in what or "cudaErrorIllegalAddress" in what:
        raise UserError(
            f"the GPU failed: {what}",
            "Run the command again.",
        ) from error
    return what
