"""`spacy attn report`: what a pipeline's entities get right and wrong."""

from pathlib import Path

import typer

from ..terminal import msg
from .app import attn_cli


@attn_cli.command("report")
def report_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    data: Path = typer.Argument(..., help="Annotated documents, a .spacy file"),
    json_path: Path | None = typer.Option(
        None, "--json", "-j", help="A JSON file to write"
    ),
    html_path: Path | None = typer.Option(
        None, "--html", "-H", help="An HTML page with plots to write"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    gold_preproc: bool = typer.Option(
        False, "--gold-preproc", "-G", help="Gold tokens, sentence by sentence"
    ),
    gold_sents: bool = typer.Option(
        False, "--gold-sents", "-s", help="Whole documents with gold sentence starts"
    ),
    n_errors: int = typer.Option(
        10,
        "--n-errors",
        "-n",
        min=0,
        help="How many frequent errors, and examples of each kind, to show",
    ),
    batch_size: int | None = typer.Option(
        None, "--batch-size", "-b", min=1, help="Documents a batch"
    ),
    code: Path | None = typer.Option(
        None, "--code", "-c", help="A Python file to import: registered functions"
    ),
) -> None:
    """Compare the entities that MODEL finds with the annotated ones.

    Scores of types and tags, kinds of errors with examples, and how far the
    confidences can be believed.
    """
    from spacy.cli._util import import_code

    from ..report.run import report_pipeline
    from ..report.text import to_text

    import_code(code)
    report = report_pipeline(
        model,
        data,
        json_path=json_path,
        html_path=html_path,
        gpu_id=gpu_id,
        gold_preproc=gold_preproc,
        gold_sents=gold_sents,
        n_errors=n_errors,
        batch_size=batch_size,
    )
    typer.echo(to_text(report, colored=True))
    for path in filter(None, (json_path, html_path)):
        msg.good(f"Wrote the report to {path}")
