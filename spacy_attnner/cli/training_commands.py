"""`spacy attn train`: trainings, and what surrounds them."""

from pathlib import Path

import typer

from ..terminal import echo
from .app import attn_cli

EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}


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
    code: Path | None = typer.Option(
        None, "--code", "-c", help="A Python file to import: registered functions"
    ),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
) -> None:
    """Train like `spacy train`, with checkpoints to go on from.

    Takes the same configs and overrides (--paths.train FILE) and runs the same loop. At
    each evaluation it also keeps weights, optimizer and random generators in
    OUTPUT/checkpoint. A training that was killed goes on with --resume and ends as it
    would have, to the bit on a CPU; a finished one leaves no checkpoint.
    """
    from spacy.cli._util import import_code, parse_config_overrides

    from ..training.run import run_training

    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    try:
        run_training(
            config_path,
            output,
            overrides=overrides,
            gpu_id=gpu_id,
            resume=resume,
            force=force,
        )
    except KeyboardInterrupt:
        echo(
            "Stopped. The same command with --resume goes on from the last evaluation."
        )
        raise typer.Exit(130) from None
