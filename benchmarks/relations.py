"""Ablation of configs/rel.cfg on CoNLL04: each row one change, several seeds.

All rows but the first make no use of the confidences of entities.

Results are kept after every run, so an interrupted call goes on where it stopped:

    python benchmarks/relations.py --corpus corpus/rel --vectors vectors --seeds 0 1 2

Scores: entity F1; strict F1 of relations end to end (both spans, both types, label and
direction); of boundaries (no types); and of relations between gold entities.
"""

from pathlib import Path

import rel_ideas  # registers what some rows name
import spacy
from ablation import Ablation, Change, main, setting
from spacy.training import Corpus
from thinc.api import Config

ROOT = Path(__file__).parent.parent
ENCODER = "components.tok2vec.model"
PAIRS = "components.attn_rel.model"
COLUMNS = {
    "entities": "ents_f",
    "strict": "rel_f",
    "boundaries": "rel_boundaries_f",
    "gold entities": "rel_gold_ents_f",
}


def on_gold_entities(config: Config) -> None:
    """Train relations on gold entities alone."""
    config["training"]["annotating_components"] = []


def on_predicted_entities(config: Config) -> None:
    """Train relations on the entities that attn_ner predicts at that moment."""
    config["corpora"]["train"]["@readers"] = "spacy.Corpus.v1"


def on_predicted_more_and_more(config: Config) -> None:
    """Train relations in more and more, up to half of the steps on predicted ones."""
    config["training"]["before_update"] = {
        "@callbacks": "benchmarks.predicted_entities.v1",
        "n_steps": config["training"]["max_steps"],
        "most": 0.5,
    }


def inner_product(config: Config) -> None:
    """The plain form of pair attention."""
    model = config["components"]["attn_rel"]["model"]
    kept = {key: model[key] for key in ("tok2vec", "hidden", "type_width")}
    model.clear()
    model.update({"@architectures": "spacy-attnner.InnerProductPairs.v1", **kept})


def encoder_alone(config: Config) -> None:
    """Let `attn_ner` read the shared encoder without a BiLSTM of its own."""
    model = config["components"]["attn_ner"]["model"]
    model["tok2vec"] = model["tok2vec"]["embed"]


def own_encoder_for_pairs(config: Config) -> None:
    """Give `attn_rel` a BiLSTM over the shared encoder, as `attn_ner` has one."""
    components = config["components"]
    own = Config(components["attn_ner"]["model"]["tok2vec"]).copy()
    components["attn_rel"]["model"]["tok2vec"] = own


def encoders_apart(config: Config) -> None:
    """Give each component all of its encoder."""
    components = config["components"]
    encoder = components.pop("tok2vec")["model"]
    components["attn_ner"]["model"]["tok2vec"]["embed"] = Config(encoder).copy()
    components["attn_rel"]["model"]["tok2vec"] = Config(encoder).copy()
    config["nlp"]["pipeline"] = ["attn_ner", "attn_rel"]
    config["training"]["annotating_components"] = ["attn_ner"]


NO_CONFIDENCES = [
    setting("components.attn_ner.threshold", 0.0),
    setting("components.attn_rel.entity_confidence", False),
]
# to the config that makes no use of the confidences of entities
CHANGES: dict[str, list[Change]] = {
    "confidences of entities not used": [],
    "inner product, softmax over candidates": [inner_product],
    "biaffine score alone": [
        setting(f"{PAIRS}.attention", False),
        setting(f"{PAIRS}.between", False),
        setting(f"{PAIRS}.strongest", False),
        setting(f"{PAIRS}.distance_width", 0),
    ],
    "no product of head and tail": [setting(f"{PAIRS}.product", False)],
    "no attention to the words around": [setting(f"{PAIRS}.attention", False)],
    "no maximum of the words between": [setting(f"{PAIRS}.between", False)],
    "strongest pairs of head and tail not seen": [setting(f"{PAIRS}.strongest", False)],
    "no entity types": [setting(f"{PAIRS}.type_width", 0)],
    "no distance": [setting(f"{PAIRS}.distance_width", 0)],
    "entities without a BiLSTM of their own": [encoder_alone],
    "the same, two shared BiLSTMs": [encoder_alone, setting(f"{ENCODER}.depth", 2)],
    "pairs with a BiLSTM of their own": [own_encoder_for_pairs],
    "no self-attention in the encoder": [setting(f"{ENCODER}.n_heads", 0)],
    "encoders apart": [encoders_apart],
    "trained on gold entities alone": [on_gold_entities],
    "trained on predicted entities alone": [on_predicted_entities],
    "trained on predicted entities more and more often": [on_predicted_more_and_more],
    "dropout 0.5": [setting("training.dropout", 0.5)],
}
ROWS: dict[str, list[Change]] = {
    "shipped": [],
    **{name: [*NO_CONFIDENCES, *changes] for name, changes in CHANGES.items()},
}


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Scores in percent, on dev and test."""
    nlp = spacy.load(model)
    found = {}
    for split in ("dev", "test"):
        scores = nlp.evaluate(list(Corpus(corpus / f"{split}.spacy")(nlp)))
        for name, key in COLUMNS.items():
            found[f"{split}, {name}"] = round(100 * scores[key], 2)
    return found


if __name__ == "__main__":
    config = ROOT / "configs" / "rel.cfg"
    code = Path(rel_ideas.__file__)
    main(Ablation("relations.py", config, ROWS, score, code=code), __doc__)
