"""`spacy attn thresholds`: from which probability on a relation is stored."""

from pathlib import Path

import typer

from ..terminal import msg
from .app import attn_cli


@attn_cli.command("thresholds")
def thresholds_cli(
    model: str = typer.Argument(..., help="The pipeline's folder or package"),
    data: Path = typer.Argument(..., help="Annotated documents, not trained on"),
    output: Path = typer.Argument(..., help="The folder to write; may be MODEL"),
    component: str = typer.Option(
        "", "--component", "-c", help="The attn_rel component, if there are several"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Give each label of a pipeline's relations the threshold with the highest F1.

    The entities are those that the pipeline finds. A pipeline that is trained further
    needs it again.
    """
    from ..project.thresholds import fit_pipeline

    result = fit_pipeline(
        model, data, output, component=component or None, gpu_id=gpu_id
    )
    msg.table(
        [(label, f"{value:.3f}") for label, value in result.by_label.items()],
        header=(data.name, "threshold"),
        divider=True,
        aligns=("l", "r"),
    )
    typer.echo(f"strict F1 there: {result.before:.4f} before, {result.after:.4f} after")
    msg.good(f"Wrote {output}")
