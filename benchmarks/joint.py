"""One encoder for entities, relations and categories, against one for each of them.

    python benchmarks/joint.py --corpus corpus --vectors vectors --keep KEPT

CORPUS holds ner, rel and sentiment, as the project's step `corpus` writes them. The
row "joint" is configs/joint.cfg (`--config configs/joint_trf.cfg --encoder ENCODER` for
the other); the others are the same config with one task's components and corpus,
trained in batches of up to 600 words on as many words of that corpus. Results are kept
after every run, so an interrupted call goes on where it stopped.

Scores, in percent: entity F1 on whole documents with gold sentence starts ("given") and
without any ("none"); F1 of the arguments of relations, strict relation F1 end to end
and with gold arguments; accuracy of the category.
"""

from pathlib import Path

import ner
import spacy
import textcat
from ablation import Ablation, Change, main
from spacy.training import Corpus
from thinc.api import Config

from spacy_attnner.corpora.mixing import create_mixed_corpus

ROOT = Path(__file__).parent.parent
FOLDERS = {"entities": "ner", "relations": "rel", "categories": "sentiment"}
COMPONENTS = {
    "entities": ["attn_ner"],
    "relations": ["arguments", "attn_rel"],
    "categories": ["attn_textcat"],
}
KEY = "arguments"
RELATIONS = {
    "arguments": "spans_arguments_f",
    "strict": "rel_f",
    "gold arguments": "rel_gold_ents_f",
}
WORDS = 600  # at most, of a batch of one corpus alone
corpora: list[Path] = []


def prepare(corpus: Path) -> Path:
    """Remember the folder on the command line."""
    corpora.append(corpus)
    return corpus


def with_paths(config: Config) -> None:
    """Name the folders of the corpora."""
    for name, folder in FOLDERS.items():
        config["paths"][name] = str(corpora[-1] / folder)


def alone(task: str) -> Change:
    """One task's components and corpus, and its share of the words."""

    def change(config: Config) -> None:
        # of the words of an epoch, those that are of this corpus
        share = config["corpora"]["train"]["shares"][task]
        unused = {c for t, names in COMPONENTS.items() if t != task for c in names}
        for name in unused:
            del config["components"][name]
            config["nlp"]["pipeline"].remove(name)
        for mixed in (config["corpora"]["train"], config["corpora"]["dev"]):
            mixed["corpora"] = {task: mixed["corpora"][task]}
            mixed.pop("shares", None)
            for setting in ("tasks", "spans"):
                own = config["corpora"]["train"][setting]
                mixed[setting] = {k: v for k, v in own.items() if k == task}
        training = config["training"]
        size = training["batcher"]["size"]
        training["batcher"]["size"] = min(size, WORDS)
        steps = share * size / training["batcher"]["size"]
        for name in ("max_steps", "patience", "eval_frequency"):
            training[name] = round(training[name] * steps)
        named = [n for n in training["annotating_components"] if n not in unused]
        training["annotating_components"] = named if named != ["tok2vec"] else []

    return change


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Scores in percent of what the pipeline has learnt, on dev and test."""
    nlp = spacy.load(model)
    found: dict[str, float] = {}
    if nlp.has_pipe("attn_ner"):
        entities = ner.score(model, corpus / FOLDERS["entities"])
        found |= {f"entities, {name}": value for name, value in entities.items()}
    if nlp.has_pipe("attn_rel"):
        for split in ("dev", "test"):
            reader = Corpus(corpus / FOLDERS["relations"] / f"{split}.spacy")
            mixed = create_mixed_corpus({"rel": reader}, spans={"rel": KEY})
            scores = nlp.evaluate(list(mixed(nlp)))
            for name, key in RELATIONS.items():
                found[f"relations, {split}, {name}"] = round(100 * scores[key], 2)
    if nlp.has_pipe("attn_textcat"):
        accuracy = textcat.score(model, corpus / FOLDERS["categories"])
        found |= {f"categories, {name}": value for name, value in accuracy.items()}
    return found


ROWS: dict[str, list[Change]] = {
    "joint": [with_paths],
    **{f"{task} alone": [with_paths, alone(task)] for task in COMPONENTS},
}


if __name__ == "__main__":
    config = ROOT / "configs" / "joint.cfg"
    main(Ablation("joint.py", config, ROWS, score, prepare=prepare), __doc__)
