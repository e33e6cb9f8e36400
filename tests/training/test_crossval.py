"""`spacy attn crossval`: parts, scores, and a run that was cut off."""

import json
import statistics
from copy import deepcopy
from itertools import product
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import load_config
from spacy.vocab import Vocab

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import GROUP
from spacy_attnner.errors import UserError
from spacy_attnner.training import crossval
from spacy_attnner.training.crossval import cross_validate, find_sources, split
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


def test_an_unfinished_fold_of_something_else(tmp_path, monkeypatch):
    def cut_off(config, folder, **settings):
        (folder / "checkpoint/start").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(crossval, "run_training", cut_off)
    assert run(tmp_path, "--folds", "3", *SHORT).exit_code == 130
    for args, problem in (
        (["--folds", "2"], "something else: folds was 3 and is 2"),
        (["--folds", "3", "--seed", "5"], "something else: seed was 0 and is 5"),
    ):
        result = run(tmp_path, *args, *SHORT)
        assert result.exit_code == 1
        assert problem in said(result)


def test_a_value_that_was_wrong_may_be_mended(tmp_path):
    result = run(tmp_path, "--folds", "2", *SHORT, "--training.dropout", "x")
    assert result.exit_code == 1
    assert run(tmp_path, "--folds", "2", *SHORT).exit_code == 0


def test_tensorboard_s_runs_are_apart(tmp_path):
    board = "spacy-attnner.TensorBoardLogger.v1"
    trackers = {"b": {"logger": board, "folder": str(tmp_path / "runs")}}
    config = load_config("folds.cfg")
    config["training"]["logger"] = {
        "@loggers": "spacy-attnner.Trackers.v1",
        "trackers": trackers,
    }
    config.to_disk("logged.cfg")
    args = ["logged.cfg", "train.spacy", "-o", str(tmp_path / "out"), "--folds", "2"]
    result = invoke("crossval", [*args, *SHORT])
    assert result.exit_code == 0, result.output
    runs = sorted((tmp_path / "runs").iterdir())
    assert [run.name for run in runs] == ["fold1", "fold2"]
    assert all(len([*run.iterdir()]) == 1 for run in runs)


def test_folders_by_the_names_of_folds_stay(tmp_path):
    own = tmp_path / "fold2/train.spacy"
    own.parent.mkdir()
    own.write_text("mine")
    result = run(tmp_path, "--folds", "2", *SHORT)
    assert result.exit_code == 1
    assert f"{own.parent} is there and {tmp_path}/crossval.json is not" in said(result)
    assert [*tmp_path.rglob("*")] == [own.parent, own]


def test_what_was_put_into_a_fold_stays(tmp_path, monkeypatch):
    train = crossval.run_training

    def with_notes(config, folder, **settings):
        train(config, folder, **settings)
        (folder / "notes.txt").write_text("mine")

    monkeypatch.setattr(crossval, "run_training", with_notes)
    assert run(tmp_path, "--folds", "2", *SHORT).exit_code == 0
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    notes = {f"fold{n}{name}" for n in (1, 2) for name in ("", "/notes.txt")}
    assert names == {"crossval.json", *notes}


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


def test_documents_of_a_key_stay_together():
    vocab, patients = spacy.blank("en").vocab, [i % 7 for i in range(40)]
    docs = [Doc(vocab, words=["a"] * (1 + i % 3)) for i in range(40)]
    for i, (doc, value) in enumerate(zip(docs, patients, strict=True)):
        places = (
            {"patient": value},
            {"meta": {"patient": value}},
            {("._.", "patient", None, None): value},
        )
        doc.user_data.update(places[i % 3])
    parts = split(docs, 3, 0, "patient")
    assert sorted(i for part in parts for i in part) == list(range(40))
    owners = [{patients[i] for i in part} for part in parts]
    assert sum(map(len, owners)) == 7
    with pytest.raises(UserError, match="8 folds of 7 groups by patient"):
        split(docs, 8, 0, "patient")


def test_a_group_key(tmp_path):
    result = run(tmp_path / "none", "--group-key", "patient", *SHORT)
    assert result.exit_code == 1
    problem = "--group-key patient: no document of train.spacy has this key"
    assert problem in said(result)
    assert not (tmp_path / "none").exists()
    docs = list(DocBin().from_disk("train.spacy").get_docs(spacy.blank("en").vocab))
    for i, doc in enumerate(docs):
        doc.user_data["patient"] = i % 2
    keyed = tmp_path / "keyed.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(keyed)
    args = ["folds.cfg", str(keyed), "-o", str(tmp_path / "out"), "--folds", "2"]
    result = invoke("crossval", [*args, "--group-key", "patient", "--keep", *SHORT])
    assert result.exit_code == 0, result.output
    for number in (1, 2):
        part = DocBin().from_disk(tmp_path / f"out/fold{number}/test.spacy")
        texts = {doc.text for doc in part.get_docs(spacy.blank("en").vocab)}
        assert texts in ({doc.text for doc in docs[i::2]} for i in (0, 1))


