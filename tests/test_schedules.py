"""Learning rates that follow the length of a training."""

from itertools import islice

import pytest
import spacy
import srsly
from spacy.language import DEFAULT_CONFIG
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_attnner.schedules import (
    create_warmup_constant,
    create_warmup_cosine,
    create_warmup_linear,
)

CREATE = {
    "WarmupConstant": create_warmup_constant,
    "WarmupCosine": create_warmup_cosine,
    "WarmupLinear": create_warmup_linear,
}
schedules = pytest.mark.parametrize("name", CREATE)


def rates(name, warmup_steps, total_steps, n=200):
    schedule = CREATE[name](0.5, warmup_steps=warmup_steps, total_steps=total_steps)
    return list(islice(schedule, n))


@pytest.mark.parametrize(
    ("name", "half", "end"),
    [
        ("WarmupConstant", 0.5, 0.5),
        ("WarmupCosine", 0.25, 0),
        ("WarmupLinear", 0.25, 0),
    ],
)
def test_the_course_of_a_rate(name, half, end):
    found = rates(name, 10, 110)
    assert found[:11] == pytest.approx([0.05 * step for step in range(11)])
    assert found[60] == pytest.approx(half)
    assert found[110:] == pytest.approx([end] * 90)
    assert sorted(found[10:], reverse=True) == found[10:]


def test_a_cosine_leaves_and_arrives_slowly():
    cosine, line = rates("WarmupCosine", 0, 100), rates("WarmupLinear", 0, 100)
    assert all(a > b for a, b in zip(cosine[1:50], line[1:50], strict=True))
    assert all(a < b for a, b in zip(cosine[51:100], line[51:100], strict=True))


@schedules
def test_the_warm_up_is_an_eighth_at_most(name):
    found = rates(name, 100, 80)
    assert found.index(0.5) == 10


@schedules
def test_without_a_limit_the_rate_stays(name):
    assert rates(name, 10, 0)[10:] == [0.5] * 190
    assert rates(name, 10, "${training.max_steps}") == [0.5] * 200


@schedules
@pytest.mark.parametrize("setting", ["warmup_steps", "total_steps"])
def test_negative_steps(name, setting):
    settings = {"initial_rate": 0.1, "warmup_steps": 1, "total_steps": 2, setting: -1}
    with pytest.raises(ValueError, match=f"{setting} -1 of the learning rate"):
        CREATE[name](**settings)


MODEL = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "ngram_size": 1,
    "no_output_layer": False,
    "length": 512,
}


def training(name, folder):
    return {
        "train_corpus": "corpora.train",
        "dev_corpus": "corpora.train",
        "max_steps": 200,
        "patience": 12,
        "eval_frequency": 4,
        "logger": {
            "@loggers": "spacy.ConsoleLogger.v3",
            "console_output": False,
            "output_file": str(folder / "log.jsonl"),
        },
        "optimizer": {
            "@optimizers": "Adam.v1",
            "learn_rate": {
                "@schedules": f"spacy-attnner.{name}.v1",
                "initial_rate": 0.1,
                "warmup_steps": 8,
                "total_steps": "${training.max_steps}",
            },
        },
    }


@schedules
def test_a_training_that_gets_no_better_stops_early(name, tmp_path):
    """`patience` counts from the best score, which these documents have soon."""
    nlp, stored = spacy.blank("en"), DocBin()
    for text in ("Rain again .", "Dry at last .", "The rain stays .", "Dust all day ."):
        doc = nlp(text)
        doc.cats = {"wet": float("ain" in text), "dry": float("ain" not in text)}
        stored.add(doc)
    stored.to_disk(tmp_path / "train.spacy")
    corpus = {"@readers": "spacy.Corpus.v1", "path": str(tmp_path / "train.spacy")}
    config = Config(
        {
            "nlp": {"lang": "en", "pipeline": ["textcat"]},
            "components": {"textcat": {"factory": "textcat", "model": MODEL}},
            "corpora": {"train": corpus, "dev": corpus},
            "training": training(name, tmp_path),
        }
    )
    train(init_nlp(DEFAULT_CONFIG.merge(config)))
    log = list(srsly.read_jsonl(tmp_path / "log.jsonl"))
    best = min(row["step"] for row in log if row["score"] == 1.0)
    assert log[-1]["step"] == best + 12
