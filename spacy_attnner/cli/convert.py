"""`spacy attn convert`: make a `.spacy` file of a corpus in another format."""

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from wasabi import msg

from ..project.atomic import write_bytes
from . import attn_cli

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from ..corpora.summary import Summary


class Format(str, Enum):
    """The names that `--format` takes."""

    conll2003 = "conll2003"
    conll04 = "conll04"
    trec = "trec"
    sst2 = "sst2"
    jsonl = "jsonl"
    prodigy = "prodigy"
    semeval2010 = "semeval2010"


@attn_cli.command("convert")
def convert_cli(
    input: Path = typer.Argument(..., help="The corpus file"),
    output: Path = typer.Argument(..., help="The .spacy file to write"),
    format: Format | None = typer.Option(
        None, "--format", "-f", help="Its format; told from the file if left out"
    ),
    sentences: bool = typer.Option(
        False, "--sentences", "-s", help="Make one document of every sentence"
    ),
    lang: str = typer.Option(
        "en",
        "--lang",
        "-l",
        help="Language of the tokenizer (JSONL, Prodigy, SemEval) and the vocabulary",
    ),
    map_labels: str = typer.Option(
        "", "--map-labels", "-m", help="New names of entity labels: OLD=NEW,OLD=NEW"
    ),
    labels: str = typer.Option(
        "",
        "--labels",
        "-L",
        help="The only labels allowed in the output: A,B; TREC: also its categories",
    ),
    cats: str = typer.Option(
        "", "--cats", "-c", help="Keep only these categories: A,B"
    ),
    fine: bool = typer.Option(False, "--fine", "-F", help="Use TREC's fine labels"),
    entity_label: str = typer.Option(
        "ENTITY",
        "--entity-label",
        "-E",
        help="Label of entities without one: SemEval's, and Prodigy's unlabelled spans",
    ),
) -> None:
    """Convert a corpus into the .spacy format that `spacy train` reads.

    Reads CoNLL-2003, CoNLL04, SemEval-2010 Task 8, TREC, SST-2, Prodigy's relation
    annotations and the package's own JSONL. What is known to be flawed in a corpus is
    repaired, counted and listed; anything else is an error that names the line.
    """
    from ..corpora.errors import CorpusError

    try:
        summary = convert(
            input,
            output,
            format=format.value if format else None,
            sentences=sentences,
            lang=lang,
            label_map=_parse_map(map_labels),
            labels=_parse_list(labels),
            cats=_parse_list(cats),
            fine=fine,
            entity_label=entity_label,
            progress=True,
        )
    except (CorpusError, OSError) as error:
        msg.fail(str(error), exits=1)
    else:
        msg.good(f"Converted {input} to {output}")
        for line in summary.lines():
            typer.echo(line)


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
    fine: bool = False,
    entity_label: str = "ENTITY",
    progress: bool = False,
) -> "Summary":
    """Convert a corpus file into a `.spacy` file and count what it holds.

    input: The corpus file.
    output: The file to write; its folder is made if need be.
    format: One of conll2003, conll04, trec, sst2, jsonl, prodigy, semeval2010; None
        tells it from the file.
    sentences: Make one document of every sentence.
    lang: The language of the tokenizer and the vocabulary.
    label_map: New names of entity labels.
    labels: The labels allowed in the output, of entities, relations and categories;
        with TREC also the categories that every document gets.
    cats: Keep only these categories.
    fine: Use TREC's fine labels.
    entity_label: The label of entities that have none in SemEval-2010 and Prodigy.
    progress: Show a progress bar on stderr, if that is a terminal.

    Raises CorpusError if the corpus or an option is wrong; nothing is written then.
    """
    from spacy.tokens import DocBin

    from ..corpora.errors import CorpusError
    from ..corpora.formats import detect_format, read_corpus
    from ..corpora.relabel import labels_before, relabel
    from ..corpora.summary import Summary

    output = Path(output)
    if output.suffix != ".spacy":
        raise CorpusError(output, None, "spaCy reads .spacy files; name it so")
    names = dict(label_map or {})
    summary = Summary(format=format or detect_format(input))
    docs = read_corpus(
        input,
        _make_tokenizer(input, lang),
        summary.format,
        sentences=sentences,
        fine=fine,
        entity_label=entity_label,
        labels=labels_before(labels, names) if labels else None,
        repairs=summary.repairs,
    )
    docs = relabel(docs, input, names, cats)
    doc_bin = DocBin()
    for doc in _show_progress(docs, Path(input).name) if progress else docs:
        summary.add(doc)
        doc_bin.add(doc)
    write_bytes(output, doc_bin.to_bytes())
    return summary


def _make_tokenizer(path: str | Path, lang: str) -> "Language":
    import spacy

    from ..corpora.errors import CorpusError

    try:
        spacy.util.get_lang_class(lang)
    except ImportError as error:
        message = f"spaCy has no language {lang!r}; give a code such as en, de or xx"
        raise CorpusError(path, None, message) from error
    return spacy.blank(lang)


def _show_progress(docs: "Iterable[Doc]", name: str) -> "Iterable[Doc]":
    from tqdm import tqdm

    return tqdm(docs, desc=name, unit=" docs", leave=False, disable=None)


def _parse_list(text: str) -> list[str] | None:
    return [item.strip() for item in text.split(",") if item.strip()] or None


def _parse_map(text: str) -> dict[str, str]:
    names = {}
    for item in _parse_list(text) or []:
        old, _, new = item.partition("=")
        if not old or not new or "=" in new:
            raise typer.BadParameter(
                f"{item!r} is not OLD=NEW", param_hint="--map-labels"
            )
        names[old] = new
    return names
