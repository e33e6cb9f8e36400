"""Stock `spacy train` with the default config of every component."""

import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.util import load_model_from_config
from thinc.api import Config

CONFIG = """
[nlp]
lang = "en"
pipeline = ["{name}"]

[components]

[components.{name}]
factory = "{name}"

[corpora]

[corpora.train]
@readers = "{reader}"
path = "{path}"
gold_preproc = false

[corpora.dev]
@readers = "{reader}"
path = "{path}"
gold_preproc = false

[training]
max_steps = 3
eval_frequency = 2
dropout = 0.3

[training.optimizer]
@optimizers = "Adam.v1"
use_averages = true
"""


@pytest.fixture
def corpus(task, tmp_path):
    nlp = spacy.blank("en")
    path = tmp_path / "corpus.spacy"
    docs = [example.reference for example in task.examples(nlp)]
    DocBin(docs=docs).to_disk(path)
    return path


def test_spacy_train(task, corpus, tmp_path, capsys):
    reader = "spacy.Corpus.v1"
    if task.name == "attn_rel":
        reader = "spacy-attnner.GoldEntitiesCorpus.v1"
    text = CONFIG.format(name=task.name, reader=reader, path=corpus)
    nlp = load_model_from_config(Config().from_str(text), auto_fill=True)
    nlp.config.to_disk(tmp_path / "config.cfg")
    train(tmp_path / "config.cfg", tmp_path / "output")
    for model in ("model-best", "model-last"):
        loaded = spacy.load(tmp_path / "output" / model)
        assert loaded.get_pipe(task.name).labels == task.labels
        weights = loaded.get_pipe_meta(task.name).default_score_weights
        assert weights.keys() <= loaded.meta["performance"].keys()
        assert f"{task.name}_loss" in loaded.meta["performance"]
        for doc in loaded.pipe(task.docs(loaded)):
            assert all(0.0 <= score <= 1.0 for score in task.found(doc).values())
    assert "0.00" in capsys.readouterr().out
