"""`spacy attn evaluate`: the project's test scores."""

from pathlib import Path

import typer

from .app import attn_cli


@attn_cli.command("evaluate")
def evaluate_cli(
    training: Path = typer.Argument(..., help="Folder of the trained pipelines"),
    corpus: Path = typer.Argument(..., help="Folder of the converted corpora"),
    output: Path = typer.Argument(..., help="Folder to write the scores to"),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Score the project's pipelines on the test sets.

    Writes one JSON file a task, all of them in OUTPUT/metrics.json, and the per-label
    tables in OUTPUT/REPORT.md.
    """
    from ..project.evaluate import evaluate_project

    evaluate_project(training, corpus, output, gpu_id=gpu_id)
