"""`configs/textcat.cfg`, made small, on twenty documents of the sample."""

import json
from pathlib import Path

import spacy
from spacy.cli.train import train

from spacy_attnner.corpora.conversion import convert

ROOT = Path(__file__).resolve().parents[1]
TOPICS = {"business", "sports", "politics", "culture", "science", "crime"}
TOK2VEC = "components.attn_textcat.model.tok2vec"


def few_documents(folder):
    """Twenty documents with one sentiment each, in spaCy's format."""
    lines = (ROOT / "assets/sample/train.jsonl").read_text("utf8").splitlines()
    docs = [json.loads(line) for line in lines[:20]]
    for doc in docs:
        doc["cats"] = {c: v for c, v in doc["cats"].items() if c not in TOPICS}
    text = "\n".join(map(json.dumps, docs))
    (folder / "few.jsonl").write_text(text, encoding="utf8")
    convert(folder / "few.jsonl", folder / "few.spacy")
    return str(folder / "few.spacy")


def test_few_documents_make_a_trained_pipeline(tmp_path):
    corpus = few_documents(tmp_path)
    overrides = {
        "paths.train": corpus,
        "paths.dev": corpus,
        "training.max_steps": 100,  # as many epochs, at the config's eval_frequency
        "training.logger.progress_bar": False,
        f"{TOK2VEC}.width": 32,
        f"{TOK2VEC}.embed.vector_width": 0,
    }
    train(ROOT / "configs/textcat.cfg", tmp_path, overrides=overrides)
    performance = spacy.load(tmp_path / "model-best").meta["performance"]
    assert performance["cats_score"] > 0.9
