"""From a corpus file in any format to a `.spacy` file, counting what it holds."""

import json
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from ..atomic import check_apart, check_file, check_files, is_same, replacing
from ..relations import get_relations, has_relations
from ..terminal import visible
from .complaints import STDIN, CorpusError, Rejects, Repairs, called
from .documents import ID, Rules
from .formats import Corpus, detect_format, split_document
from .recognition import Options
from .splitting import PARTS, parse_shares, plan_split
from .storing import BYTES_HELD, Sink, folder_of_parts, folder_of_shares, one_file

MAX_NOTES = 20
MAX_IDS = 1_000_000  # that are remembered
SAME_ID = "id that an earlier document has: kept; in a split --group-key id keeps those"
SAME_ID += " documents together"
EMPTY = "document without a word: kept"
LARGE = 50_000_000  # bytes of a corpus that should not become one file


@dataclass
class Summary:
    """Counts of a corpus.

    format: The format it was read in.
    docs, sentences, tokens: How many there are; sentences where they are annotated.
    entities, relations: How many of each label.
    cats: How many documents have each category, scores of 0 not counted.
    annotated: How many documents have each of these annotated.
    repairs: What was repaired.
    rejected: How many records were written to `rejects`, a file.
    parts: How many documents each part of a split has.
    """

    format: str = ""
    docs: int = 0
    sentences: int = 0
    tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    relations: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)
    annotated: Counter[str] = field(default_factory=Counter)
    repairs: Repairs = field(default_factory=Repairs)
    rejected: int = 0
    rejects: Path | None = None
    parts: Counter[str] = field(default_factory=Counter)

    def add(self, doc: Doc) -> None:
        """Count one more document."""
        self.docs += 1
        self.tokens += len(doc)
        if len(doc) and doc.has_annotation("SENT_START"):
            self.sentences += sum(1 for _ in doc.sents)
            # a document of one token counts as annotated whether it is or not
            self.annotated["sentences"] += len(doc) > 1
        self.entities.update(ent.label_ for ent in doc.ents)
        self.relations.update(relation.label for relation in get_relations(doc))
        self.cats.update(label for label, value in doc.cats.items() if value)
        self.annotated["entities"] += bool(len(doc) and doc.has_annotation("ENT_IOB"))
        self.annotated["relations"] += has_relations(doc)
        self.annotated["cats"] += bool(doc.cats)

    def lines(self) -> list[str]:
        """The counts as text, one kind a line, the repairs at the end."""
        counts = [f"{self.docs:,} documents", f"{self.tokens:,} tokens"]
        if self.annotated["sentences"]:
            counts.insert(1, f"{self.sentences:,} sentences")
        lines = [f"{', '.join(counts)} ({self.format})"]
        for name in ("entities", "relations", "cats"):
            lines.append(self._line(name, getattr(self, name)))
        if self.parts:
            dealt = [name for name in PARTS if name in self.parts]
            lines.append(", ".join(f"{name} {self.parts[name]:,}" for name in dealt))
        if self.rejected:
            lines.append(f"rejected {self.rejected:,} records: see {self.rejects}")
        lines += [f"repaired {n:,}: {kind}" for kind, n in self.repairs.items()]
        notes = self.repairs.notes
        lines += [f"  {note}" for note in notes[:MAX_NOTES]]
        if self.repairs.n_places > MAX_NOTES:
            n_more = self.repairs.n_places - MAX_NOTES
            lines.append(f"  … and {n_more:,} more places")
        return lines

    def _line(self, name: str, counts: Counter[str]) -> str:
        annotated = self.annotated[name]
        if not annotated:
            return f"{name}: not annotated"
        where = "" if annotated == self.docs else f" in {annotated:,} annotated docs"
        labels = ", ".join(f"{label} {counts[label]:,}" for label in sorted(counts))
        return f"{name}: {counts.total():,}{where}" + (f" ({labels})" if labels else "")


