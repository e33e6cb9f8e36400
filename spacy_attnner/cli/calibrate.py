"""`spacy attn calibrate`: confidences that say how often they are right."""

from pathlib import Path

import typer

from ..confidence.calibration import MARGIN, Calibration
from ..confidence.reliability import N_BINS
from ..terminal import msg
from .app import attn_cli


@attn_cli.command("calibrate")
def calibrate_cli(
    model: str = typer.Argument(..., help="The pipeline's folder or package"),
    data: Path = typer.Argument(..., help="Annotated documents, not trained on"),
    output: Path = typer.Argument(..., help="The folder to write; may be MODEL"),
    component: str = typer.Option(
        "", "--component", "-c", help="The attn_ner component, if there are several"
    ),
    gold_preproc: bool = typer.Option(
        False, "--gold-preproc", "-G", help="Predict gold sentences one by one"
    ),
    gold_sents: bool = typer.Option(
        False, "--gold-sents", "-s", help="Whole documents with gold sentence starts"
    ),
    margin: float = typer.Option(
        MARGIN, help="Standard errors below the best fit; 0 fits DATA as they are"
    ),
    keep_threshold: bool = typer.Option(
        False,
        "--keep-threshold",
        help="Leave the component's threshold the number it is, which keeps other "
        "entities than before",
    ),
    min_entities: int = typer.Option(
        0, min=0, help="With fewer predicted entities, write MODEL as it is"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Fit the confidences of a pipeline's entities to how often they are right.

    Give documents in the shape in which they will be read later: whole ones, with
    --gold-sents such that know their sentences, with --gold-preproc single sentences.
    A pipeline that is trained further needs it again.

    The entities stay the same: a threshold of the component is expressed anew, so that
    it keeps those of DATA that it kept before, and the confidences are fitted on them.
    """
    from ..errors import reported
    from ..project.calibrate import calibrate_pipeline

    with reported():
        result = calibrate_pipeline(
            model,
            data,
            output,
            component=component or None,
            gold_preproc=gold_preproc,
            gold_sents=gold_sents,
            margin=margin,
            keep_threshold=keep_threshold,
            min_entities=min_entities,
            gpu_id=gpu_id,
        )
    if result is not None:
        _show(result, data.name)
    msg.good(f"Wrote {output}")


def _show(result: Calibration, title: str) -> None:
    rows = [
        (f"ECE ({N_BINS} bins)", result.ece_before, result.ece_after),
        ("Log loss (nats)", result.log_loss_before, result.log_loss_after),
    ]
    msg.table(
        [(name, f"{before:.4f}", f"{after:.4f}") for name, before, after in rows],
        header=(title, "before", "after"),
        divider=True,
        aligns=("l", "r", "r"),
    )
    typer.echo(
        f"{result.n_entities} entities, {result.accuracy:.1%} of them correct: "
        f"temperature {result.temperature:.3f}, log-odds offset "
        f"{result.log_odds_offset:+.3f}"
    )
    if result.threshold_before or result.threshold:
        typer.echo(
            f"Threshold {result.threshold_before:g} before, {result.threshold:g} now: "
            f"{result.n_changed} entities of {title} are kept or dropped that were not"
        )
    if result.warning:
        msg.warn(result.warning[:1].upper() + result.warning[1:])