def test_where_it_writes_if_nothing_is_said(tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(crossval, "run_training", lambda _, at, **__: found.append(at))
    monkeypatch.setattr(crossval, "_score", lambda model: {"score": 0.5})
    result = invoke("crossval", ["folds.cfg", "train.spacy", "--folds", "2"])
    assert result.exit_code == 0, result.output
    assert found == [Path("crossval/folds/fold1"), Path("crossval/folds/fold2")]
    assert "Wrote crossval/folds/crossval.json" in said(result)


@pytest.fixture
def mixture(tmp_path):
    """A config that mixes two corpora, and a folder of both."""
    config = make_config("mixed")
    config["paths"] = {"whole": None, "few": None}
    config["corpora"]["dev"] = deepcopy(config["corpora"]["train"])
    for part, name in product(("train", "dev"), ("whole", "few")):
        path = f"${{paths.{name}}}/{part}.spacy"
        config["corpora"][part]["corpora"][name]["path"] = path
    config.to_disk("mixed.cfg")
    docs = list(DocBin().from_disk("train.spacy").get_docs(spacy.blank("en").vocab))
    folder = tmp_path / "all"
    folder.mkdir()
    DocBin(docs=docs[:8]).to_disk(folder / "whole.spacy")
    DocBin(docs=docs[8:]).to_disk(folder / "few.spacy")
    return folder


def run_mixed(data, out, *args):
    return invoke("crossval", ["mixed.cfg", str(data), "-o", str(out), *args])


def test_every_corpus_of_a_mixture_is_cut(tmp_path, mixture):
    out = tmp_path / "out"
    result = run_mixed(mixture, out, "--folds", "2", "--keep", *SHORT)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "crossval.json").read_text())
    assert len(found["scores"]) == 2
    assert set(found["documents"]) == {"whole", "few"}
    for name, n in (("whole", 8), ("few", 4)):
        held_out = []
        for number in (1, 2):
            parts = [
                {doc.text for doc in DocBin().from_disk(path).get_docs(Vocab())}
                for path in sorted((out / f"fold{number}/{name}").iterdir())
            ]
            assert len(parts[0] | parts[1]) == n
            assert not parts[0] & parts[1]
            held_out.append(parts[0])
        assert len(held_out[0] | held_out[1]) == n
    nlp = spacy.load(out / "fold1/model-last")
    corpora = nlp.config["corpora"]["dev"]["corpora"]
    assert corpora["few"]["path"] == str(out / "fold1/few/test.spacy")


def test_the_corpora_of_the_joint_config(tmp_path):
    path = Path(__file__).parents[2] / "configs/joint.cfg"
    names = ("entities", "relations", "categories")
    for name in names:
        (tmp_path / f"{name}.spacy").touch()
    found = find_sources(load_config(path), path, tmp_path)
    assert [source.file for source in found] == [tmp_path / f"{x}.spacy" for x in names]
    assert found[0].settings == (
        "corpora.train.corpora.entities.path",
        "corpora.dev.corpora.entities.path",
    )


def test_data_that_do_not_fit_a_mixture(tmp_path, mixture):
    result = run_mixed("train.spacy", tmp_path / "out", *SHORT)
    assert result.exit_code == 1
    problem = "mixes whole, few, and train.spacy is no folder with whole.spacy"
    assert problem in said(result)
    assert "documents of each corpus: whole.spacy, few.spacy" in said(result)
    (mixture / "few.spacy").unlink()
    result = run_mixed(mixture, tmp_path / "out", *SHORT)
    assert f"{mixture} holds no few.spacy" in said(result)
    result = invoke("crossval", ["folds.cfg", str(mixture), "-o", str(tmp_path / "o")])
    assert "all is a folder, which is for configs that mix corpora" in said(result)
    assert not (tmp_path / "out").exists()


def test_parts_follow_the_seed():
    docs = [Doc(spacy.blank("en").vocab, words=["a"] * (1 + i % 3)) for i in range(30)]
    assert split(docs, 5, 0) == split(docs, 5, 0)
    assert split(docs, 5, 0) != split(docs, 5, 1)
    assert all(split(docs, 30, 0))