def convert(
    input: str | Path,
    output: str | Path,
    *,
    format: str | None = None,
    sentences: bool = False,
    lang: str = "en",
    label_map: Mapping[str, str] | None = None,
    labels: Collection[str] | None = None,
    cats: Collection[str] | None = None,
    align: str | None = None,
    trim: bool = False,
    spans_key: str | None = None,
    split: str | None = None,
    group_key: str | None = None,
    seed: int = 0,
    rejects: str | Path | None = None,
    encoding: str | None = None,
    progress: bool = False,
    **options: Any,
) -> Summary:
    """Convert a corpus into spaCy's format and count what it holds.

    input: The corpus file, which may be compressed, or folder; "-" for stdin.
    output: The `.spacy` file to write, or a folder, which gets files of a part each;
        with `split` the folder of `train.spacy`, `dev.spacy` and `test.spacy`.
    format: One of `formats.FORMATS`; None tells it from the content.
    sentences: Make one document of every sentence.
    lang: The language of the tokenizer and the vocabulary.
    label_map: New names of labels: of entities, relations and categories.
    labels: The labels allowed in the output, of entities, relations and categories; in
        corpora whose categories exclude each other those that every document gets.
    cats: Keep only these categories.
    align, trim, spans_key: As for `documents.Rules`.
    split: Shares such as "80/10/10".
    group_key: A key of `meta`, or "id": records with the same value are not split up.
    seed: Of the split.
    rejects: A file that takes the records that are wrong, as lines of JSON; None makes
        them errors.
    encoding: Of the file; None takes the format's own.
    progress: Show a progress bar on stderr, if that is a terminal.
    options: What the format is told, see `recognition.Options`.

    Warns where a large corpus would be held in memory. Raises CorpusError if the corpus
    or an option is wrong; nothing is written then.
    """
    output = Path(output)
    shares = _check_output(Path(input), output, split, group_key, rejects)
    told = Options(**options)
    names = dict(label_map or {})
    rules = Rules(trim=trim, labels=labels or None, label_map=names, cats=cats)
    with ExitStack() as stack:
        input = stack.enter_context(_given(input))
        _check_size(input, output, split)
        summary = Summary(format or detect_format(input, told))
        summary.rejects = Path(rejects) if rejects else None
        corpus = Corpus(
            input,
            _make_tokenizer(input, lang),
            summary.format,
            options=told,
            rules=replace(rules, spans_key=spans_key),
            align=align,
            encoding=encoding,
            repairs=summary.repairs,
            rejects=stack.enter_context(_open_rejects(rejects)),
        )
        plan: list[int] = []
        if shares:
            plan = plan_split(
                corpus.survey(),
                shares,
                path=corpus.path,
                group_key=group_key,
                seed=seed,
            )
        sink = stack.enter_context(_open_sink(output, plan, len(shares)))
        if progress:
            bar = stack.enter_context(_progress_bar(corpus.path))
            corpus.read = bar.update
        _fill(sink, corpus, summary, sentences)
        _check_named(corpus)
    return summary


@contextmanager
def _given(input: str | Path) -> Iterator[Path]:
    """The corpus; of stdin a copy, as files are read more than once."""
    if str(input) != "-":
        yield Path(input)
        return
    if sys.stdin is None:
        raise CorpusError("-", None, "stdin is closed; pipe a corpus into it")
    with TemporaryDirectory() as folder:
        path = Path(folder, STDIN)
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield path


def _check_output(
    input: Path,
    output: Path,
    split: str | None,
    group_key: str | None,
    rejects: str | Path | None,
) -> list[float]:
    """The shares of a split, if any; raises where nothing can be written."""
    suffix = "" if split else ".spacy"
    if output.suffix not in ("", suffix):
        what = (
            "give a folder for --split" if split else "spaCy reads .spacy files; name"
        )
        raise CorpusError(output, None, what if split else f"{what} it so")
    if output.suffix:
        check_file(output)
    else:
        check_files(output, [f"{part}.spacy" for part in PARTS])
    check_apart(output, {"corpus": input})
    if rejects:
        check_file(Path(rejects))
        check_apart(Path(rejects), {"corpus": input})
        _check_rejects(Path(rejects), output)
    if group_key and not split:
        message = f"--group-key {group_key} goes with --split; give it, too"
        raise CorpusError(input, None, message)
    try:
        return parse_shares(split) if split else []
    except ValueError as error:
        raise CorpusError(input, None, f"--split {error}") from error


