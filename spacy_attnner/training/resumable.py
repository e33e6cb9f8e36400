"""What `spacy attn train` does: begins a training, or goes on with one."""

from pathlib import Path
from typing import Any

from spacy.training.initialize import init_nlp
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST
from spacy.util import load_model_from_config
from thinc.api import Config

from ..atomic import check_folder, check_pipeline, remove_folders
from ..errors import UserError
from ..loading import use_gpu
from ..terminal import msg
from .checkpoint import Checkpoint, Progress
from .config import read_config, wrong_values
from .corpus_files import corpus_digests, require_unchanged
from .loop import train

MODELS = (DIR_MODEL_LAST, DIR_MODEL_BEST)


def run_training(
    config_path: Path,
    output: Path,
    *,
    overrides: dict[str, Any] | None = None,
    gpu_id: int = -1,
    resume: bool = False,
    force: bool = False,
) -> None:
    """Train a pipeline as `spacy train` does, with checkpoints.

    output: The folder for model-last, model-best and the checkpoint.
    overrides: Of values in the config, by their paths.
    gpu_id: A GPU, or -1 for the CPU.
    resume: Go on from the checkpoint, if there is one.
    force: Begin anew where there is one.

    Raises UserError if a training that was cut off, or what others put into the folder,
    would be lost, there is none to go on with, it was begun with another config or
    other files of the corpora, or a value of the config is wrong.
    """
    check_folder(output)
    checkpoint = Checkpoint(output)
    checkpoint.check()
    if resume:
        _check_unfinished(output, checkpoint)
    elif checkpoint.exists and not force:
        step = checkpoint.progress().step - 1
        raise UserError(
            f"{output} holds a training that was cut off after step {step:,}",
            "Go on with it by --resume, or begin anew by --force.",
        )
    going_on = resume and checkpoint.exists
    models = [output / name for name in MODELS]
    for model in () if going_on else models:
        check_pipeline(model)
    use_gpu(gpu_id)
    config = read_config(config_path, overrides)
    msg.divider("Loading checkpoint" if going_on else "Initializing pipeline")
    if going_on:
        with wrong_values(config_path):
            checkpoint.check_config(_filled(config))
        nlp, progress = checkpoint.pipeline(), checkpoint.progress()
        now = corpus_digests(nlp.config.interpolate())
        require_unchanged(progress.files, now, output)
        msg.good("Loaded checkpoint")
    else:
        with wrong_values(config_path):
            nlp = init_nlp(config, use_gpu=gpu_id)
        progress = Progress(files=corpus_digests(nlp.config.interpolate()))
        msg.good("Initialized pipeline")
        remove_folders(*models)
        checkpoint.begin(nlp)
    msg.divider("Training pipeline")
    train(nlp, output, checkpoint, progress, gpu_id=gpu_id)


def _check_unfinished(output: Path, checkpoint: Checkpoint) -> None:
    """Raises UserError if the training has no checkpoint but an end."""
    last = output / DIR_MODEL_LAST
    if not checkpoint.is_unfinished and last.exists():
        raise UserError(
            f"{output} holds no training that was cut off: {last} is there and no "
            "checkpoint, so it is finished, or another command's",
            "Use what is there, or leave out --resume to train anew in its place.",
        )


def _filled(config: Config) -> Config:
    """The config with all defaults, as a pipeline made from it stores it."""
    return load_model_from_config(config, auto_fill=True).config
