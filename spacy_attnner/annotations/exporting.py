"""`spacy attn export`: annotations, or what a pipeline predicts, for other tools."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from tqdm import tqdm

from ..atomic import check_file, replacing, replacing_parts
from ..compressed import decompressed
from ..corpora.documents import ALL_ENTITIES, ID, META
from ..corpora.record import Record
from ..errors import UserError, sound
from ..loading import load_pipeline, running, use_gpu
from ..terminal import visible
from ..texts.first_look import look_at
from ..texts.given import given_texts
from ..texts.inputs import Input, check_places, find_inputs
from ..texts.json_lines import SURROGATE
from ..texts.row_readers import Columns
from ..texts.row_stream import RowStream
from ..vocabulary import forgetting
from .doc_records import make_record
from .layouts import KINDS, Layout, Sheet, chosen, fit
from .to_brat import BRAT_LAYOUT
from .to_columns import COLUMNS_LAYOUT, CONLL2003_LAYOUT, PREFIXES
from .to_doccano import DOCCANO_LAYOUT
from .to_hugging_face import HUGGING_FACE_LAYOUT
from .to_jsonl import JSONL_LAYOUT
from .to_label_studio import LABEL_STUDIO_LAYOUT
from .to_prodigy import PRODIGY_LAYOUT

LAYOUTS: dict[str, Layout] = {
    each.name: each
    for each in (
        BRAT_LAYOUT,
        DOCCANO_LAYOUT,
        LABEL_STUDIO_LAYOUT,
        PRODIGY_LAYOUT,
        CONLL2003_LAYOUT,
        COLUMNS_LAYOUT,
        HUGGING_FACE_LAYOUT,
        JSONL_LAYOUT,
    )
}
PART_ROWS = 1000  # texts that a pipeline reads before it forgets their words
NO_NAME = "id that cannot name a file, or names another one: numbered"
FORBIDDEN = frozenset('\\:*?"<>|')
LONGEST_NAME = 200  # bytes
Docs = Iterator[tuple[Doc, str]]  # each with the name of its file
Put = Callable[[Record, Sheet, Any], None]  # what the layout made of the record


@dataclass
class Exported:
    """What was written.

    docs: How many documents.
    entities, relations, cats: How many of each label; categories above 0.
    joined: The types that relations join: relation, head, tail.
    unused: Whether each category applies to no document.
    left_out: What was left out, or changed, and how often.
    examples: The first place and value of each.
    """

    docs: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    relations: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)
    joined: set[tuple[str, str, str]] = field(default_factory=set)
    unused: dict[str, bool] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count one more document."""
        self.docs += 1
        entities, links = record.entities or (), record.relations or ()
        self.entities.update(each.label for each in entities)
        self.relations.update(each.label for each in links)
        self.cats.update(name for name, value in (record.cats or {}).items() if value)
        applying = chosen(record.cats or {})
        for name in record.cats or {}:
            self.unused[name] = self.unused.get(name, True) and name not in applying
        for each in links:
            ends = entities[each.head].label, entities[each.tail].label
            self.joined.add((each.label, *ends))

    def note(self, place: str, kind: str, detail: str, n: int) -> None:
        """Count what is left out of a document."""
        self.left_out[kind] += n
        self.examples.setdefault(kind, f"{place}: {detail}")

    def lines(self) -> list[str]:
        """The counts as text, what was left out at the end."""
        counts = ", ".join(
            f"{counter.total():,} {name}"
            for name, counter in (
                ("entities", self.entities),
                ("relations", self.relations),
                ("categories", self.cats),
            )
            if counter
        )
        lines = [f"{self.docs:,} documents" + (f": {counts}" if counts else "")]
        for kind, n in self.left_out.most_common():
            lines.append(f"left out or changed {n:,}: {kind}")
            lines.append(f"  first in {self.examples[kind]}")
        return lines


def export_annotations(
    given: str,
    output: Path,
    *,
    format: str,
    model: str | None = None,
    spans_keys: Collection[str] = (),
    scheme: str = "bio",
    input_format: str | None = None,
    overwrite: bool = False,
    gpu_id: int = -1,
) -> Exported:
    """Write what documents hold, or what a pipeline predicts of texts, for a tool.

    given: A .spacy file or a folder of them; with a pipeline, any texts.
    output: A file or, of BRAT, a folder; complete or not there.
    format: One of `LAYOUTS`.
    model: The pipeline that annotates.
    spans_keys: Span groups whose spans are entities, beside what `convert` keeps of
        those that overlap.
    scheme: Of the tags of columns: bio, bioes, biluo.
    input_format: The kind of the inputs, whatever their names say.
    overwrite: Replace the output.

    Raises UserError for what cannot be read or written; nothing is written then.
    """
    layout = _choose(format, scheme)
    inputs = find_inputs(given, input_format)
    if model is None:
        _check_annotated(inputs)
    _check_output(output, layout, overwrite)
    check_places(output, model, given, inputs)
    done = Exported()
    if model is None:
        docs = annotated_docs(inputs)
    else:
        use_gpu(gpu_id)
        docs = predicted_docs(inputs, load_pipeline(model), model)
    keys = tuple(dict.fromkeys([*spans_keys, ALL_ENTITIES]))
    missing = set(spans_keys)
    with _sink(output, layout, done) as put, _bar(docs, inputs) as shown:
        for doc, name in shown:
            missing -= doc.spans.keys()
            place = f"{name}, document {done.docs + 1}"
            sheet = Sheet(partial(done.note, place), done.docs + 1, model, scheme)
            with sound(f"{place} cannot be exported", "Correct the document."):
                _put_document(doc, keys, layout, sheet, done, put)
            del doc
        _check_found(done, given, missing)
        if "unused" not in layout.holds:
            for name in (name for name, unused in done.unused.items() if unused):
                done.note(given, KINDS["unused"], repr(name), 1)
    return done


