"""Text classifiers: configs/textcat.cfg, its changes, and spaCy's own, several seeds.

    python benchmarks/textcat.py --corpus corpus/questions --vectors vectors \\
        --rows shipped "spaCy, ensemble" "spaCy, parametric attention" \\
        --output benchmarks/results/trec.json --keep KEPT

CORPUS holds `{train,dev,test}.spacy`; `benchmarks/textcat.md` says how those of SST are
made. `--config configs/textcat_trf.cfg --encoder ENCODER` is for pretrained encoders.
Results are kept after every run, so an interrupted call goes on where it stopped.

Scores, in percent: accuracy on dev and test; expected calibration error of the most
probable category on test, as it is and after `calibrate` on dev.
"""

from copy import deepcopy
from pathlib import Path

import spacy
from ablation import Ablation, Change, instead_of, main, setting
from spacy.cli.init_config import init_config
from spacy.pipeline.textcat import DEFAULT_SINGLE_TEXTCAT_MODEL
from spacy.training import Corpus
from thinc.api import Config

from spacy_attnner.pipeline.textcat import AttnTextCategorizer
from spacy_attnner.report.evaluation import score_pipeline

ROOT = Path(__file__).parent.parent
TUNING = "components.attn_textcat.model.tok2vec.tuning"
MODEL = "components.attn_textcat.model"
EMBED, WORDS = f"{MODEL}.tok2vec.embed", "spacy-attnner.WordEmbed.v1"
# of configs/textcat_trf.cfg for the 77,616 phrases of SST: a lower rate, for longer
MANY = [
    setting(f"{TUNING}.learn_rate_scale", 0.1),
    setting(f"{TUNING}.layer_decay", 0.9),
    setting("training.dropout", 0.1),
    setting("training.max_steps", 3200),
    setting("training.patience", 3200),
    setting("training.eval_frequency", 400),
]

# of configs/textcat.cfg: the phrases of SST five times over, in larger batches, with
# less dropout and fewer words hidden
MANY_PHRASES = [
    setting("training.dropout", 0.3),
    setting(f"{EMBED}.word_dropout", 0.2),
    setting("training.batcher.size", 1000),
    setting("training.max_steps", 4000),
    setting("training.patience", 4000),
    setting("training.eval_frequency", 200),
]


def spacy_preset(config: Config) -> None:
    """In place of the config what `spacy init config --optimize accuracy` writes for a
    `textcat`, with the same vectors, by lower case.
    """
    own = init_config(pipeline=["textcat"], optimize="accuracy")
    own["nlp"]["vectors"] = {"@vectors": "spacy-attnner.Vectors.v1"}
    config.clear()
    config.update(own)


def spacy_ensemble(config: Config) -> None:
    """The same with the model that is `textcat`'s default, with vectors."""
    spacy_preset(config)
    model = deepcopy(DEFAULT_SINGLE_TEXTCAT_MODEL)
    model["tok2vec"]["embed"]["include_static_vectors"] = True
    config["components"]["textcat"]["model"] = model
    del config["components"]["tok2vec"]
    config["nlp"]["pipeline"] = ["textcat"]


def spacy_attention(config: Config) -> None:
    """Parametric attention over the encoder of that model."""
    spacy_ensemble(config)
    config["components"]["textcat"]["model"] = {
        "@architectures": "spacy.TextCatParametricAttention.v1",
        "tok2vec": config["components"]["textcat"]["model"]["tok2vec"],
        "exclusive_classes": True,
        "nO": None,
    }


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Accuracy on dev and test, and calibration errors, in percent."""
    nlp = spacy.load(model)
    examples = {
        split: list(Corpus(corpus / f"{split}.spacy")(nlp)) for split in ("dev", "test")
    }
    scores = {split: score_pipeline(nlp, each) for split, each in examples.items()}
    found = {split: each["cats_acc"] for split, each in scores.items()}
    found["test, calibration error"] = scores["test"]["cats_calibration_error"]
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, AttnTextCategorizer):
            pipe.calibrate(examples["dev"])
            after = score_pipeline(nlp, examples["test"])["cats_calibration_error"]
            found["test, calibrated"] = after
    return {name: round(100 * value, 2) for name, value in found.items()}


ROWS: dict[str, list[Change]] = {
    "shipped": [],
    "spaCy, ensemble": [spacy_ensemble],
    "spaCy, ensemble of the accuracy preset": [spacy_preset],
    "spaCy, parametric attention": [spacy_attention],
    "many texts": MANY,
    "many phrases": MANY_PHRASES,
    "learn rate 0.002": [setting("training.optimizer.learn_rate.initial_rate", 0.002)],
    "batches of 200 words": [setting("training.batcher.size", 200)],
    "dropout 0.3": [setting("training.dropout", 0.3)],
    "no self-attention in the encoder": [setting(f"{MODEL}.tok2vec.n_heads", 0)],
    "two BiLSTMs": [setting(f"{MODEL}.tok2vec.depth", 2)],
    "words learnt wider": [setting(f"{MODEL}.tok2vec.embed.word_width", 200)],
    "affixes": [instead_of(EMBED, "@architectures", WORDS, affix_width=16)],
    "words hidden less": [setting(f"{MODEL}.tok2vec.embed.word_dropout", 0.2)],
    "self-attention": [setting(f"{MODEL}.attention", "self")],
    "attention of labels": [setting(f"{MODEL}.attention", "labels")],
    "no maximum": [setting(f"{MODEL}.maximum", False)],
    "the mean, too": [setting(f"{MODEL}.mean", True)],
    "layer_decay 0.8": [setting(f"{TUNING}.layer_decay", 0.8)],
    "learn_rate_scale 0.2": [setting(f"{TUNING}.learn_rate_scale", 0.2)],
    "dropout 0.4": [setting("training.dropout", 0.4)],
}


if __name__ == "__main__":
    config = ROOT / "configs" / "textcat.cfg"
    main(Ablation("textcat.py", config, ROWS, score), __doc__)
