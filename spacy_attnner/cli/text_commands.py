"""`spacy attn relations` and `export`: what documents hold, as files."""

from enum import Enum
from pathlib import Path

import typer

from ..errors import MAX_TOLD
from ..export.statements import BASE
from ..terminal import echo, msg
from .app import CODE, attn_cli

TEXTS = "A .txt, .jsonl, .csv, .parquet or .spacy file, a folder, 'a*.jsonl', or -"


class ExportFormat(str, Enum):
    """The names that `--format` takes."""

    jsonl = "jsonl"
    csv = "csv"
    nt = "nt"
    cypher = "cypher"
    graphml = "graphml"


class TextFormat(str, Enum):
    """The names that `--input-format` takes."""

    txt = "txt"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"
    spacy = "spacy"


@attn_cli.command("relations")
def relations_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    texts: str = typer.Argument(..., help=TEXTS),
    output: Path = typer.Option(..., "--output", "-o", help="The file to write"),
    format: ExportFormat | None = typer.Option(
        None, "--format", "-f", help="Its format; told from its name if left out"
    ),
    input_format: TextFormat | None = typer.Option(
        None, "--input-format", "-i", help="Format of TEXTS, if the name does not say"
    ),
    threshold: float | None = typer.Option(
        None,
        "--threshold",
        "-t",
        min=0.0,
        max=1.0,
        help="Keep relations from this probability on; the pipeline's if left out",
    ),
    batch_size: int | None = typer.Option(
        None, "--batch-size", "-b", min=1, help="Texts a batch"
    ),
    n_process: int = typer.Option(
        1, "--n-process", "-p", min=-1, help="Worker processes, -1 for one a core"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    base: str = typer.Option(
        BASE,
        "--base",
        help="What the names of nt and cypher begin with",
    ),
    spreadsheet: bool = typer.Option(
        False, "--spreadsheet", help="In csv, put ' before what would be a formula"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
) -> None:
    """Write the relations that MODEL finds in TEXTS.

    TEXTS has a text on every line (.txt), an object or a row with the key text and
    optionally id and meta (.jsonl, .csv, .parquet), or tokenized documents (.spacy); it
    may be compressed. -o names a .jsonl, .csv, .nt (RDF), .cypher or .graphml file,
    which is written completely or not at all.
    """
    from spacy.cli._util import import_code

    from ..export.write import export_relations

    if n_process == 0:
        raise typer.BadParameter("0 processes read nothing", param_hint="--n-process")
    import_code(code)
    written = export_relations(
        model,
        texts,
        output,
        format=format.value if format else None,
        input_format=input_format.value if input_format else None,
        threshold=threshold,
        batch_size=batch_size,
        n_process=n_process,
        gpu_id=gpu_id,
        base=base,
        spreadsheet=spreadsheet,
    )
    for problem in written.unreadable[:MAX_TOLD]:
        msg.warn(problem)
    msg.good(
        f"Wrote {written.triples:,} triples of {written.documents:,} documents to "
        f"{output}"
    )
    if written.unreadable:
        msg.fail(
            f"{len(written.unreadable):,} texts could not be read and count as empty",
            exits=1,
        )


class TagScheme(str, Enum):
    """The names that `--scheme` takes."""

    bio = "bio"
    bioes = "bioes"
    biluo = "biluo"


def _list_layouts(name: str | None) -> str | None:
    """Print the formats of an export and what each has a place for, for `?`."""
    if name != "?":
        return name
    from ..annotations.exporting import LAYOUTS

    for layout in LAYOUTS.values():
        echo(f"{layout.name:<14}{', '.join(sorted(layout.holds))}")
    raise typer.Exit


@attn_cli.command("export")
def export_cli(
    input: str = typer.Argument(
        ..., help="A .spacy file, or a folder of them; with --model any texts"
    ),
    output: Path = typer.Argument(..., help="The file to write; of BRAT, the folder"),
    format: str = typer.Option(
        *(..., "--format", "-f"),
        metavar="NAME",
        help="Its format; -f ? lists them, and what they can hold",
        callback=_list_layouts,
        is_eager=True,
    ),
    model: str = typer.Option(
        "", "--model", "-m", help="A pipeline whose predictions are written"
    ),
    spans_key: list[str] = typer.Option(
        [], "--spans-key", "-s", help="A span group of entities; may be given again"
    ),
    scheme: TagScheme = typer.Option(
        TagScheme.bio.value, "--scheme", help="Of the tags of columns"
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", "-F", help="Replace OUTPUT if it is there"
    ),
    input_format: TextFormat | None = typer.Option(
        None, "--input-format", "-i", help="Format of INPUT, if the name does not say"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
) -> None:
    """Write annotations, or predictions, for a tool.

    INPUT is what `convert` made: its entities, relations and categories are written as
    BRAT, Doccano, Label Studio, Prodigy and others read them, with id and meta. With
    --model it is texts of any kind that `apply` reads, which come out annotated
    beforehand, with confidences where the format has a place for them. What a format
    cannot hold is counted. OUTPUT is complete, or not there.
    """
    from spacy.cli._util import import_code

    from ..annotations.exporting import export_annotations

    import_code(code)
    done = export_annotations(
        input,
        output,
        format=format,
        model=model or None,
        spans_keys=spans_key,
        scheme=scheme.value,
        input_format=input_format.value if input_format else None,
        overwrite=overwrite,
        gpu_id=gpu_id,
    )
    msg.good(f"Exported {input} to {output}")
    for line in done.lines():
        echo(line)
