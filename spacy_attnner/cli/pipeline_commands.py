"""`spacy attn calibrate`, `thresholds`, `evaluate`, …: of trained pipelines."""

import platform
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import typer

from ..confidence.calibration import MARGIN, Calibration
from ..confidence.reliability import N_BINS
from ..errors import sound
from ..native import extension, extension_state, torch_chosen
from ..terminal import echo, msg, visible
from .app import CODE, attn_cli

OF_LAYER = (
    "Annotated documents, a .spacy file; KEY=FILE takes its entities for those of the "
    "span group KEY, such as arguments=rel.spacy"
)
PACKAGES = ("spacy-attnner", "spacy", "thinc", "torch", "numpy", "cupy")


@attn_cli.command("calibrate")
def calibrate_cli(
    model: str = typer.Argument(..., help="The pipeline's folder or package"),
    data: str = typer.Argument(..., help=f"{OF_LAYER}; none that was trained on"),
    output: Path = typer.Argument(..., help="The folder to write; may be MODEL"),
    component: str = typer.Option(
        "",
        "--component",
        "-c",
        help="The component; the attn_ner, or what else there is, if left out",
    ),
    gold_preproc: bool = typer.Option(
        False, "--gold-preproc", "-G", help="Predict gold sentences one by one"
    ),
    gold_sents: bool = typer.Option(
        False, "--gold-sents", "-s", help="Whole documents with gold sentence starts"
    ),
    margin: float | None = typer.Option(
        None,
        help="Standard errors below the best fit; 0 fits DATA as they are. If left out "
        f"{MARGIN} for entities, 0 for relations and categories",
    ),
    keep_threshold: bool = typer.Option(
        False,
        "--keep-threshold",
        help="Leave the component's threshold the number it is, which keeps others "
        "than before",
    ),
    min_entities: int = typer.Option(
        0, min=0, help="With fewer predictions, write MODEL as it is"
    ),
    code: Path | None = typer.Option(None, "--code", help=CODE),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Fit the confidences of a component to how often they are right.

    They are those of entities, of relations, or of categories, by the component.
    Give documents in the shape in which they will be read later: whole ones, with
    --gold-sents such that know their sentences, with --gold-preproc single sentences.
    A pipeline that is trained further needs it again.

    What is found stays the same: a threshold of the component is expressed anew, so
    that it keeps what it kept of DATA before, and the confidences are fitted on that.
    """
    from spacy.cli._util import import_code

    from ..fitting import calibrate_pipeline

    import_code(code)
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
        _show_calibration(result, Path(data).name)
    msg.good(f"Wrote {output}")


def _show_calibration(result: Calibration, title: str) -> None:
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
    right = "apply" if result.what == "categories" else "are correct"
    typer.echo(
        f"{result.n_entities} {result.what}, {result.accuracy:.1%} of them {right}: "
        f"temperature {result.temperature:.3f}, log-odds offset "
        f"{result.log_odds_offset:+.3f}"
    )
    if result.threshold_before or result.threshold or result.thresholds:
        pairs = result.thresholds or ((result.threshold_before, result.threshold),)
        before, now = map(_least_to_most, zip(*pairs, strict=True))
        typer.echo(
            f"Threshold{'s' * bool(result.thresholds)} {before} before, {now} now: "
            f"{result.n_changed} {result.what} of {title} are kept or dropped that "
            "were not"
        )
    if result.warning:
        msg.warn(result.warning[:1].upper() + result.warning[1:])


def _least_to_most(thresholds: Sequence[float]) -> str:
    least, most = min(thresholds), max(thresholds)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


@attn_cli.command("thresholds")
def thresholds_cli(
    model: str = typer.Argument(..., help="The pipeline's folder or package"),
    data: Path = typer.Argument(..., help="Annotated documents, not trained on"),
    output: Path = typer.Argument(..., help="The folder to write; may be MODEL"),
    component: str = typer.Option(
        "",
        "--component",
        "-c",
        help="The component; the attn_rel, or else the classifier, if left out",
    ),
    code: Path | None = typer.Option(None, "--code", help=CODE),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Fit the threshold of each label for the highest F1.

    Labels are those of relations between the entities that the pipeline finds, or the
    categories of attn_textcat_multilabel. A pipeline that is trained further needs it
    again.
    """
    from spacy.cli._util import import_code

    from ..fitting import fit_pipeline_thresholds

    import_code(code)
    result = fit_pipeline_thresholds(
        model, data, output, component=component or None, gpu_id=gpu_id
    )
    msg.table(
        [(label, f"{value:.3f}") for label, value in result.by_label.items()],
        header=(data.name, "threshold"),
        divider=True,
        aligns=("l", "r"),
    )
    typer.echo(f"F1 there: {result.before:.4f} before, {result.after:.4f} after")
    msg.good(f"Wrote {output}")


@attn_cli.command("report")
def report_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    data: str = typer.Argument(..., help=OF_LAYER),
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
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
) -> None:
    """Compare what MODEL finds with what is annotated.

    One page for all of entities, relations and categories that is annotated: scores,
    kinds of errors with examples, and how far the confidences can be believed.
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


@attn_cli.command("evaluate")
def evaluate_cli(
    model: str = typer.Argument(..., help="The pipeline's folder or package"),
    data: str = typer.Argument(..., help=OF_LAYER),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="A JSON file for the scores"
    ),
    gold_preproc: bool = typer.Option(
        False, "--gold-preproc", "-G", help="Gold tokens, sentence by sentence"
    ),
    gold_sents: bool = typer.Option(
        False, "--gold-sents", "-s", help="Whole documents with gold sentence starts"
    ),
    batch_size: int | None = typer.Option(
        None, "--batch-size", "-b", min=1, help="Documents a batch"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Print all scores of a pipeline on annotated documents.

    Those of every component, by the names of `spacy evaluate`, which leaves out
    relations; of each type; the accuracy of categories; how far confidences are from
    how often they are right (calibration errors). `report` shows the errors.
    """
    from spacy.cli._util import import_code

    from ..report.evaluation import SPEED, evaluate_pipeline, evaluation_tables
    from ..report.text import text_table

    import_code(code)
    scores = evaluate_pipeline(
        model,
        data,
        output=output,
        gpu_id=gpu_id,
        gold_preproc=gold_preproc,
        gold_sents=gold_sents,
        batch_size=batch_size,
    )
    echo("\n\n".join(filter(None, map(text_table, evaluation_tables(scores)))))
    echo(f"\n{scores[SPEED]:,.0f} words a second")
    if output is not None:
        msg.good(f"Wrote the scores to {output}")


