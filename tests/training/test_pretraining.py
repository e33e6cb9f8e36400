"""`spacy pretrain` on our encoders, and trainings that begin with what it learnt."""

import json
from pathlib import Path

import pytest
import srsly
from spacy.cli.init_config import fill_config
from spacy.training.initialize import init_nlp
from spacy.training.pretrain import pretrain
from thinc.api import Config

CONFIGS = Path(__file__).parents[2] / "configs"
LAYERS = {
    "ner_fast": ("attn_ner", "tok2vec"),
    "ner_no_vectors": ("attn_ner", "tok2vec"),
    "rel": ("tok2vec", ""),
}
# no word vectors
SMALL = {
    "ner_fast": {
        "components.attn_ner.model.tok2vec.tok2vec.embed.vector_width": 0,
        "components.attn_ner.model.tok2vec.tok2vec.embed.word_width": 8,
    },
    "ner_no_vectors": {},
    "rel": {
        "components.tok2vec.model.embed.vector_width": 0,
        "components.tok2vec.model.embed.word_width": 8,
    },
}


@pytest.fixture
def config(request, place, tmp_path) -> Config:
    """A shipped config as `spacy init fill-config --pretraining` completes it."""
    path = tmp_path / "config.cfg"
    _, filled = fill_config(path, CONFIGS / f"{request.param}.cfg", pretraining=True)
    lines = (place / "train.jsonl").read_text("utf8").splitlines()
    texts = [{"text": json.loads(line)["text"]} for line in lines]
    srsly.write_jsonl(tmp_path / "raw.jsonl", texts)
    component, layer = LAYERS[request.param]
    changes = {
        "paths.train": str(place / "train.spacy"),
        "paths.dev": str(place / "train.spacy"),
        "paths.raw_text": str(tmp_path / "raw.jsonl"),
        "pretraining.component": component,
        "pretraining.layer": layer,
        "pretraining.max_epochs": 6,
        "pretraining.n_save_epoch": 5,
        "pretraining.batcher.size": 200,
        "pretraining.objective.hidden_size": 8,
        **SMALL[request.param],
    }
    return Config().from_str(filled.to_str(), overrides=changes)


def layer_of(nlp, name):
    component, layer = LAYERS[name]
    model = nlp.get_pipe(component).model
    return model.get_ref(layer) if layer else model


@pytest.mark.parametrize(
    ("config", "name"), list(zip(SMALL, SMALL, strict=True)), indirect=["config"]
)
def test_the_encoder_learns_and_is_what_a_training_begins_with(config, name, tmp_path):
    pretrain(config.copy(), tmp_path)
    losses = [line["epoch_loss"] for line in srsly.read_jsonl(tmp_path / "log.jsonl")]
    assert losses[-2] < losses[0]
    weights = (tmp_path / "model-last.bin").read_bytes()
    plain = init_nlp(config.copy())
    config["initialize"]["init_tok2vec"] = str(tmp_path / "model-last.bin")
    begun = init_nlp(config)
    assert layer_of(begun, name).to_bytes() == weights
    assert layer_of(plain, name).to_bytes() != weights
