"""`spacy attn render` and `explain`: what a pipeline finds in texts, and why."""

import statistics
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from ..terminal import msg
from .app import CODE, attn_cli
from .text_commands import TEXTS, TextFormat


class Method(str, Enum):
    """The names that `--method` takes."""

    integrated_gradients = "integrated_gradients"
    leave_one_out = "leave_one_out"
    attention_gradient = "attention_gradient"
    attention = "attention"


class Kind(str, Enum):
    """The names that `--kind` takes."""

    category = "category"
    entity = "entity"
    relation = "relation"


@attn_cli.command("explain")
def explain_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    texts: str = typer.Argument(..., help=TEXTS),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="A .html or .jsonl file; .json with --evaluate"
    ),
    method: Method | None = typer.Option(
        None,
        "--method",
        "-m",
        help="What the tokens' weights are; integrated_gradients if left out, which "
        "tell as much as leaving out each word (see --evaluate), at a fixed price",
    ),
    kind: list[Kind] = typer.Option(
        [], "--kind", "-k", help="What to explain; all that MODEL says if left out"
    ),
    label: list[str] = typer.Option(
        [], "--label", "-l", help="Explain this label alone; may be given several times"
    ),
    component: str = typer.Option(
        "", "--component", "-c", help="The component, if there are several of a kind"
    ),
    evaluate: bool = typer.Option(
        False, "--evaluate", "-e", help="Test whether explanations tell the truth"
    ),
    steps: int | None = typer.Option(
        None, min=1, help="Steps of integrated gradients; 32 if left out"
    ),
    seed: int = typer.Option(0, help="Of what is drawn by chance with --evaluate"),
    code: Path | None = typer.Option(None, "--code", help=CODE),
    input_format: TextFormat | None = typer.Option(
        None, "--input-format", "-i", help="Format of TEXTS, if the name does not say"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Write how much each token counts for what MODEL says of TEXTS.

    Of each text the categories that apply or the most probable one, every entity and
    every relation are explained. With --evaluate, one of each is, by all methods, and
    then tokens are taken away in the order of their weights: comprehensiveness is how
    much the probability falls without those that count most, sufficiency how much it
    falls with them alone, means over 5, 10, 20 and 50 % of the words.
    """
    from spacy.cli._util import import_code

    from ..render.explained import DEFAULT, STEPS, evaluate_on_texts, explain_texts

    import_code(code)
    kinds = [each.value for each in kind]
    given = input_format.value if input_format else None
    if evaluate:
        for option, value in (("label", label), ("method", method), ("steps", steps)):
            if value:
                raise typer.BadParameter(
                    "leave it out: --evaluate tests all methods, and draws targets",
                    param_hint=f"--{option}",
                )
        found = evaluate_on_texts(
            model,
            texts,
            kinds=kinds,
            component=component or None,
            output=output,
            input_format=given,
            gpu_id=gpu_id,
            seed=seed,
        )
        for name, result in found.items():
            _show_faithfulness(name, result)
        return
    if output is None:
        raise typer.BadParameter("name a .html or .jsonl file", param_hint="--output")
    n_texts, n = explain_texts(
        model,
        texts,
        output,
        kinds=kinds,
        labels=label,
        method=method.value if method else DEFAULT,
        component=component or None,
        steps=steps or STEPS,
        input_format=given,
        gpu_id=gpu_id,
    )
    msg.good(f"Wrote {n:,} explanations of {n_texts:,} texts to {output}")


def _show_faithfulness(kind: str, result: Any) -> None:
    def cell(row: dict[str, Any], name: str) -> str:
        low, high = row[f"{name}_95"]
        return f"{row[name]:.3f} ({low:.3f} to {high:.3f})"

    rows = [
        (
            row["method"].replace("_", " "),
            cell(row, "comprehensiveness"),
            "" if row["times_random"] is None else f"{row['times_random']:.1f}",
            cell(row, "sufficiency"),
        )
        for row in result.rows()
    ]
    msg.divider(f"{kind}, {result.n:,} explained")
    if not rows:
        msg.warn(f"the pipeline found no {kind} in the texts")
        return
    header = ("Method", "Comprehensiveness", "Times random", "Sufficiency")
    msg.table(rows, header=header, divider=True)
    if result.errors:
        median = 100 * statistics.median(result.errors)
        msg.text(f"Completeness error of integrated gradients: {median:.1f} % (median)")


@attn_cli.command("render")
def render_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    texts: str = typer.Argument(..., help=TEXTS),
    output: Path = typer.Option(
        ..., "--output", "-o", help="A .html file, or .svg for a single text"
    ),
    spans_key: str = typer.Option(
        "", "--spans-key", "-s", help="Draw this span group instead of all entities"
    ),
    width: float = typer.Option(900.0, min=100.0, help="In pixels"),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
    input_format: TextFormat | None = typer.Option(
        None, "--input-format", "-i", help="Format of TEXTS, if the name does not say"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Draw the entities and relations that MODEL finds in TEXTS.

    Entities have displaCy's colours, paler where their confidence is lower; relations
    are arcs from head to tail.
    """
    from spacy.cli._util import import_code

    from ..render.drawn import render_texts

    import_code(code)
    n = render_texts(
        model,
        texts,
        output,
        spans_key=spans_key,
        width=width,
        input_format=input_format.value if input_format else None,
        gpu_id=gpu_id,
    )
    msg.good(f"Drew {n:,} texts into {output}")
