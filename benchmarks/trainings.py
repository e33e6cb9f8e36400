"""What benchmarks share: `spacy train` in its own process, and a pipeline before it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import registry, resolve_dot_names
from thinc.api import Config


def spacy_train(
    config: Path | Config,
    folder: Path,
    *,
    train: Path,
    dev: Path,
    vectors: Path | None,
    seed: int,
    code: Path | None = None,
) -> float:
    """Train on one thread; pipelines and log.txt come to be in an existing folder.

    config: A file, or what is written to one in the folder.

    Returns how many minutes it took. Raises SystemExit, with the end of the log, if
    training fails.
    """
    if isinstance(config, Config):
        config.to_disk(folder / "config.cfg")
        config = folder / "config.cfg"
    command = [
        *(sys.executable, "-m", "spacy", "train", str(config)),
        *(("--code", str(code)) if code else ()),
        *("--output", str(folder), "--system.seed", str(seed)),
        *("--paths.train", str(train), "--paths.dev", str(dev)),
        *(("--paths.vectors", str(vectors)) if vectors else ()),
        *("--training.logger.progress_bar", "false"),
    ]
    log = folder / "log.txt"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begin = time.time()
    with log.open("w") as out:
        failed = subprocess.call(command, stdout=out, stderr=out, env=environment)
    if failed:
        raise SystemExit(f"training failed, see {log}:\n{log.read_text()[-2000:]}")
    return round((time.time() - begin) / 60, 1)


def initialized(
    config: Config, *, train: Path, vectors: Path | None
) -> tuple[Language, dict[str, Any], Callable[[Language], Iterator[Example]]]:
    """A pipeline before its first update, its [training] settings and its corpus."""
    config = config.copy()
    config["paths"].update(train=str(train), dev=str(train))
    config["paths"]["vectors"] = str(vectors) if vectors else None
    nlp = init_nlp(config)
    interpolated = nlp.config.interpolate()
    settings = registry.resolve(interpolated["training"], schema=ConfigSchemaTraining)
    (corpus,) = resolve_dot_names(interpolated, [settings["train_corpus"]])
    return nlp, settings, corpus


def batches_of(
    nlp: Language,
    settings: dict[str, Any],
    corpus: Callable[[Language], Iterator[Example]],
) -> Iterator[list[Example]]:
    """The batches of training, without end."""
    batches = create_train_batches(nlp, corpus, settings["batcher"], max_epochs=0)
    return (batch for _, batch in batches)
