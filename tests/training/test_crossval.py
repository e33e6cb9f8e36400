"""`spacy attn crossval`: parts, scores, and a run that was cut off."""

import json
import statistics
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import GROUP
from spacy_attnner.errors import UserError
from spacy_attnner.training import crossval
from spacy_attnner.training.crossval import cross_validate, split
from tests.commands import invoke
from tests.training.trainings import make_config

SHORT = ["--training.max_steps", "4"]


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)
    config = make_config("tagger")
    config["paths"] = {"train": None, "dev": None}
    config["corpora"]["train"]["path"] = "${paths.train}"
    config["corpora"]["dev"]["path"] = "${paths.dev}"
    config.to_disk("folds.cfg")


def run(out, *args):
    return invoke("crossval", ["folds.cfg", "train.spacy", "-o", str(out), *args])


def said(result):
    return " ".join(result.output.split())


def test_scores_and_their_spread(tmp_path):
    result = run(tmp_path, "--folds", "3", *SHORT)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "crossval.json").read_text())
    scores = [each["ents_f"] for each in found["scores"].values()]
    assert len(scores) == 3
    mean, deviation = statistics.mean(scores), statistics.stdev(scores)
    assert f"ents_f {100 * mean:.2f} {100 * deviation:.2f}" in said(result)
    assert [path.name for path in tmp_path.iterdir()] == ["crossval.json"]


def test_kept_pipelines_are_those_that_were_scored(tmp_path):
    result = run(tmp_path, "--folds", "2", "--keep", *SHORT)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "crossval.json").read_text())["scores"]
    seen = []
    for number in (0, 1):
        folder = tmp_path / f"fold{number + 1}"
        assert crossval._score(folder / "model-last") == found[str(number)]
        for part in ("train", "test"):
            docs = DocBin().from_disk(folder / f"{part}.spacy")
            seen.append({doc.text for doc in docs.get_docs(spacy.blank("en").vocab)})
    assert seen[0] == seen[3]
    assert seen[1] == seen[2]
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == 12


def test_a_run_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    assert run(tmp_path / "whole", "--folds", "3", *SHORT).exit_code == 0
    trained, train = [], crossval.run_training

    def cut_off(config, folder, **settings):
        trained.append(folder.name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        train(config, folder, **settings)

    monkeypatch.setattr(crossval, "run_training", cut_off)
    result = run(tmp_path / "parts", "--folds", "3", *SHORT)
    assert result.exit_code == 130
    assert "goes on where it was" in said(result)
    assert run(tmp_path / "parts", "--folds", "3", *SHORT).exit_code == 0
    assert trained == ["fold1", "fold2", "fold2", "fold3"]
    files = [tmp_path / name / "crossval.json" for name in ("whole", "parts")]
    whole, parts = (json.loads(file.read_text())["scores"] for file in files)
    assert whole == parts


def test_folds_of_something_else(tmp_path):
    assert run(tmp_path, "--folds", "2", *SHORT).exit_code == 0
    result = run(tmp_path, "--folds", "3", *SHORT)
    assert result.exit_code == 1
    assert "something else: folds was 2 and is 3" in said(result)
    result = run(tmp_path, "--folds", "2", *SHORT, "--training.dropout", "0.3")
    assert "config.training.dropout was 0.2 and is 0.3" in said(result)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--folds", "13"], "13 folds of 12 documents"),
        (["--folds", "1"], "1 folds of 12 documents"),
        (["--training.max_steps", "0"], "neither training.max_steps nor"),
        (["--corpora.dev.path", "dev.spacy"], "do not read ${paths.dev}"),
    ],
)
def test_what_cannot_be(tmp_path, args, problem):
    result = run(tmp_path / "out", *args)
    assert result.exit_code == 1
    assert problem in said(result)
    assert not (tmp_path / "out").exists()


def test_data_that_are_none(tmp_path):
    (tmp_path / "x.spacy").write_text("no")
    with pytest.raises(UserError, match=r"x\.spacy is no \.spacy file"):
        cross_validate(Path("folds.cfg"), tmp_path / "x.spacy", tmp_path / "out")


def test_sentences_of_a_document_stay_together(tmp_path):
    sentence = "Ada NNP I-NP I-PER\nslept VBD O O\n\n"
    begin = "-DOCSTART- -X- O O\n\n"
    text = "".join(begin + sentence * (1 + n % 3) for n in range(24))
    (tmp_path / "s.txt").write_text(text)
    convert(tmp_path / "s.txt", tmp_path / "s.spacy", sentences=True)
    vocab = spacy.blank("en").vocab
    docs = list(DocBin().from_disk(tmp_path / "s.spacy").get_docs(vocab))
    groups = [doc.user_data[GROUP] for doc in docs]
    assert (len(set(groups)), len(groups)) == (24, 48)
    parts = split(docs, 4, 0)
    assert sorted(i for part in parts for i in part) == list(range(len(docs)))
    owners = [{groups[i] for i in part} for part in parts]
    assert sum(map(len, owners)) == len(set(groups))
    sizes = [sum(len(docs[i]) for i in part) for part in parts]
    assert max(sizes) < 1.2 * min(sizes)


def test_parts_follow_the_seed():
    docs = [Doc(spacy.blank("en").vocab, words=["a"] * (1 + i % 3)) for i in range(30)]
    assert split(docs, 5, 0) == split(docs, 5, 0)
    assert split(docs, 5, 0) != split(docs, 5, 1)
    assert all(split(docs, 30, 0))
