"""`spacy attn apply`: every row of any number of texts, exactly once."""

import gc
import os
import shutil
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from spacy.cli._util import import_code
from spacy.language import Language
from thinc.api import Model
from tqdm import tqdm

from ..atomic import check_file, writing
from ..errors import UserError
from ..loading import load_pipeline, use_gpu
from ..models.bridge import set_mixed_precision
from ..terminal import visible
from ..texts.first_look import look_at
from ..texts.inputs import (
    MANIFEST,
    RUN,
    STANDARD_INPUT,
    Input,
    check_places,
    find_inputs,
)
from ..texts.row_readers import Columns
from ..texts.row_stream import PART_ROWS
from .annotator import TEMPORARY, Annotator, Done
from .manifest import ERRORS, GOES_ON, PART, Manifest
from .part_files import FORMATS, Layout
from .processes import make_parts, n_workers
from .ray_parts import Cluster, import_ray, make_parts_on_ray
from .results import choose_fields
from .streamed import Streamed
from .unfinished import Unfinished

ENGINES = ("local", "ray")
BATCH_TOKENS = 8000
CHUNK = 2**20


@dataclass(frozen=True)
class Options:
    """How texts are read, and results written.

    format: Of part files; None for what the output's name says.
    fields: What is written of each text; what the pipeline sets if empty.
    per: "entity" or "relation" for a row for each of them.
    input_format: Of the inputs, whatever their names say.
    columns: Where the texts and their ids are.
    batch_tokens: How many tokens the pipeline reads at a time.
    part_rows: Rows of a part, which is finished or not.
    max_length: Characters that a text may have; the pipeline's own limit if None.
    engine: "local", or "ray" for a cluster of machines that share a disk.
    ray_address: Of the cluster, as `batch.ray_parts.Cluster` has it.
    n_process: Worker processes; -1 for one a core, or a GPU of the cluster.
    gpu_id: A GPU, or -1; on a cluster, whatever is not -1 is a GPU for each worker.
    precision: "fp32" or "bf16"; the pipeline's own if None.
    code: A Python file to import.
    """

    format: str | None = None
    fields: tuple[str, ...] = ()
    per: str = "document"
    input_format: str | None = None
    columns: Columns = field(default_factory=Columns)
    batch_tokens: int = BATCH_TOKENS
    part_rows: int = PART_ROWS
    max_length: int | None = None
    engine: str = "local"
    ray_address: str | None = None
    n_process: int = 1
    gpu_id: int = -1
    precision: str | None = None
    code: Path | None = None


@dataclass(frozen=True)
class Applied:
    """What came of it: how many rows there are, how many of them failed, and where.

    errors: The file of those that failed; None where stderr has told them.
    was_complete: Whether an earlier run had done all of it.
    """

    rows: int
    words: int
    failed: int
    parts: int
    seconds: float
    errors: Path | None
    examples: tuple[str, ...]
    was_complete: bool = False


@dataclass(frozen=True)
class Worker:
    """What a process needs to annotate parts."""

    model: str
    layout: Layout
    folder: Path
    options: Options
    advice: str

    def make(self) -> Annotator:
        """Load the pipeline."""
        import_code(self.options.code)
        use_gpu(self.options.gpu_id, silent=True)
        return self.around(load_pipeline(self.model))

    def around(self, nlp: Language) -> Annotator:
        """The same with a pipeline that is loaded."""
        if self.options.precision is not None:
            for _, pipe in nlp.pipeline:
                if isinstance(model := getattr(pipe, "model", None), Model):
                    set_mixed_precision(model, self.options.precision == "bf16")
        if self.options.max_length is not None:
            nlp.max_length = self.options.max_length
        tokens = self.options.batch_tokens
        return Annotator(nlp, self.layout, tokens, self.folder, self.advice)