@attn_cli.command("onnx")
def onnx_cli(
    model: str = typer.Argument(..., help="The pipeline's folder or package"),
    output: Path = typer.Argument(..., help="The folder to write"),
    int8: bool = typer.Option(
        False, "--int8", "-8", help="Round the weights of linear layers to 8 bits"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
) -> None:
    """Have ONNX Runtime run a pretrained encoder, for speed on a CPU.

    With --int8 it is faster still, and a quarter of the size but for the vectors of
    word pieces; `evaluate` tells what that costs. What is written predicts as the
    pipeline did and needs onnxruntime where it is loaded. It is trained no further, but
    for what is above a frozen encoder.
    """
    from spacy.cli._util import import_code

    from ..onnx import export_to_onnx

    import_code(code)
    for each in export_to_onnx(model, output, int8=int8):
        typer.echo(
            f"{each.component}: vectors differ by {each.difference:.2g} standard "
            "deviations"
        )
    msg.good(f"Wrote {output}")


@attn_cli.command("card")
def card_cli(
    model: Path = typer.Argument(..., help="The pipeline's folder"),
    data: list[str] = typer.Option(
        [],
        "--data",
        "-d",
        help="A .spacy file to score it on; KEY=FILE takes its entities for those of "
        "the span group KEY, such as arguments=rel.spacy; may be repeated",
    ),
    name: str = typer.Option(
        "", "--name", "-n", help="What the pipeline is called from now on: LANG_NAME"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Write a model card into a pipeline: MODEL/README.md.

    It holds components and labels, scores, data, settings, versions and the processor
    that it is written with, and what the config states of itself: intended_use and
    limits in [card]. `spacy package` takes it along; give --name here, not there. A
    README.md that is no card is refused.
    """
    from spacy.cli._util import import_code

    from ..report.card import CARD, write_card

    import_code(code)
    write_card(model, data, name=name, gpu_id=gpu_id)
    msg.good(f"Wrote {model / CARD}")


@attn_cli.command("info")
def info_cli() -> None:
    """Show versions, the platform, and what is compiled, or why not."""
    from ..crf import kernel
    from ..crf.recursions import LOOP
    from ..layers.group_context import CONTEXT
    from ..layers.pairs import PAIRS
    from ..layers.recurrence import RECURRENCE

    with sound("bad environment variable", "Unset it."):
        torch_chosen()
    found = {each.metadata["Name"]: each.version for each in distributions()}
    rows = {name: found.get(name, "not installed") for name in PACKAGES}
    rows |= {name: v for name, v in found.items() if name.startswith("cupy-cuda")}
    rows["Python"] = platform.python_version()
    rows["platform"] = platform.platform()
    compiled = {"LSTM": RECURRENCE, "document context": CONTEXT, "pairs": PAIRS}
    for what, name in {"CRF": LOOP, **compiled}.items():
        where = "in PyTorch" if extension(name) is None else "compiled"
        rows[what] = f"{where} ({extension_state(name)})"
    where = "there" if kernel.is_usable() else "on the CPU"
    rows["CRF of models on a GPU"] = f"{where} ({kernel.kernel_state()})"
    width = max(map(len, rows))
    for name, value in rows.items():
        echo(f"{name:{width}}  {visible(value)}")