def _put_document(
    doc: Doc,
    keys: Collection[str],
    layout: Layout,
    sheet: Sheet,
    done: Exported,
    put: Put,
) -> None:
    predicted = sheet.model is not None
    record = make_record(doc, keys, sheet.note, predicted=predicted)
    record = fit(record, layout.holds, sheet.note)
    done.add(record)
    put(record, sheet, layout.lay_out(record, sheet))


def annotated_docs(inputs: Sequence[Input]) -> Docs:
    """The documents of .spacy files, whose words are forgotten after each file."""
    for source in inputs:
        with sound(f"{source.path} cannot be read", "Check that it is whole."):
            with open(source.path, "rb") as raw:
                content = decompressed(raw, source.path).read()
            docs = DocBin(store_user_data=True).from_bytes(content)
            del content
            for doc in docs.get_docs(Vocab()):
                yield doc, source.name


def predicted_docs(inputs: Sequence[Input], nlp: Language, model: str) -> Docs:
    """What a pipeline makes of texts, whose words are forgotten part by part."""
    look_at(inputs, Columns(meta=False))
    with RowStream(inputs, Columns(), PART_ROWS) as stream, running(model):
        while part := stream.read_part():
            name = part.rows[0].place.rpartition(":")[0] or part.rows[0].place
            with forgetting(nlp):
                texts = given_texts(part.rows, nlp)
                for doc, info in nlp.pipe(texts, as_tuples=True):
                    if info.id is not None:
                        doc.user_data[ID] = info.id
                    if info.meta:
                        doc.user_data[META] = info.meta
                    yield doc, name
                    del doc


def _choose(format: str, scheme: str) -> Layout:
    if format not in LAYOUTS:
        problem = f"there is no format {format!r} to export"
        raise UserError(problem, f"Name one with --format: {', '.join(LAYOUTS)}.")
    if scheme not in PREFIXES:
        problem = f"there is no scheme {scheme!r} of tags"
        raise UserError(problem, f"Name one with --scheme: {', '.join(PREFIXES)}.")
    return LAYOUTS[format]


def _check_annotated(inputs: Sequence[Input]) -> None:
    for source in inputs:
        if source.kind != "spacy":
            raise UserError(
                f"{source.name} holds texts, no annotated documents",
                "Name the pipeline that annotates them, --model MODEL, or a .spacy "
                "file; `spacy attn convert` makes one of annotations.",
            )


def _check_output(output: Path, layout: Layout, overwrite: bool) -> None:
    if not layout.folder:
        check_file(output)
    if output.exists() and not overwrite:
        what = "Add --overwrite to replace it, or name another one."
        raise UserError(f"{output} is there", what)
    if layout.folder and output.is_dir() and any(output.iterdir()):
        known = layout.folder[-1]  # texts alone may be somebody's own
        if not (output / known).exists():
            raise UserError(
                f"{output} is there and was not exported: it has no {known}",
                "Give a folder that is not there yet; nothing in it was changed.",
            )


def _check_found(done: Exported, given: str, missing: Collection[str]) -> None:
    if not done.docs:
        raise UserError(f"{given} holds no document", "Give at least one.")
    if missing:
        raise UserError(
            f"no document has the span group {min(missing)!r}",
            "Leave it out of --spans-key, or name another one.",
        )


@contextmanager
def _bar(docs: Docs, inputs: Sequence[Input]) -> Iterator[tqdm]:
    title = visible(Path(inputs[0].name).name)
    with tqdm(docs, desc=title, unit="doc", leave=False, disable=None) as shown:
        yield shown


@contextmanager
def _sink(output: Path, layout: Layout, done: Exported) -> Iterator[Put]:
    """What takes each document; all of them are there at the end, or none."""
    if layout.folder:
        with replacing_parts(output, *layout.folder) as place:

            def put_files(record: Record, sheet: Sheet, files: dict[str, str]) -> None:
                name = _file_name(place, record.id, sheet)
                for ending, content in files.items():
                    path = place / f"{name}{ending}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.encode("utf-8"))

            yield put_files
            for name, content in layout.finish(done.entities, done.joined).items():
                (place / name).write_bytes(content.encode("utf-8"))
        return
    begin, between, end = layout.frame
    with replacing(output) as file:

        def put_text(record: Record, sheet: Sheet, text: str) -> None:
            lead = begin if sheet.number == 1 else between
            file.write(f"{lead}{text}".encode())

        yield put_text
        file.write(end.encode())


def _file_name(place: Path, id: str | int | None, sheet: Sheet) -> str:
    """What the files of a document are called, below their folder."""
    if id is not None and _is_free(place, str(id)):
        return str(id)
    if id is not None:
        sheet.note(NO_NAME, repr(id), 1)
    number = sheet.number
    while not _is_free(place, name := f"{number:06}"):
        number += 1
    return name


def _is_free(place: Path, name: str) -> bool:
    if SURROGATE.search(name):
        return False
    parts = name.split("/")
    sound_parts = all(
        part.strip(". ") == part != ""
        and part.isprintable()
        and not FORBIDDEN & set(part)
        and len(part.encode()) <= LONGEST_NAME
        and PurePosixPath(part).suffix not in (".txt", ".ann")
        for part in parts
    )
    if not sound_parts or len(parts) > 20:
        return False
    try:
        above = (place / name).parent
        while not above.exists():
            above = above.parent
        return above.is_dir() and not (place / f"{name}.txt").exists()
    except OSError:
        return False