def apply_pipeline(
    model: str,
    texts: str,
    output: Path | BinaryIO,
    options: Options | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Applied:
    """Let a pipeline read all rows of texts, and write what it finds.

    output: A file that ends in .jsonl, .csv, .parquet or .spacy, a folder for parts, or
        a stream for lines of JSON: it tells failures on stderr, and is not resumed.
    resume: Go on with a run that was cut off, if there is one.
    overwrite: Begin anew, whatever was there.

    Raises UserError for what cannot be read or written; what was finished is kept.
    """
    options = options or Options()
    if not isinstance(output, Path):
        return _apply_to_stream(model, texts, output, options, resume)
    format, single = choose_output(output, options.format)
    inputs = find_inputs(texts, options.input_format)
    parts = () if single else (f"{PART}000000.{format}", MANIFEST, ERRORS)
    check_places(output, model, texts, inputs, parts)
    folder = output
    if single:
        output = Path(os.path.realpath(output))
        folder = output.with_name(output.name + RUN)
        _check_single(output, folder, resume, overwrite)
    worker_options = _options_of_worker(options, inputs)
    import_code(options.code)
    nlp = load_pipeline(model)
    layout = _layout(nlp, format, inputs, options)
    settings = _settings(nlp, layout, options)
    with Manifest(folder, format) as manifest:
        manifest.begin(settings, inputs, resume=resume, overwrite=overwrite)
        worker = _worker(model, layout, manifest, worker_options)
        run = _Run(manifest, inputs, options, worker)
        begin = time.monotonic()
        complete = _is_complete(manifest, output if single else None)
        if not complete:
            run.annotate(nlp)
            if single:
                _write_whole(layout, manifest, output)
            manifest.finish(output.stat().st_size if single else None)
        if single:
            with writing(folder):
                manifest.remove_parts(format)
        done = run.summary(time.monotonic() - begin)
        return replace(done, was_complete=complete)


def _apply_to_stream(
    model: str, texts: str, stream: BinaryIO, options: Options, resume: bool
) -> Applied:
    """Raises UserError for what needs files."""
    for asked, flag in (
        (resume, "--resume"),
        (options.format not in (None, FORMATS[0]), f"--format {options.format}"),
        (options.engine != ENGINES[0], f"--engine {options.engine}"),
    ):
        if asked:
            raise UserError(
                f"{flag} needs an output that is a file or a folder, and - is stdout",
                f"Name one, or leave out {flag}: stdout gets lines of JSON.",
            )
    inputs = find_inputs(texts, options.input_format)
    _options_of_worker(options, inputs)
    import_code(options.code)
    nlp = load_pipeline(model)
    layout = _layout(nlp, FORMATS[0], inputs, options)
    with Streamed(stream) as streamed:
        worker = _worker(model, layout, streamed, options)
        run = _Run(streamed, inputs, options, worker)
        begin = time.monotonic()
        run.annotate(nlp)
        return run.summary(time.monotonic() - begin)


def _is_complete(manifest: Manifest, output: Path | None) -> bool:
    """Whether an earlier run has made it all.

    output: The one file that it became, if it did.

    Raises UserError if that is not what was written.
    """
    if not manifest.finished:
        return False
    if output is None or not output.exists():
        return not manifest.forget_missing() and output is None
    if manifest.size != (size := output.stat().st_size):
        raise UserError(
            f"{output} was changed after the run had finished: it had "
            f"{manifest.size:,} bytes and has {size:,}",
            "Add --overwrite to make it again, or name another file.",
        )
    return True


def choose_output(output: Path, format: str | None) -> tuple[str, bool]:
    """The format of the results, and whether they become one file.

    Raises UserError if two are named.
    """
    told = output.suffix.removeprefix(".").lower()
    if output.is_dir() or told not in FORMATS:
        if told and not output.is_dir() and format is None:
            raise UserError(
                f"{output} is of no known format",
                f"Name a file that ends in .{', .'.join(FORMATS)}, or a folder, which "
                "gets a file for every part; with --format its name may be any.",
            )
        return format or FORMATS[0], False
    if format not in (None, told):
        raise UserError(
            f"{output} says {told}, and --format {format}", "Leave out one of them."
        )
    return told, True


def _options_of_worker(options: Options, inputs: Sequence[Input]) -> Options:
    """The options of a worker, which on a cluster sees only the GPU that it has.

    Raises UserError if there is no such engine, or it cannot read the inputs.
    """
    if options.engine not in ENGINES:
        raise UserError(
            f"there is no engine {options.engine!r}",
            f"There are: {', '.join(ENGINES)}.",
        )
    if options.engine == ENGINES[0]:
        use_gpu(options.gpu_id, silent=True)
        return options
    import_ray()
    if any(each.path == STANDARD_INPUT for each in inputs):
        raise UserError(
            "a cluster does not read stdin, which only one machine has",
            "Write the texts to a file that all of them can read.",
        )
    code = options.code and options.code.absolute()
    return replace(options, gpu_id=min(options.gpu_id, 0), code=code)


def _worker(
    model: str, layout: Layout, manifest: Manifest | Streamed, options: Options
) -> Worker:
    if Path(model).is_dir():
        model = os.path.abspath(model)
    folder = manifest.folder.absolute()
    return Worker(model, layout, folder, options, manifest.advice)


def _check_single(output: Path, folder: Path, resume: bool, overwrite: bool) -> None:
    check_file(output)
    if output.exists() and not overwrite and not (resume and folder.exists()):
        raise UserError(
            f"{output} is there"
            + (f", and {folder}, with what was finished, is not" if resume else ""),
            "Add --overwrite to replace it, or name another file."
            + (" --resume goes on with a run that was cut off." * folder.exists()),
        )


def _layout(
    nlp: Language, format: str, inputs: Sequence[Input], options: Options
) -> Layout:
    fields = choose_fields(nlp, options.fields, options.per)
    id, meta = look_at(inputs, replace(options.columns, meta="meta" in fields))
    return Layout(format, fields, options.per, id, meta)


def _settings(nlp: Language, layout: Layout, options: Options) -> dict[str, Any]:
    """All that the results depend on, beside the inputs."""
    meta = nlp.meta
    return {
        "the pipeline": f"{meta['lang']}_{meta['name']} {meta['version']}",
        "the pipeline's content": _fingerprint(nlp),
        "spacy-attnner": version("spacy-attnner"),
        "the format": layout.format,
        "--fields": ",".join(layout.fields),
        "--per": layout.per,
        "--text": options.columns.text,
        "--id": options.columns.id,
        "--batch-tokens": options.batch_tokens,
        "--part-rows": options.part_rows,
        "--max-length": options.max_length,
        "--precision": options.precision,
        "the device": "cpu" if options.gpu_id < 0 else "gpu",
        "the content of --code": options.code and _digest([options.code]),
    }


def _fingerprint(nlp: Language) -> str:
    """Of the names and the content of all files of a pipeline."""
    folder = Path(nlp.path or "")
    found = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return _digest(sorted(filter(Path.is_file, found)), folder)


def _digest(files: Iterable[Path], folder: Path | None = None) -> str:
    """Of the content of files, and of their names below a folder."""
    digest = blake2b(digest_size=16)
    for path in files:
        if folder is not None:
            digest.update(f"{path.relative_to(folder)}\0".encode(errors="replace"))
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


class _Run:
    """One run: which parts are missing, and what they come to."""

    def __init__(
        self,
        manifest: Manifest | Streamed,
        inputs: Sequence[Input],
        options: Options,
        worker: Worker,
    ) -> None:
        self.manifest = manifest
        self.inputs = inputs
        self.options = options
        self.worker = worker

    def annotate(self, nlp: Language) -> None:
        """Make all parts that are missing; raises UserError if there is none at all."""
        saying = _saying(self.manifest.kept)
        with saying, self._bar() as bar, closing(self._made(nlp)) as found:
            for done in found:
                self.manifest.add(done)
                bar.add(done)
        if not self.manifest.parts:
            names = ", ".join(each.path for each in self.inputs[:5])
            raise UserError(f"there is no text in {names}", "Give at least one.")

    def _made(self, nlp: Language) -> Generator[Done, None, None]:
        """The parts as they are made; workers end where this is closed."""
        options = self.options
        parts = Unfinished(
            self.inputs,
            options.columns,
            options.part_rows,
            self.manifest.parts,
            self.manifest.folder,
        )
        if options.engine == "ray":
            yield from make_parts_on_ray(self.worker, parts, _cluster(options))
        elif (n := n_workers(options.n_process)) == 1:
            annotator = self.worker.around(nlp)
            try:
                yield from map(annotator, parts)
            finally:
                gc.unfreeze()  # what the annotator has frozen in this process
        else:
            yield from make_parts(self.worker, parts, n)

    @contextmanager
    def _bar(self) -> Iterator["_Bar"]:
        total = sum(each.size for each in self.inputs) or None
        there = max((each.n_bytes for each in self.manifest.parts.values()), default=0)
        with tqdm(
            total=total,
            initial=there if total else 0,
            desc=visible(Path(self.inputs[0].name).name),
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
        ) as shown:
            yield _Bar(shown)

    def summary(self, seconds: float) -> Applied:
        """What all parts come to, those of earlier runs, too."""
        parts = self.manifest.parts.values()
        examples = []
        for error in self.manifest.errors():
            examples.append(f"{error['place']}: {error['reason']}")
            if len(examples) == 20:
                break
        return Applied(
            rows=sum(part.rows for part in parts),
            words=sum(part.words for part in parts),
            failed=sum(part.n_errors for part in parts),
            parts=len(parts),
            seconds=seconds,
            errors=self.manifest.errors_path,
            examples=tuple(examples),
        )


@contextmanager
def _saying(kept: str) -> Iterator[None]:
    """Add to an error what is kept of the run that it ends."""
    try:
        yield
    except UserError as error:
        raise UserError(error.problem, error.way_out + kept) from error


def _cluster(options: Options) -> Cluster:
    return Cluster(options.ray_address, options.n_process, gpu=options.gpu_id >= 0)


class _Bar:
    """How far a run is: documents, words a second, time left by the bytes of inputs."""

    def __init__(self, shown: tqdm) -> None:
        self.shown = shown
        self.begin = time.monotonic()
        self.docs = self.words = 0

    def add(self, done: Done) -> None:
        """Count a part."""
        self.docs += done.rows
        self.words += done.words
        rate = self.words / max(time.monotonic() - self.begin, 1e-9)
        text = f"{self.docs:,} docs, {rate:,.0f} words/s"
        self.shown.set_postfix_str(text, refresh=False)
        # parts may be finished in another order than they are read
        self.shown.update(max(0, done.n_bytes - self.shown.n))


def _write_whole(layout: Layout, manifest: Manifest, output: Path) -> None:
    """In the run's own folder, which a later run cleans up, and then to its place."""
    new = manifest.folder / f"{TEMPORARY}whole"
    with writing(output, GOES_ON):
        try:
            with new.open("wb") as file:
                layout.join_files(manifest.part_paths(), file)
                file.flush()
                os.fsync(file.fileno())
            if output.exists():
                shutil.copymode(output, new)
            os.replace(new, output)
        finally:
            new.unlink(missing_ok=True)
