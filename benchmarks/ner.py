"""Ablation of configs/ner.cfg on CoNLL-2003: each row one change, several seeds.

Results are kept after every run, so an interrupted call goes on where it stopped:

    python benchmarks/ner.py --corpus corpus/ner --vectors vectors --seeds 0 1 2

Scores: entity F1 on whole documents, with gold sentence starts ("given", the published
setting) and without any ("none").
"""

from pathlib import Path

import ner_ideas  # registers what some rows name
import spacy
from ablation import Ablation, Change, instead_of, main, setting
from spacy.training import Corpus
from thinc.api import Config

from spacy_attnner.corpora.training_data import create_gold_sentences

ROOT = Path(__file__).parent.parent
MODEL = "components.attn_ner.model"
CONTEXT = f"{MODEL}.tok2vec"
ENCODER = f"{CONTEXT}.tok2vec"


def without_context(config: Config) -> None:
    """Put the encoder where the document context stood."""
    model = config["components"]["attn_ner"]["model"]
    width = model["tok2vec"]["width"]
    model["tok2vec"] = model["tok2vec"]["tok2vec"]
    model["tok2vec"]["width"] = width


def with_gazetteer(config: Config) -> None:
    """Flag the names of the training documents beside the embeddings."""
    encoder = config["components"]["attn_ner"]["model"]["tok2vec"]["tok2vec"]
    encoder["embed"] = {
        "@architectures": "benchmarks.Gazetteer.v1",
        "embed": encoder["embed"],
        "path": "${paths.train}",
    }


INTNET = {"@architectures": "benchmarks.CharacterIntNet.v1"}
AUGMENTER = "corpora.train.augmenter"
ROWS: dict[str, list[Change]] = {
    "shipped": [],
    "no other places of a word": [setting(f"{CONTEXT}.repeats", False)],
    "no state of the document": [setting(f"{CONTEXT}.state", False)],
    "no document context": [without_context],
    "no document context, self-attention in the sentence": [
        setting(f"{ENCODER}.n_heads", 4),
        without_context,
    ],
    "self-attention in the sentence": [setting(f"{ENCODER}.n_heads", 4)],
    "sentence starts never used": [
        setting(f"{ENCODER}.sentences", False),
        setting(f"{MODEL}.sentences", False),
    ],
    "all sentence starts shown in training": [
        setting("corpora.train.augmenter.share", 1.0)
    ],
    "BiLSTM of 2 layers": [setting(f"{ENCODER}.depth", 2)],
    "width 256": [setting(f"{CONTEXT}.width", 256)],
    "width 600": [setting(f"{CONTEXT}.width", 600)],
    "no characters": [setting(f"{ENCODER}.characters", None)],
    "IntNet over characters": [
        setting(
            f"{ENCODER}.characters", {"@architectures": "benchmarks.CharacterIntNet.v1"}
        )
    ],
    "no word shapes": [setting(f"{ENCODER}.embed.shape_width", 0)],
    "no static vectors, words learnt": [
        setting(f"{ENCODER}.embed.vector_width", 0),
        setting(f"{ENCODER}.embed.word_width", 64),
    ],
    "words learnt beside the vectors": [setting(f"{ENCODER}.embed.word_width", 50)],
    "dropout 0.4": [setting("training.dropout", 0.4)],
    "dropout 0.6": [setting("training.dropout", 0.6)],
    "weights not averaged": [setting("training.optimizer.use_averages", False)],
    "softmax over tags instead of a CRF": [
        instead_of(MODEL, "@architectures", "benchmarks.SoftmaxTagger.v1")
    ],
    "copies of half of the documents with other names": [
        instead_of(
            AUGMENTER, "@augmenters", "benchmarks.SwappedEntities.v1", copies=0.5
        )
    ],
    "copies of 10 % of the documents in upper case": [
        instead_of(AUGMENTER, "@augmenters", "benchmarks.UpperCase.v1", copies=0.1)
    ],
    "names of the training documents as features": [with_gazetteer],
    # the study of little_data.md
    "95 documents": [
        setting("corpora.train.limit", 95),
        setting("training.max_steps", 2000),
        setting("training.patience", 2000),
    ],
    "batches of 300 words": [setting("training.batcher.size", 300)],
    "batches of 1,200 words": [setting("training.batcher.size", 1200)],
}


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Entity F1 in percent, on dev and test, with and without sentence starts."""
    nlp = spacy.load(model)
    found = {}
    for split in ("dev", "test"):
        for name, augmenter in (("given", create_gold_sentences()), ("none", None)):
            reader = Corpus(corpus / f"{split}.spacy", augmenter=augmenter)
            f1 = nlp.evaluate(list(reader(nlp)))["ents_f"]
            found[f"{split}, {name}"] = round(100 * f1, 2)
    return found


if __name__ == "__main__":
    code = Path(ner_ideas.__file__)
    main(Ablation("ner.py", ROOT / "configs" / "ner.cfg", ROWS, score, code), __doc__)
