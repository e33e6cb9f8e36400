"""`spacy attn train` with a wrong value in a config or a corpus, which is named."""

import logging
import math

import pytest

from tests.commands import invoke
from tests.training.trainings import MIXED, make_config


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)


def shares(whole, few):
    return {"corpora.train": {**MIXED, "shares": {"whole": whole, "few": few}}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (shares(0.5, 0.6), "shares {'whole': 0.5, 'few': 0.6} add up to 1.1, not to 1"),
        (shares(math.nan, 0.5), "wrong.cfg: corpora.train.shares.whole is nan, which"),
        (shares(math.inf, 0.5), "wrong.cfg: corpora.train.shares.whole is inf, which"),
        ({"corpora.train.augmenter.single": 3.0}, "single 3.0 is not in [0, 1]"),
        ({"training.droput": 0.2}, "wrong.cfg: there is no training.droput"),
        ({"training.eval_frequency": 0}, "wrong.cfg: training.eval_frequency is 0"),
        ({"training.accumulate_gradient": 0}, "training.accumulate_gradient is 0"),
        ({"corpora.train.path": None}, "wrong.cfg: [E913]"),
        ({"corpora.train.path": "text.spacy"}, "wrong.cfg: [E1014]"),
        ({"corpora.dev.path": "text.spacy"}, "corpora.dev: [E1014]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, place, changes, problem):
    (place / "text.spacy").write_text("no documents")
    make_config("tagger", **changes).to_disk("wrong.cfg")
    result = invoke("train", ["wrong.cfg", "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert problem in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["train", "tune", "crossval"])
def test_an_option_that_is_none(tmp_path, place, command):
    make_config("tagger").to_disk("right.cfg")
    arguments = ["right.cfg"] * (1 if command == "train" else 2)
    out = ["--output", str(tmp_path / "out"), "--droput", "0.2"]
    result = invoke(command, [*arguments, *out])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert "there is no option --droput" in " ".join(result.output.split())


def test_verbose(tmp_path, place):
    make_config("tagger").to_disk("right.cfg")
    level = logging.getLogger("spacy").level
    args = ["right.cfg", "--output", str(tmp_path), "-V", "--training.max_steps", "1"]
    try:
        assert invoke("train", args).exit_code == 0
        assert logging.getLogger("spacy").level == logging.DEBUG
    finally:
        logging.getLogger("spacy").setLevel(level)
