"""Text classifiers: configs/textcat.cfg and configs/textcat_trf.cfg, several seeds.

Results are kept after every run, so an interrupted call goes on where it stopped:

    python benchmarks/textcat.py --config configs/textcat_trf.cfg --encoder ENCODER \\
        --corpus corpus/questions --vectors vectors --rows shipped \\
        --output benchmarks/results/trec_trf.json

Scores: accuracy in percent.
"""

from pathlib import Path

import spacy
from ablation import Ablation, Change, main, setting
from spacy.tokens import Doc
from spacy.training import Corpus

ROOT = Path(__file__).parent.parent
TUNING = "components.attn_textcat.model.tok2vec.tuning"
MODEL = "components.attn_textcat.model"
# of configs/textcat_trf.cfg for the 77,616 phrases of SST: a lower rate, for longer
MANY = [
    setting(f"{TUNING}.learn_rate_scale", 0.1),
    setting(f"{TUNING}.layer_decay", 0.9),
    setting("training.dropout", 0.1),
    setting("training.max_steps", 3200),
    setting("training.patience", 3200),
    setting("training.eval_frequency", 400),
]
ROWS: dict[str, list[Change]] = {
    "shipped": [],
    "many texts": MANY,
    "learn rate 0.002": [setting("training.optimizer.learn_rate.initial_rate", 0.002)],
    "batches of 200 words": [setting("training.batcher.size", 200)],
    "dropout 0.3": [setting("training.dropout", 0.3)],
    "no self-attention in the encoder": [setting(f"{MODEL}.tok2vec.n_heads", 0)],
    "two BiLSTMs": [setting(f"{MODEL}.tok2vec.depth", 2)],
    "words learnt wider": [setting(f"{MODEL}.tok2vec.embed.word_width", 200)],
    "words hidden less": [setting(f"{MODEL}.tok2vec.embed.word_dropout", 0.2)],
    "self-attention": [setting(f"{MODEL}.attention", "self")],
    "attention of labels": [setting(f"{MODEL}.attention", "labels")],
    "no maximum": [setting(f"{MODEL}.maximum", False)],
    "the mean, too": [setting(f"{MODEL}.mean", True)],
    "layer_decay 0.8": [setting(f"{TUNING}.layer_decay", 0.8)],
    "learn_rate_scale 0.2": [setting(f"{TUNING}.learn_rate_scale", 0.2)],
    "dropout 0.4": [setting("training.dropout", 0.4)],
}


def category(doc: Doc) -> str:
    """The category that applies, or the one most likely."""
    return max(doc.cats, key=doc.cats.__getitem__)


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Accuracy in percent, on dev and test."""
    nlp = spacy.load(model)
    found = {}
    for split in ("dev", "test"):
        examples = list(Corpus(corpus / f"{split}.spacy")(nlp))
        docs = nlp.pipe(example.predicted for example in examples)
        right = [
            category(doc) == category(example.reference)
            for doc, example in zip(docs, examples, strict=True)
        ]
        found[split] = round(100 * sum(right) / len(right), 2)
    return found


if __name__ == "__main__":
    config = ROOT / "configs" / "textcat.cfg"
    main(Ablation("textcat.py", config, ROWS, score), __doc__)