def _check_rejects(rejects: Path, output: Path) -> None:
    """Raises CorpusError where documents would be written over what is wrong."""
    within = not output.suffix and rejects.suffix == ".spacy"
    if is_same(rejects, output) or (within and is_same(rejects.parent, output)):
        message = f"--rejects is where documents go, {output}; name another file"
        raise CorpusError(rejects, None, message)


def _check_size(input: Path, output: Path, split: str | None) -> None:
    """Warns if a large corpus becomes files that are held until they are written."""
    size = _n_bytes(input)
    if size > LARGE and (output.suffix or split):
        warnings.warn(
            f"{called(input)} has {size / 1e9:,.1f} GB, and what becomes one file is "
            f"held in memory, about {size * BYTES_HELD / 1e9:,.0f} GB: give a folder "
            "as output and no --split; it gets files of a part each, one of which is "
            "held",
            stacklevel=3,
        )


def _n_bytes(path: Path) -> int:
    """Those of a file, or of the files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _open_sink(
    output: Path, plan: list[int], n_shares: int
) -> AbstractContextManager[Sink]:
    if n_shares:
        return folder_of_shares(output, PARTS[:n_shares], plan)
    return one_file(output) if output.suffix else folder_of_parts(output)


@contextmanager
def _open_rejects(path: str | Path | None) -> Iterator[Rejects]:
    """Takes the records that are wrong; the file is there once all went well."""
    if path is None:
        yield Rejects()
        return
    with replacing(Path(path)) as output:

        def write(item: dict[str, Any]) -> None:
            # what could not be decoded is kept as Python's escapes
            line = json.dumps(item, ensure_ascii=False) + "\n"
            output.write(line.encode("utf8", "backslashreplace"))

        yield Rejects(write)


def _fill(sink: Sink, corpus: Corpus, summary: Summary, sentences: bool) -> None:
    n_written = 0
    ids: set[int] = set()
    for count, (number, doc) in enumerate(corpus.docs(), 1):
        _note_id(doc, ids, corpus)
        if not len(doc):
            where = corpus.source.file, corpus.source.start
            corpus.repairs.record(EMPTY, *where, "")
        for part in split_document(doc, count, corpus) if sentences else [doc]:
            summary.add(part)
            if name := sink.add(number, part):
                summary.parts[name] += 1
        if sink.n_written > n_written:  # a vocabulary grows with every new word
            n_written = sink.n_written
            corpus.nlp = corpus.maker.nlp = spacy.blank(corpus.nlp.lang or "xx")
    summary.rejected = corpus.rejects.n_records


def _note_id(doc: Doc, ids: set[int], corpus: Corpus) -> None:
    """Count an id that an earlier document has; `ids` are hashes of theirs."""
    name = doc.user_data.get(ID)
    if name is None:
        return
    key = hash(repr(name))
    if key in ids:
        where = corpus.source.file, corpus.source.start
        corpus.repairs.record(SAME_ID, *where, f"id {name!r}")
    elif len(ids) < MAX_IDS:
        ids.add(key)


def _make_tokenizer(path: str | Path, lang: str) -> Language:
    try:
        spacy.util.get_lang_class(lang)
    except ImportError as error:
        message = f"spaCy has no language {lang!r}; give a code such as en, de or xx"
        raise CorpusError(path, None, message) from error
    try:
        return spacy.blank(lang)
    except ImportError as error:  # of a package that its tokenizer needs
        reason = " ".join(str(error).split())
        message = f"--lang {lang}: {reason}"
        raise CorpusError(path, None, message) from error


def _progress_bar(path: Path) -> tqdm:
    settings: dict[str, Any] = {"unit": "B", "unit_scale": True, "leave": False}
    return tqdm(total=_n_bytes(path), desc=visible(path.name), disable=None, **settings)


def _check_named(corpus: Corpus) -> None:
    """Raises CorpusError if an option names a label that never occurred."""
    rules, maker = corpus.maker.rules, corpus.maker
    every = maker.ent_labels | maker.rel_labels | maker.cat_labels
    for wanted, there, option in (
        (rules.label_map, every, "--map-labels"),
        (rules.cats or (), maker.cat_labels, "--cats"),
    ):
        unknown = set(wanted) - there
        if unknown:
            listed = ", ".join(sorted(unknown))
            known = ", ".join(sorted(there)) or "none"
            message = f"{option} names {listed}, but the labels there are: {known}"
            raise CorpusError(corpus.path, None, message)
