"""`spacy attn train`, `tune` and `crossval`: what trains pipelines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from ..errors import UserError
from ..terminal import echo, msg
from .app import CODE, attn_cli

EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}


def overrides_of(ctx: typer.Context, code: Path | None) -> dict[str, Any]:
    """Values of the config that a command line names, once `code` is imported.

    Raises UserError for an option that is none.
    """
    from click import NoSuchOption
    from spacy.cli._util import import_code, parse_config_overrides

    try:
        overrides = parse_config_overrides(ctx.args)
    except NoSuchOption as error:
        raise UserError(
            f"there is no option {error.option_name}",
            "See --help; values of the config are set by their paths, such as "
            "--training.dropout 0.2.",
        ) from error
    import_code(code)
    return overrides


@contextmanager
def stoppable(advice: str) -> Iterator[None]:
    """Say of Ctrl+C, or a signal that ends the process, how the work goes on."""
    try:
        yield
    except KeyboardInterrupt:
        echo(f"Stopped. {advice}")
        raise


@attn_cli.command("train", context_settings=EXTRA)
def train_cli(
    ctx: typer.Context,
    config_path: Path = typer.Argument(
        ..., help="The config", exists=True, dir_okay=False
    ),
    output: Path = typer.Option(
        ..., "--output", "-o", help="The folder to write", file_okay=False
    ),
    resume: bool = typer.Option(
        False, "--resume", "-r", help="Go on with a training that was cut off"
    ),
    force: bool = typer.Option(
        False, "--force", "-F", help="Begin anew where one was cut off"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
    verbose: bool = typer.Option(
        False, "--verbose", "-V", help="Say more, for debugging"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Train like `spacy train`, with checkpoints to go on from.

    Takes the same configs and overrides (--paths.train FILE) and runs the same loop. At
    each evaluation it also keeps weights, optimizer and random generators in
    OUTPUT/checkpoint. A training that was killed goes on with --resume and ends as it
    would have, to the bit on a CPU; a finished one leaves no checkpoint.
    """
    from ..training.resumable import run_training

    if verbose:
        logging.getLogger("spacy").setLevel(logging.DEBUG)
    overrides = overrides_of(ctx, code)
    with stoppable("The same command with --resume goes on from the last evaluation."):
        run_training(
            config_path,
            output,
            overrides=overrides,
            gpu_id=gpu_id,
            resume=resume,
            force=force,
        )


@attn_cli.command("tune", context_settings=EXTRA)
def tune_cli(
    ctx: typer.Context,
    config_path: Path = typer.Argument(
        ..., help="The config", exists=True, dir_okay=False
    ),
    space: Path = typer.Argument(
        ..., help="A YAML file: values by their paths", exists=True, dir_okay=False
    ),
    output: Path = typer.Option(
        ..., "--output", "-o", help="The folder of the study", file_okay=False
    ),
    trials: int = typer.Option(30, "--trials", "-n", min=1, help="How many more"),
    seed: int = typer.Option(0, "--seed", "-s", min=0, help="Of the search"),
    prune: bool = typer.Option(
        True, "--prune/--no-prune", help="Give up trials that are behind"
    ),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Search for better values of a config, with Optuna.

    SPACE names values of the config and what they may be, a line each:

    \b
    training.dropout: {low: 0.1, high: 0.5}
    training.batcher.size: [300, 600, 1200]
    training.optimizer.learn_rate.initial_rate: {low: 0.0005, high: 0.01, log: true}

    Each trial is a training whose best score on the development corpus counts;
    overrides (--paths.train FILE, --corpora.train.limit 300) are those of `spacy
    train`. The folder holds the study, to which the same command adds trials, from
    several processes at once if you like; trials.json; best.cfg; and study.svg.

    Once 5 trials have come to their end, one is given up whose best score so far is
    below the median of theirs at the same step, from its third evaluation on. A trial
    that fails is recorded with the reason and the search goes on; it stops with an
    error if three in a row fail.
    """
    from ..training.tune import BEST, importances, tune

    overrides = overrides_of(ctx, code)
    with stoppable("The same command goes on with the study."):
        study = tune(
            config_path,
            space,
            output,
            n_trials=trials,
            overrides=overrides,
            gpu_id=gpu_id,
            seed=seed,
            prune=prune,
        )
    found = importances(study)
    msg.table(
        [
            (path, repr(value), f"{found[path]:.0%}" if path in found else "")
            for path, value in study.best_params.items()
        ],
        header=("value", f"best: {study.best_value:.4f}", "importance"),
        divider=True,
        max_col=max(map(len, study.best_params)),
        aligns=("l", "r", "r"),
    )
    msg.good(f"Wrote {output / BEST}")


@attn_cli.command("crossval", context_settings=EXTRA)
def crossval_cli(
    ctx: typer.Context,
    config_path: Path = typer.Argument(
        ..., help="The config", exists=True, dir_okay=False
    ),
    data: Path = typer.Argument(
        ..., help="All annotated documents, a .spacy file; or a folder", exists=True
    ),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="The folder, else crossval/CONFIG", file_okay=False
    ),
    folds: int = typer.Option(5, "--folds", "-k", help="Parts, each held out once"),
    seed: int = typer.Option(0, "--seed", "-s", help="Of the parts"),
    group_key: str | None = typer.Option(
        None, "--group-key", help="Key of user_data or meta: one part if equal"
    ),
    keep: bool = typer.Option(False, "--keep", help="Keep the pipelines"),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Score a config where there is no development set.

    The documents of DATA are cut into parts; for each a pipeline is trained on the
    others and scored on it. Nothing is chosen by the part that is held out: trainings
    run to their last step, and their last weights count. A run that was cut off goes on
    where it was, within a training, too.

    For a config that mixes corpora, as joint.cfg does, DATA is a folder that holds a
    file for each (entities.spacy, relations.spacy, categories.spacy), which is cut by
    itself. Sentences of one document (convert --sentences) and documents of one
    --group-key, such as a patient or an author, stay in one part.
    """
    from ..training.crossval import RESULTS, cross_validate

    overrides = overrides_of(ctx, code)
    output = output or Path("crossval") / config_path.stem
    with stoppable("The same command goes on where it was."):
        found = cross_validate(
            config_path,
            data,
            output,
            folds=folds,
            seed=seed,
            group_key=group_key,
            overrides=overrides,
            gpu_id=gpu_id,
            keep=keep,
        )
    msg.table(
        [
            (name, f"{100 * each.mean:.2f}", f"{100 * each.deviation:.2f}")
            for name, each in found.items()
        ],
        header=(f"{folds} folds", "mean, %", "deviation"),
        divider=True,
        aligns=("l", "r", "r"),
    )
    msg.good(f"Wrote {output / RESULTS}")
