"""Seconds of the processor that an epoch of a config takes, from some updates."""

import time
from itertools import islice
from pathlib import Path

from spacy.schemas import ConfigSchemaTraining
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import registry, resolve_dot_names
from thinc.api import Config

WARM_UP = 8  # updates that are not counted
UPDATES = 40


def seconds_per_epoch(config: Config, corpus: Path, vectors: Path) -> float:
    """Time 40 updates, and multiply with an epoch's words by those of the updates.

    Like `spacy train` reads it once, the corpus is augmented once. Components that
    annotate in training are not counted.
    """
    config = config.copy()
    config["paths"].update(
        train=str(corpus / "train.spacy"),
        dev=str(corpus / "dev.spacy"),
        vectors=str(vectors),
    )
    nlp = init_nlp(config)
    interpolated = nlp.config.interpolate()
    training = registry.resolve(interpolated["training"], schema=ConfigSchemaTraining)
    (reader,) = resolve_dot_names(interpolated, [training["train_corpus"]])
    n_words = sum(len(example) for example in reader(nlp))
    batches = create_train_batches(nlp, reader, training["batcher"], max_epochs=0)
    seconds = words = 0.0
    for i, (_, batch) in enumerate(islice(batches, WARM_UP + UPDATES)):
        begin = time.process_time()
        nlp.update(batch, sgd=training["optimizer"], drop=training["dropout"])
        if i >= WARM_UP:
            seconds += time.process_time() - begin
            words += sum(len(example) for example in batch)
    return round(seconds / words * n_words, 1)
