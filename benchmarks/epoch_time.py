"""Seconds of the processor that an epoch of a config takes, from some updates."""

import time
from itertools import islice
from pathlib import Path

from thinc.api import Config
from trainings import batches_of, initialized

WARM_UP = 8  # updates that are not counted
UPDATES = 40


def seconds_per_epoch(config: Config, corpus: Path, vectors: Path | None) -> float:
    """Time 40 updates, and multiply with an epoch's words by those of the updates.

    Like `spacy train` reads it once, the corpus is augmented once. Components that
    annotate in training are not counted.
    """
    nlp, settings, reader = initialized(
        config, train=corpus / "train.spacy", vectors=vectors
    )
    n_words = sum(len(example) for example in reader(nlp))
    batches = batches_of(nlp, settings, reader)
    seconds = words = 0.0
    for i, batch in enumerate(islice(batches, WARM_UP + UPDATES)):
        begin = time.process_time()
        nlp.update(batch, sgd=settings["optimizer"], drop=settings["dropout"])
        if i >= WARM_UP:
            seconds += time.process_time() - begin
            words += sum(len(example) for example in batch)
    return round(seconds / words * n_words, 1)
