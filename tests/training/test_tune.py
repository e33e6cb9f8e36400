"""`spacy attn tune`: spaces, studies that go on, what is written."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import optuna
import pytest
from spacy.util import dot_to_object, load_config
from thinc.api import Config

from spacy_attnner.errors import UserError
from spacy_attnner.training import loggers
from spacy_attnner.training import tune as tune_module
from spacy_attnner.training.space import Choices, Range, read_space
from tests.commands import invoke
from tests.training.trainings import make_config

DROPOUT, SIZE = "training.dropout", "training.batcher.size.start"
RATE = "training.optimizer.learn_rate.initial_rate"
SPACE = f"""
{DROPOUT}: {{low: 0.1, high: 0.5}}
{SIZE}: [20, 40]
{RATE}: {{low: 0.001, high: 0.1, log: true}}
"""


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)
    make_config("tagger").to_disk("tagger.cfg")
    Path("space.yml").write_text(SPACE)


def said(result):
    return " ".join(result.output.split())


def run(out, *args):
    return invoke("tune", ["tagger.cfg", "space.yml", "-o", str(out), *args])


def trials_of(out):
    return json.loads((out / "trials.json").read_text())


@pytest.fixture
def quick(monkeypatch):
    """Trials whose score is known without a training."""

    def score(config, values, trial, gpu_id):
        return 1.0 - abs(values[DROPOUT] - 0.3) - abs(values[RATE] - 0.01) / 10

    monkeypatch.setattr(tune_module, "_run_trial", score)


def test_a_study(tmp_path):
    result = run(tmp_path, "--trials", "3")
    assert result.exit_code == 0, result.output
    trials = trials_of(tmp_path)["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 3
    assert all(trial["steps"] == 12 for trial in trials)
    best = max(trials, key=lambda trial: trial["score"])
    config = load_config(tmp_path / "best.cfg")
    before = load_config("tagger.cfg")
    for path, value in best["values"].items():
        assert dot_to_object(config, path) == pytest.approx(value)
        block, _, name = path.rpartition(".")
        dot_to_object(config, block)[name] = dot_to_object(before, path)
    assert config == before  # nothing else was changed
    assert f"{best['score']:.4f}" in said(result)


def test_it_goes_on(tmp_path, quick):
    assert run(tmp_path, "--trials", "4").exit_code == 0
    assert trials_of(tmp_path)["importances"] == {}
    before = trials_of(tmp_path)["trials"]
    assert run(tmp_path, "--trials", "16").exit_code == 0
    found = trials_of(tmp_path)
    assert found["trials"][:4] == before
    assert len(found["trials"]) == 20
    assert set(found["importances"]) == {DROPOUT, SIZE, RATE}
    assert sum(found["importances"].values()) == pytest.approx(1.0)
    assert max(found["importances"], key=found["importances"].get) == DROPOUT
    picture = ElementTree.parse(tmp_path / "study.svg")
    text = " ".join(picture.getroot().itertext())
    assert "best so far" in text
    assert DROPOUT in text


def values_of(out):
    return [trial["values"] for trial in trials_of(out)["trials"]]


def test_draws_follow_the_seed_and_the_trial(tmp_path, quick):
    for name, seed, parts in (("a", 1, [9]), ("b", 1, [2, 3, 4]), ("c", 2, [9])):
        for n in parts:  # as many processes, one after another
            args = ["--trials", str(n), "--seed", str(seed)]
            assert run(tmp_path / name, *args).exit_code == 0
    a, b, c = (values_of(tmp_path / name) for name in "abc")
    assert a == b
    assert len({values[DROPOUT] for values in a}) == 9
    assert not {values[DROPOUT] for values in a} & {values[DROPOUT] for values in c}


def test_processes_at_once_draw_other_values(tmp_path, quick, monkeypatch):
    drawn, score = [], tune_module._run_trial

    def with_another(config, values, trial, gpu_id):
        drawn.append(values[DROPOUT])
        if len(drawn) == 1:  # a second process begins while a trial runs
            assert run(tmp_path, "--trials", "3").exit_code == 0
        return score(config, values, trial, gpu_id)

    monkeypatch.setattr(tune_module, "_run_trial", with_another)
    assert run(tmp_path, "--trials", "3").exit_code == 0
    assert len(set(drawn)) == 6
    trials = trials_of(tmp_path)["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 6


def test_trials_that_are_behind_are_pruned(tmp_path, monkeypatch):
    scores, steps = iter([0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.95]), []

    def train(nlp, *_, **__):
        score = next(scores)
        for step in (0, 4, 8, 12):
            steps.append(step)
            loggers._report.get()({"score": score, "step": step})

    monkeypatch.setattr(tune_module, "spacy_train", train)
    result = run(tmp_path, "--trials", "7")
    assert result.exit_code == 0, result.output
    states = [trial["state"] for trial in trials_of(tmp_path)["trials"]]
    assert states == ["complete"] * 5 + ["pruned", "complete"]
    assert "Trial 5: pruned" in said(result)
    assert steps[20:23] == [0, 4, 8]  # not at its first two evaluations
    assert steps[23] == 0


def failing(monkeypatch, *errors):
    """Trials that raise these, or have a score where one is None."""
    left = iter(errors)

    def train(nlp, *_, **__):
        if error := next(left):
            raise error
        loggers._report.get()({"score": 0.5, "step": 0})

    monkeypatch.setattr(tune_module, "spacy_train", train)


def test_trials_that_fail_are_told_and_the_study_goes_on(tmp_path, monkeypatch):
    errors = [ValueError("no\nmemory"), KeyError("x"), None, SystemExit(3), None]
    failing(monkeypatch, *errors)
    result = run(tmp_path, "--trials", "5")
    assert result.exit_code == 0, result.output
    trials = trials_of(tmp_path)["trials"]
    states = [trial["state"] for trial in trials]
    assert states == ["fail", "fail", "complete", "fail", "complete"]
    why = ["no: memory", "KeyError: 'x'", None, "SystemExit: 3", None]
    assert [trial["why"] for trial in trials] == why
    assert "Trial 0: failed, no: memory" in said(result)


def test_values_that_cannot_be_trained_are_told(tmp_path):
    Path("space.yml").write_text("components.attn_ner.model.tok2vec.width: [7, 24]")
    result = run(tmp_path, "--trials", "5")
    assert result.exit_code == 0, result.output
    for trial in trials_of(tmp_path)["trials"]:
        (width,) = trial["values"].values()
        assert trial["state"] == ("fail" if width == 7 else "complete")
        assert ("width 7" in (trial["why"] or "")) == (width == 7)


@pytest.mark.parametrize("n", [1, 2, 9])
def test_trials_that_all_fail_end_the_search(tmp_path, n):
    Path("space.yml").write_text(f"{DROPOUT}: [x, y]")
    result = run(tmp_path, "--trials", str(n))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    trials = trials_of(tmp_path)["trials"]
    assert [trial["state"] for trial in trials] == ["fail"] * min(n, 3)
    why = "dropout Input should be a valid number"
    assert all(why in trial["why"] for trial in trials)
    which = f"{min(n, 3)} trials in a row" if n > 1 else "the trial"
    assert f"{which} failed: Config validation error: {why}" in said(result)


def test_a_score_that_is_no_number(tmp_path, monkeypatch):
    def train(nlp, *_, **__):
        loggers._report.get()({"score": float("nan"), "step": 4})

    monkeypatch.setattr(tune_module, "spacy_train", train)
    assert run(tmp_path, "--trials", "1").exit_code == 1
    (trial,) = trials_of(tmp_path)["trials"]
    assert trial["why"] == "the score is no number at step 4"


def test_a_search_that_is_interrupted(tmp_path, monkeypatch):
    failing(monkeypatch, None, KeyboardInterrupt())
    result = run(tmp_path)
    assert result.exit_code == 130
    trials = trials_of(tmp_path)["trials"]
    assert [trial["state"] for trial in trials] == ["complete", "fail"]
    assert trials[1]["why"] == "it was interrupted"


def test_a_search_that_is_killed(tmp_path, quick):
    assert run(tmp_path, "--trials", "1").exit_code == 0
    killed = optuna.load_study(
        study_name="tune", storage=f"sqlite:///{tmp_path}/study.db"
    )
    killed.ask()
    result = run(tmp_path, "--trials", "1")
    assert result.exit_code == 0, result.output
    assert "Trial 1: failed, its process was killed" in said(result)
    trials = trials_of(tmp_path)["trials"]
    assert [trial["state"] for trial in trials] == ["complete", "fail", "complete"]
    assert trials[1]["why"] == "its process was killed"


def damage(path, kind):
    data = path.read_bytes()
    if kind == "text":
        path.write_text("no database")
    elif kind == "cut off":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "overwritten":
        path.write_bytes(data[:4096] + b"x" * (len(data) - 4096))
    elif kind == "a folder":
        path.unlink()
        path.mkdir()
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("update alembic_version set version_num = 'v0.9.0.a'")


@pytest.mark.parametrize(
    "kind", ["text", "cut off", "overwritten", "a folder", "another version"]
)
def test_a_damaged_study(tmp_path, quick, kind):
    assert run(tmp_path, "--trials", "1").exit_code == 0
    damage(tmp_path / "study.db", kind)
    result = run(tmp_path, "--trials", "1")
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert "study.db" in said(result)
    assert "Restore the file from a copy, or name another --output." in said(result)


def test_another_space_or_config(tmp_path, quick):
    assert run(tmp_path, "--trials", "1").exit_code == 0
    before = (tmp_path / "study.db").read_bytes()
    result = run(tmp_path, "--training.max_steps", "8")
    assert result.exit_code == 1
    assert "another config: training.max_steps was 12 and is 8" in said(result)
    Path("space.yml").write_text(SPACE.replace("0.5", "0.6"))
    result = run(tmp_path)
    assert result.exit_code == 1
    assert f"another space: {DROPOUT}.high was 0.5 and is 0.6" in said(result)
    assert (tmp_path / "study.db").read_bytes() == before


def test_other_documents(tmp_path, quick, place):
    copy = tmp_path / "copy.spacy"
    copy.write_bytes((place / "train.spacy").read_bytes())
    args = ["--trials", "1", "--corpora.train.path", str(copy)]
    assert run(tmp_path / "out", *args).exit_code == 0
    assert run(tmp_path / "out", *args).exit_code == 0
    copy.write_bytes(b"other")
    result = run(tmp_path / "out", *args)
    assert result.exit_code == 1
    assert f"is of another corpus: {copy} was" in said(result)


def test_a_value_that_is_searched_and_set(tmp_path, quick):
    result = run(tmp_path / "out", f"--{DROPOUT}", "0.2")
    assert result.exit_code == 1
    assert f"{DROPOUT} is searched, as space.yml says, and --{DROPOUT}" in said(result)
    assert not (tmp_path / "out").exists()


def test_columns_stay_in_line(tmp_path, quick):
    result = run(tmp_path, "--trials", "1")
    table = result.output.partition("best: ")[2].splitlines()[2:5]
    assert len({len(line.rstrip()) for line in table}) == 1


def test_lists_are_values_too(tmp_path, quick):
    config = Config().from_disk("tagger.cfg", interpolate=False)
    config["training"]["frozen_components"] = []
    config.to_disk("tagger.cfg")
    frozen = "training.frozen_components"
    space = Path("space.yml").read_text()
    Path("space.yml").write_text(f"{space}\n{frozen}: [[], [tagger], null, x]\n")
    result = run(tmp_path, "--trials", "12")
    assert result.exit_code == 0, result.output
    trials = trials_of(tmp_path)["trials"]
    found = [each["values"][frozen] for each in trials]
    assert all(each in found for each in ([], ["tagger"], None, "x"))
    best = max(trials, key=lambda each: each["score"])["values"][frozen]
    written = Config().from_disk(tmp_path / "best.cfg", interpolate=False)
    assert written["training"]["frozen_components"] == best
    assert run(tmp_path, "--trials", "13").exit_code == 0


def test_what_a_space_may_hold():
    config = make_config("tagger")
    stepped = Path("stepped.yml")
    stepped.write_text(f"{DROPOUT}: {{low: 0.1, high: 0.7, step: 0.2, log: false}}")
    assert read_space(stepped, config) == {DROPOUT: Range(0.1, 0.7, step=0.2)}
    assert read_space(Path("space.yml"), config) == {
        DROPOUT: Range(0.1, 0.5),
        SIZE: Choices((20, 40)),
        RATE: Range(0.001, 0.1, log=True),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no values"),
        ("- 3", "names no values"),
        ("a: {b: [}", "is no YAML"),
        ("training.dorpout: [0.1]", "training.dorpout: the config has no"),
        ("training.batcher: [1]", "is a section"),
        ("training.dropout: 0.1", "0.1 is neither a list"),
        ("training.dropout: []", "nothing to choose from"),
        ("training.dropout: [[[1]]]", r"\[1\] is no number"),
        ("training.dropout: [{a: 1}]", "{'a': 1} is no number"),
        ("training.dropout: {low: 0.1}", "has to have low and high"),
        ("training.dropout: {low: 1, high: 2, max: 3}", "has to have low and high"),
        ("training.dropout: {low: 0.5, high: 0.1}", "low 0.5 is not below high 0.1"),
        ("training.dropout: {low: a, high: b}", "are not all numbers"),
        ("training.dropout: {low: 0, high: 1, log: true}", "log takes a low above 0"),
        ("training.dropout: {low: 0.1, high: 0.5, log: no}", "log is the text 'no'"),
        ("training.dropout: {low: 0.1, high: 0.5, step: 0.3}", "steps of 0.3 do not"),
        ("training.dropout: {low: 1, high: 5, step: 9}", "steps of 9 do not lead"),
        ("training.dropout: {low: 0.1, high: 0.5, step: 0}", "step 0 is not above 0"),
    ],
)
def test_what_is_no_space(text, problem):
    Path("space.yml").write_text(text)
    with pytest.raises(UserError, match=problem) as caught:
        read_space(Path("space.yml"), make_config("tagger"))
    assert "space.yml" in caught.value.problem
    assert "low: 0.0005" in caught.value.way_out


def test_optuna_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    result = run(tmp_path)
    assert result.exit_code == 1
    assert re.search(r'pip install "spacy-attnner\[tune\]"', said(result))


def test_whole_numbers_stay_whole():
    study = optuna.create_study()
    trial = study.ask()
    assert isinstance(Range(1, 9).suggest(trial, "a"), int)
    assert isinstance(Range(1, 9, step=0.5).suggest(trial, "b"), float)
    assert Range(1, 9, step=4).suggest(trial, "c") in (1, 5, 9)
