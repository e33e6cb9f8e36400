"""Trainings of a few steps, of pipelines that are small, for configs."""

import json
from copy import deepcopy
from typing import Any

from thinc.api import Config

ENCODER = """
[components.{name}.model.tok2vec]
@architectures = "spacy-attnner.AttentionEncoder.v1"
width = 24
[components.{name}.model.tok2vec.embed]
@architectures = "spacy-attnner.WordEmbed.v1"
word_width = 16
vector_width = 0
"""
NER = """
[components.attn_ner]
factory = "attn_ner"
loss_weight = 0.3
[components.attn_ner.model]
@architectures = "spacy-attnner.CRFTagger.v1"
""" + ENCODER.format(name="attn_ner")
TEXTCAT = """
[components.attn_textcat]
factory = "attn_textcat_multilabel"
[components.attn_textcat.model]
@architectures = "spacy-attnner.AttentionTextClassifier.v1"
exclusive_classes = false
n_heads = 2
hidden = 8
""" + ENCODER.format(name="attn_textcat")
TRANSFORMER = """
[components.attn_ner.model.tok2vec.transformer]
@architectures = "spacy-attnner.TransformerEncoder.v1"
name = "encoder"
margin = 7
half_precision = true
[components.attn_ner.model.tok2vec.transformer.tuning]
@misc = "spacy-attnner.FineTuning.v1"
learn_rate_scale = 0.5
unfreeze_every = 3
"""
SPACY = """
[components.tok2vec]
factory = "tok2vec"
[components.tok2vec.model]
@architectures = "spacy.HashEmbedCNN.v2"
width = 24
depth = 2
embed_size = 200
window_size = 1
maxout_pieces = 2
subword_features = true
pretrained_vectors = null
[components.ner]
factory = "ner"
[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 16
maxout_pieces = 2
[components.ner.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 24
"""
TRAINING = """
[corpora]
[corpora.train]
@readers = "spacy.Corpus.v1"
path = "train.spacy"
[corpora.train.augmenter]
@augmenters = "spacy-attnner.SentenceRuns.v1"
single = 0.3
max_tokens = 12
[corpora.dev]
@readers = "spacy.Corpus.v1"
path = "train.spacy"
[training]
seed = 3
gpu_allocator = null
dropout = 0.2
patience = 100
max_epochs = 0
max_steps = 12
eval_frequency = 4
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"
[training.batcher]
@batchers = "spacy.batch_by_words.v1"
tolerance = 0.2
[training.batcher.size]
@schedules = "compounding.v1"
start = 30
stop = 90
compound = 1.3
[training.optimizer]
@optimizers = "Adam.v1"
use_averages = true
[training.optimizer.learn_rate]
@schedules = "spacy-attnner.WarmupLinear.v1"
warmup_steps = 3
total_steps = 12
initial_rate = 0.01
"""
WHOLE = {"@readers": "spacy.Corpus.v1", "gold_preproc": False, "max_length": 0}
MIXED = {
    "@readers": "spacy-attnner.MixedCorpus.v1",
    "shares": {"whole": 0.3, "few": 0.7},
    "corpora": {
        "whole": {
            **WHOLE,
            "path": "train.spacy",
            "limit": 0,
            "augmenter": {
                "@augmenters": "spacy-attnner.GoldSentences.v1",
                "share": 0.5,
                "max_tokens": 20,
            },
        },
        # read several times in an epoch, some of them once more, which are drawn
        "few": {**WHOLE, "path": "train.spacy", "limit": 5, "augmenter": None},
    },
}
PIPELINES = {
    "tagger": (["attn_ner"], NER, {}),
    "classifier": (["attn_textcat"], TEXTCAT, {}),
    "transformer": (["attn_ner"], NER + TRANSFORMER, {}),
    "spaCy's": (["tok2vec", "ner"], SPACY, {}),
    "streamed": (["attn_ner"], NER, {"training.max_epochs": -1}),
    "mixed": (["attn_ner"], NER, {"corpora.train": MIXED}),
    "mixed, streamed": (
        ["attn_ner"],
        NER,
        {"corpora.train": MIXED, "training.max_epochs": -1},
    ),
    "RAdam": (["attn_ner"], NER, {"training.optimizer.@optimizers": "RAdam.v1"}),
}


def make_config(name: str, **changes: Any) -> Config:
    """The config of one of the pipelines; changes are by `section__name`."""
    pipeline, blocks, own = PIPELINES[name]
    text = f'[nlp]\nlang = "en"\npipeline = {json.dumps(pipeline)}\n[components]\n'
    config = Config().from_str(text + blocks + TRAINING)
    if name == "RAdam":
        config["training"]["optimizer"].pop("use_averages")
    for path, value in {**own, **changes}.items():
        *sections, last = path.replace("__", ".").split(".")
        block = config
        for section in sections:
            block = block[section]
        block[last] = deepcopy(value)
    return config
