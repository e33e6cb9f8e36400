"""The relations of documents, or of what a pipeline reads, in a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from ..atomic import Output, check_file, replacing
from ..errors import UserError
from ..loading import load_pipeline, running, use_gpu
from ..relations import get_relations, has_relations
from ..terminal import visible
from ..texts.given import DocInfo, read_texts
from ..texts.inputs import Input, check_places, find_inputs
from .graph import import_networkx, write_graphml
from .statements import BASE, check_base, to_cypher, to_ntriples
from .tables import to_csv, to_jsonl
from .triples import Source

FORMATS = ("jsonl", "csv", "nt", "cypher", "graphml")
SET_BY_RELATIONS = {"doc._.relations", "doc._.rel"}


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


def export_relations(
    model: str,
    texts: str | Path,
    output: Path,
    *,
    format: str | None = None,
    input_format: str | None = None,
    threshold: float | None = None,
    batch_size: int | None = None,
    n_process: int = 1,
    gpu_id: int = -1,
    base: str = BASE,
    spreadsheet: bool = False,
) -> Written:
    """Let a pipeline read texts and write the relations that it finds.

    model: A pipeline's folder, or the name of an installed one.
    texts: A file of one of `texts.inputs.ROW_KINDS`, which may be compressed, a folder
        of them, a pattern, or - for stdin.
    output: The file to write.
    format: One of jsonl, csv, nt, cypher, graphml; None tells it from `output`.
    input_format: One of these kinds; None tells it from `texts`.
    threshold: Keep relations from this probability on, in place of what the pipeline's
        `attn_rel` has; None leaves it as it is.
    batch_size: Texts a batch; the pipeline's own if None.
    n_process: Worker processes; -1 for as many as there are cores.
    gpu_id: GPU, or -1 for the CPU.
    base, spreadsheet: As for `write_relations`.

    A text with half of a surrogate pair, which no pipeline reads, counts as an empty
    one and is named in the result.

    Raises UserError if one of them cannot be used, or no component sets relations;
    no file is written then.
    """
    inputs = find_inputs(str(texts), input_format)
    format = _check_choices(output, format, base)
    check_file(output, f"-o {output}/triples.csv")
    check_places(output, model, str(texts), inputs)
    use_gpu(gpu_id)
    nlp = load_pipeline(model)
    _check_components(nlp, model)
    if threshold is not None:
        _set_threshold(nlp, threshold)
    unreadable: list[str] = []
    docs = nlp.pipe(
        read_texts(inputs, nlp, unreadable),
        as_tuples=True,
        batch_size=batch_size,
        n_process=n_process,
    )
    bar = tqdm(
        docs, desc=visible(Path(texts).name), unit="doc", leave=False, disable=None
    )
    with running(model):
        written = write_relations(
            _checked(bar, nlp, model, inputs),
            output,
            format=format,
            threshold=threshold or 0.0,
            base=base,
            spreadsheet=spreadsheet,
        )
    written.unreadable = unreadable
    return written


def _check_choices(output: Path, format: str | None, base: str) -> str:
    """The format of the output."""
    try:
        check_base(base)
    except ValueError as error:
        raise UserError(str(error), "Say so: --base IRI") from error
    try:
        format = choose_format(output, format)
    except ValueError as error:
        endings = ", ".join(f".{name}" for name in FORMATS)
        raise UserError(
            str(error), f"Name a file that ends in {endings}, or add --format."
        ) from error
    if format == "graphml":
        try:
            import_networkx()
        except ImportError as error:
            raise UserError(
                str(error), "Or choose another format, such as csv."
            ) from error
    return format


def _check_components(nlp: Language, model: str) -> None:
    """Other people's components need not declare what they set: they are tried."""
    for name, pipe in nlp.pipeline:
        if SET_BY_RELATIONS & set(nlp.get_pipe_meta(name).assigns):
            return
        if not pipe.__module__.startswith(("spacy.", "spacy_attnner.")):
            return
    raise _no_relations(nlp, model)


def _no_relations(nlp: Language, model: str) -> UserError:
    names = ", ".join(nlp.pipe_names) or "none"
    return UserError(
        f"the pipeline {model!r} sets no relations; its components: {names}",
        "Give a pipeline with a component for relations, such as attn_rel.",
    )


def _set_threshold(nlp: Language, threshold: float) -> None:
    """Else what `attn_rel` drops by thresholds of its own would be missing."""
    from ..pipeline.rel import AttnRel

    for _, pipe in nlp.pipeline:
        if isinstance(pipe, AttnRel):
            pipe.cfg.update(threshold=threshold, thresholds={})


def _checked(
    docs: Iterable[tuple[Doc, DocInfo]],
    nlp: Language,
    model: str,
    inputs: Sequence[Input],
) -> Iterator[tuple[Doc, DocInfo]]:
    count, found = 0, False
    for doc, info in docs:
        count += 1
        found = found or has_relations(doc)
        yield doc, info
    if not count:
        raise UserError(f"{inputs[0].name} holds no text", "Give at least one.")
    if not found:
        raise _no_relations(nlp, model)
