"""`spacy attn apply`: a pipeline over any number of texts, each exactly once."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from ..terminal import msg, saying_on_stderr
from .app import CODE, attn_cli
from .text_commands import TEXTS, TextFormat
from .training_commands import stoppable

if TYPE_CHECKING:
    from ..batch.engine import Applied

STDOUT = Path("-")
WRITTEN = "The last line on stdout may be cut off; the rest was not read."
SOME_FAILED = 3  # exit status
RESUME = "The same command with --resume goes on after the last part that was finished."


class ResultFormat(str, Enum):
    """The names that `--format` takes."""

    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"
    spacy = "spacy"


class Per(str, Enum):
    """The names that `--per` takes."""

    document = "document"
    entity = "entity"
    relation = "relation"


class Precision(str, Enum):
    """The names that `--precision` takes."""

    fp32 = "fp32"
    bf16 = "bf16"


class Engine(str, Enum):
    """The names that `--engine` takes."""

    local = "local"
    ray = "ray"


@attn_cli.command("apply")
def apply_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    texts: str = typer.Argument(..., metavar="INPUT", help=TEXTS),
    output: Path = typer.Argument(
        ..., help="A .jsonl, .csv, .parquet or .spacy file, a folder for parts, or -"
    ),
    resume: bool = typer.Option(
        False, "--resume", "-r", help="Go on with a run that was cut off"
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", "-F", help="Begin anew, whatever OUTPUT holds"
    ),
    format: ResultFormat | None = typer.Option(
        None, "--format", "-f", help="Of the parts in a folder; jsonl if left out"
    ),
    fields: str = typer.Option(
        "",
        help="Of text,entities,relations,cats,tokens,meta; what MODEL sets if left out",
    ),
    per: Per = typer.Option(Per.document.value, help="What has a row of its own"),
    input_format: TextFormat | None = typer.Option(
        None, "--input-format", "-i", help="Format of INPUT, if the name does not say"
    ),
    text: str = typer.Option("text", help="Key or column of the text"),
    id: str = typer.Option("id", help="Key or column of the id"),
    batch_tokens: int = typer.Option(
        8000, "--batch-tokens", "-b", min=1, help="Tokens that MODEL reads at a time"
    ),
    part_rows: int = typer.Option(5000, min=1, help="Rows a part"),
    max_length: int | None = typer.Option(
        None, min=1, help="Characters of a text; MODEL's own limit if left out"
    ),
    n_process: int = typer.Option(
        1, "--n-process", "-p", min=-1, help="Workers, -1 for one a core (ray: or GPU)"
    ),
    engine: Engine = typer.Option(
        Engine.local.value, help="ray: on a cluster whose machines share a disk"
    ),
    ray_address: str | None = typer.Option(
        None, help="Of the cluster; $RAY_ADDRESS or this machine if left out"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    precision: Precision | None = typer.Option(
        None, help="What the modules compute in; the pipeline's own if left out"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
) -> None:
    """Write what MODEL finds in INPUT, every row of it exactly once.

    INPUT may be compressed (gzip, bzip2, xz, zstd). Rows that fail go to errors.jsonl,
    the others on. Parts of the results are finished one by one: after a crash, --resume
    goes on, and the results are the same bytes as those of a run that was not cut off.
    With - as OUTPUT, lines of JSON go to stdout, all else to stderr, and there is no
    --resume.

    Exit status: 0, every row is written; 3, the run is complete, and some rows are in
    errors.jsonl; 1, it is not complete; 2, wrong options; 130, stopped by Ctrl+C. After
    1, 130 or a signal, --resume goes on.
    """
    from ..batch.engine import Options, apply_pipeline
    from ..texts.row_readers import Columns

    if resume and overwrite:
        raise typer.BadParameter("choose one of --resume and --overwrite")
    if n_process == 0:
        raise typer.BadParameter("0 processes read nothing", param_hint="--n-process")
    named = tuple(filter(None, (name.strip() for name in fields.split(","))))
    if ray_address and engine != Engine.ray:
        raise typer.BadParameter("add --engine ray", param_hint="--ray-address")
    options = Options(
        engine=engine.value,
        ray_address=ray_address,
        format=format.value if format else None,
        fields=named,
        per=per.value,
        input_format=input_format.value if input_format else None,
        columns=Columns(text, id, meta=not named or "meta" in named),
        batch_tokens=batch_tokens,
        part_rows=part_rows,
        max_length=max_length,
        n_process=n_process,
        gpu_id=gpu_id,
        precision=precision.value if precision else None,
        code=code,
    )

    def run(place: Path | BinaryIO) -> None:
        advice = RESUME if isinstance(place, Path) else WRITTEN
        with stoppable(advice):
            done = apply_pipeline(
                model, texts, place, options, resume=resume, overwrite=overwrite
            )
        _tell(done, "stdout" if output == STDOUT else str(output))

    if output == STDOUT:
        with saying_on_stderr() as stream:
            run(stream)
    else:
        run(output)


def _tell(done: "Applied", output: str) -> None:
    """Say what came of it, in the exit status, too."""
    for problem in done.examples:
        msg.warn(problem)
    rows = f"{done.rows - done.failed:,} of {done.rows:,} rows"
    if done.was_complete:
        msg.good(f"{output} was complete already: {rows}; nothing was changed")
    else:
        msg.good(f"Wrote {rows} to {output}")
    if done.failed:
        where = f": see {done.errors}" if done.errors else ""
        msg.fail(f"{done.failed:,} rows failed{where}")
        raise typer.Exit(SOME_FAILED)
