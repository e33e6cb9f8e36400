"""The formats by name, and reading a file that has one of them."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..relations import get_relations, split_sentences
from .brat import BRAT
from .columns import COLUMNS
from .complaints import CorpusError, Flaws, Rejects, Repairs
from .conll import CONLL04, CONLL2003
from .dataturks import DATATURKS
from .doccano import DOCCANO
from .docred import DOCRED
from .documents import ALIGN, ALL_ENTITIES, ID, META, DocumentMaker, Rules
from .dygie import DYGIE
from .fasttext import FASTTEXT
from .gliner import GLINER
from .hugging_face import HUGGING_FACE
from .inception import INCEPTION
from .jsonl import JSONL
from .label_studio import LABEL_STUDIO
from .labelled_text import SST2, TREC
from .light_tag import LIGHT_TAG
from .prodigy import PRODIGY
from .pubtator import PUBTATOR
from .reading import Source
from .rebel import REBEL
from .recognition import Format, Options, claimed_by, recognize
from .record import Record
from .semeval import SEMEVAL2010
from .spacy_json import SPACY_JSON
from .spacy_tuples import SPACY_TUPLES
from .spert import SPERT
from .text_tables import TABLE
from .trees import SST_TREES

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        JSONL,
        PRODIGY,
        CONLL2003,
        CONLL04,
        COLUMNS,
        BRAT,
        DOCCANO,
        LABEL_STUDIO,
        LIGHT_TAG,
        DATATURKS,
        INCEPTION,
        HUGGING_FACE,
        SPACY_JSON,
        SPACY_TUPLES,
        GLINER,
        SPERT,
        DYGIE,
        DOCRED,
        REBEL,
        PUBTATOR,
        TABLE,
        FASTTEXT,
        SEMEVAL2010,
        TREC,
        SST2,
        SST_TREES,
    )
}
GROUP = "document"
CROSSING = "relation across sentences: dropped with --sentences"
UNSPLIT = "document whose sentences are not known: kept whole by --sentences"
CATS_LEFT = "categories of a document of several sentences: dropped with --sentences"
# what each option of a format is called on the command line
FLAGS = {field.name: f"--{field.name.replace('_', '-')}" for field in fields(Options)}


def detect_format(path: str | Path, options: Options | None = None) -> str:
    """Tell a file's format from its content, and from the options given.

    JSON is told by its keys, the package's own if they do not tell.

    Raises CorpusError if there is no such file, nothing in it, or it looks like none.
    """
    return recognize(path, FORMATS.values(), options)


class Corpus:
    """A corpus in a format known by name.

    path: The file or folder.
    nlp: Gives the vocabulary and the tokenizer.
    format: One of `FORMATS`.
    options: What the format is told.
    rules: How documents are made; its categories are those of the file, where the
        format says so, and `align` is the format's own if it is None.
    encoding: Of the file; None leaves it to the format.
    repairs: Counts the flaws that were repaired.
    rejects: Takes the records that are wrong.
    read: Is told how many bytes were read.

    Raises CorpusError if the format is unknown, or does not take an option.
    """

    def __init__(
        self,
        path: str | Path,
        nlp: Language,
        format: str,
        *,
        options: Options | None = None,
        rules: Rules | None = None,
        align: str | None = None,
        encoding: str | None = None,
        repairs: Repairs | None = None,
        rejects: Rejects | None = None,
        read: Callable[[int], Any] = lambda n: None,
    ) -> None:
        if format not in FORMATS:
            raise CorpusError(
                path,
                None,
                f"unknown format {format!r}; choose from {', '.join(FORMATS)}",
            )
        if align not in (None, *ALIGN):
            message = f"unknown --align {align!r}; choose from {', '.join(ALIGN)}"
            raise CorpusError(path, None, message)
        self.path = Path(path)
        self.nlp = nlp
        self.format = FORMATS[format]
        self.options = options or Options()
        self.encoding = encoding
        self.repairs = Repairs() if repairs is None else repairs
        self.rejects = Rejects() if rejects is None else rejects
        self.read = read
        self._check_options()
        rules = replace(rules or Rules(), align=align or self.format.align)
        self.maker = DocumentMaker(nlp, rules, self._note)
        self.source = self._open()

    def _check_options(self) -> None:
        for name in sorted(self.options.given - {*self.format.options}):
            takers = [n for n, f in FORMATS.items() if name in f.options]
            raise CorpusError(
                self.path,
                None,
                f"{FLAGS[name]} says nothing of {self.format.name}, but of "
                f"{', '.join(takers)}; leave it out, or name another --format",
            )

    def _open(self, **sinks: Any) -> Source:
        return Source(
            self.path,
            options=self.options,
            tokenize=self._tokenize,
            encoding=self.encoding,
            foreign=self._foreign,
            **sinks,
        )

    def _foreign(self, value: Any) -> str | None:
        """The format that a value of JSON is of, if it is not of this one."""
        found = claimed_by(value, FORMATS.values())
        return None if not found or self.format.name in found else found[0]

    def _tokenize(self, text: str) -> tuple[list[str], list[bool]]:
        doc = self.nlp.make_doc(text)
        return [t.text for t in doc], [bool(t.whitespace_) for t in doc]

    def _note(self, line: int | None, kind: str, detail: str, n: int) -> None:
        self.source.repaired(kind, detail, n, line or self.source.start)

    def survey(self) -> Iterator[tuple[int, Record]]:
        """The records, read once before, each with the number of its unit of the file.

        Nothing is counted, and no error is raised: what ends a file early ends this.
        """
        source = self._open()
        with suppress(CorpusError):
            for record in self.format.read(source):
                yield source.unit, record

    def docs(self) -> Iterator[tuple[int, Doc]]:
        """Documents, each with the number of its record, from 0.

        Raises CorpusError for all that is wrong, at the end.
        """
        unjoined = not self._settle()
        sinks = {"repairs": self.repairs, "rejects": self.rejects, "read": self.read}
        self.source = self._open(**sinks)
        made = False
        try:
            for number, record in enumerate(self.format.read(self.source)):
                if unjoined:
                    record = replace(record, relations=None)
                doc = self._make(record)
                if doc is not None:
                    made = True
                    yield number, doc
        except CorpusError as error:
            self.rejects.stop(error)
        self.rejects.check(nothing_left=not made)
        if not made:
            kinds = "; ".join(f"{n:,}: {kind}" for kind, n in self.repairs.items())
            what = "the file holds no document" + (f" ({kinds})" if kinds else "")
            message = f"{what}; check path and format"
            raise CorpusError(self.path, 1, message)

    def _make(self, record: Record) -> Doc | None:
        try:
            return self.maker.make(record, self.source.flaws)
        except Flaws:
            self.source.reject()
            return None

    def _settle(self) -> bool:
        """Settle what categories documents have; whether relations are annotated."""
        rules, which = self.maker.rules, self.format.categories
        found: Collection[str] | None = rules.categories or ()
        if which and not rules.categories:
            found = rules.labels or which(self.options)
        joined = not self.format.joined
        if found is None or not joined:
            labels: set[str] = set()
            for _, record in self.survey():
                labels.update(record.cats or ())
                joined = joined or bool(record.relations)
                if joined and found is not None:
                    break
            found = labels if found is None else found
        self.maker.rules = replace(rules, categories=sorted(found))
        return joined


def read_corpus(
    path: str | Path,
    nlp: Language,
    format: str,
    *,
    sentences: bool = False,
    repairs: Repairs | None = None,
    labels: Iterable[str] | None = None,
    rejects: Rejects | None = None,
    align: str | None = None,
    **options: Any,
) -> Iterator[Doc]:
    """Read a corpus in a format known by name.

    nlp: Gives the vocabulary and the tokenizer.
    format: One of `FORMATS`.
    sentences: Make one document of every sentence; its `user_data[GROUP]` is the number
        of the document that it was in.
    repairs, rejects, align: As for `Corpus`.
    labels: The labels allowed; None allows any.
    options: Those of `Options`.

    Raises CorpusError if the format is unknown, or the file or a record malformed.
    """
    corpus = Corpus(
        path,
        nlp,
        format,
        options=Options(**options),
        rules=Rules(labels=None if labels is None else list(labels)),
        align=align,
        repairs=repairs,
        rejects=rejects,
    )
    docs = (doc for _, doc in corpus.docs())
    return split_counting(docs, corpus) if sentences else docs


def split_counting(docs: Iterable[Doc], corpus: Corpus) -> Iterator[Doc]:
    """Split documents into sentences, counting the annotations that this costs."""
    for number, doc in enumerate(docs, 1):
        yield from split_document(doc, number, corpus)


def split_document(doc: Doc, number: int, corpus: Corpus) -> Iterator[Doc]:
    """Split one, the `number`th of its corpus."""
    parts = list(split_sentences(doc))
    where = corpus.source.file, f"document {number}"
    lost = len(get_relations(doc)) - sum(len(get_relations(part)) for part in parts)
    if len(doc) > 1 and not doc.has_annotation("SENT_START"):
        corpus.repairs.record(UNSPLIT, *where, repr(doc.text[:40]))
    if lost:
        corpus.repairs.record(CROSSING, *where, f"{lost} lost", lost)
    if doc.cats and len(parts) > 1:
        corpus.repairs.record(CATS_LEFT, *where, str(sorted(doc.cats)))
    start = 0
    for part in parts:
        part.user_data[GROUP] = number
        _copy_spans(doc, part, start, corpus.maker.rules.spans_key or ALL_ENTITIES)
        for key in (ID, META):
            if key in doc.user_data:
                part.user_data[key] = doc.user_data[key]
        yield part
        start += len(part)


def _copy_spans(doc: Doc, part: Doc, start: int, key: str) -> None:
    """Give a sentence, which begins at a token, the spans of a group that are in it."""
    end = start + len(part)
    if key in doc.spans and part is not doc:
        part.spans[key] = [
            Span(part, span.start - start, span.end - start, span.label)
            for span in doc.spans[key]
            if start <= span.start and span.end <= end
        ]
