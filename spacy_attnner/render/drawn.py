"""Pictures of what a pipeline finds in texts, as a page or as an SVG."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from ..atomic import check_file, write_text
from ..errors import UserError
from ..loading import load_pipeline, running, use_gpu
from ..texts.given import DocInfo, read_texts
from ..texts.inputs import check_places, find_inputs
from .page import markup, page
from .picture import WIDTH, Picture, picture

FORMATS = ("html", "svg")


def render_texts(
    model: str,
    texts: str | Path,
    output: Path,
    *,
    spans_key: str = "",
    width: float = WIDTH,
    input_format: str | None = None,
    gpu_id: int = -1,
) -> int:
    """Let a pipeline read texts, and draw what it finds.

    output: A .html file, or a .svg file of a single text; complete or not there.
    spans_key: Span group to draw instead of `doc.ents` and further layers.

    Returns how many texts were drawn. Raises UserError for what cannot be read or
    written.
    """
    format = output.suffix.removeprefix(".").lower()
    if format not in FORMATS:
        raise UserError(
            f"{output} is no .html or .svg file", "Name one: -o pictures.html"
        )
    nlp, docs = open_texts(model, texts, output, input_format, gpu_id)
    layers = [] if spans_key else _layers(nlp)
    found = []
    for doc, info in tqdm(docs, desc="texts", unit="text", disable=None):
        if spans_key and spans_key not in doc.spans:
            raise UserError(
                f"there is no span group {spans_key!r}",
                f"The pipeline writes {sorted(doc.spans)}.",
            )
        drawn = picture(doc, width=width, spans_key=spans_key, layers=layers)
        found.append((len(found) if info.id is None else info.id, drawn))
    if format == "html":
        write_text(output, page(f"What {model} finds", _sections(found)))
    elif len(found) == 1:
        found[0][1].save(output)
    else:
        raise UserError(
            f"{texts} has {len(found):,} texts, and an .svg file holds one",
            "Name a .html file.",
        )
    return len(found)


def open_texts(
    model: str,
    texts: str | Path,
    output: Path | None,
    input_format: str | None,
    gpu_id: int,
) -> tuple[Language, Iterator[tuple[Doc, DocInfo]]]:
    """A pipeline, and the texts as it reads them, each with what is known of it.

    output: What will be written, if anything.

    Raises UserError where something is missing, or in the way of the output.
    """
    inputs = find_inputs(str(texts), input_format)
    if output is not None:
        check_file(output)
        check_places(output, model, str(texts), inputs)
    use_gpu(gpu_id)
    nlp = load_pipeline(model)

    def read() -> Iterator[tuple[Doc, DocInfo]]:
        with running(model):
            yield from nlp.pipe(read_texts(inputs, nlp), as_tuples=True)

    return nlp, read()


def _layers(nlp: Language) -> list[str]:
    """Span groups of components that find entities and leave `doc.ents` alone."""
    found: list[Any] = [pipe for _, pipe in nlp.pipeline]
    return [
        pipe.spans_key for pipe in found if getattr(pipe, "set_ents", None) is False
    ]


def _sections(found: list[tuple[str | int, Picture]]) -> Iterator[str]:
    for name, drawn in found:
        yield f"<h2>{markup(str(name))}</h2>"
        yield drawn.svg
