"""`spacy attn train`: one that was cut off ends as if it had not been."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli.train import train as spacy_train
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST
from spacy.util import registry

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.errors import UserError
from spacy_attnner.training.checkpoint import Checkpoint
from spacy_attnner.training.corpus_files import corpus_digests, require_unchanged
from spacy_attnner.training.optimizer_state import put_state, take_state
from spacy_attnner.training.resumable import run_training
from tests.commands import invoke
from tests.training.conftest import SAMPLE
from tests.training.trainings import PIPELINES, make_config

CUT = "tests.cut_off"


class Cut(Exception):
    """The end of a training before its end."""


cut_at: list[int] = []


@registry.callbacks(CUT)
def make_cut_off():
    def cut_off(nlp, args):
        if args["step"] in cut_at:
            cut_at.remove(args["step"])
            raise Cut

    return cut_off


@pytest.fixture(scope="module", autouse=True)
def configs(place):
    for name in PIPELINES:
        config = make_config(name, training__before_update={"@callbacks": CUT})
        config.to_disk(place / f"{name}.cfg")


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)
    cut_at.clear()


def contents(folder):
    """Every file's, but for what tells the spaCy version or the scores' time, and what
    spaCy does not store.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            data = path.read_bytes()
            if name == "meta.json":
                meta = json.loads(data)
                for key in [k for k in meta["performance"] if k == "speed"]:
                    del meta["performance"][key]
                meta.pop("training", None)
                data = json.dumps(meta).encode()
            found[name] = data
    return found


def same(one, other):
    for name in (DIR_MODEL_LAST, DIR_MODEL_BEST):
        a, b = contents(one / name), contents(other / name)
        assert list(a) == list(b)
        assert [key for key in a if a[key] != b[key]] == []


def trained(out):
    """What the last pipeline says of its training."""
    return json.loads((out / DIR_MODEL_LAST / "meta.json").read_text())["training"]


@pytest.mark.parametrize("name", PIPELINES)
def test_it_ends_as_if_it_had_not_been_cut(name, tmp_path):
    config = Path(f"{name}.cfg")
    run_training(config, tmp_path / "whole")
    cut_at.extend((3, 7, 11))  # before the second evaluation, and then in between
    out = tmp_path / "parts"
    for resume in (False, True, True):
        with pytest.raises(Cut):
            run_training(config, out, resume=resume)
        random.random()  # as if in another process
    assert not cut_at
    run_training(config, out, resume=True)
    same(tmp_path / "whole", out)
    assert not (out / "checkpoint").exists()
    about = trained(tmp_path / "whole")
    assert about == trained(out)
    assert about["steps"] == 12
    assert set(about["examples"]) >= {"corpora.dev"}
    assert about["examples"]["corpora.dev"] == 12


CHANGE = "tests.change"


@registry.callbacks(CHANGE)
def make_change():
    def change(nlp, args):
        if args["step"] == 2:
            nlp.get_pipe("attn_ner").loss_weight = 0.7
        if args["step"] in cut_at:
            raise Cut

    return change


def test_a_setting_that_a_callback_changed(tmp_path):
    config = make_config("tagger", training__before_update={"@callbacks": CHANGE})
    config.to_disk("change.cfg")
    cut(tmp_path, "change.cfg")
    cut_at.clear()
    run_training(Path("change.cfg"), tmp_path, resume=True)
    assert spacy.load(tmp_path / DIR_MODEL_LAST).get_pipe("attn_ner").loss_weight == 0.7


def test_without_a_cut_it_is_spacy_s_own(tmp_path):
    run_training(Path("tagger.cfg"), tmp_path / "own")
    spacy_train("tagger.cfg", tmp_path / "spaCy")
    same(tmp_path / "own", tmp_path / "spaCy")


def cut(out, config="tagger.cfg", at=6):
    cut_at.append(at)
    with pytest.raises(Cut):
        run_training(Path(config), out)


def said(result):
    return " ".join(result.output.split())


def test_killed(tmp_path):
    """By the system, in the middle of a step, in another process."""
    out = tmp_path / "killed"
    code = tmp_path / "killer.py"
    code.write_text(
        "import os, signal\n"
        "from spacy.util import registry\n"
        "@registry.callbacks('tests.cut_off')\n"
        "def make():\n"
        "    def kill(nlp, args):\n"
        "        if args['step'] == 6:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return kill\n"
    )
    command = [sys.executable, "-m", "spacy", "attn", "train", "mixed.cfg"]
    arguments = ["--output", str(out), "--code", str(code)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([*command, *arguments], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    result = invoke("train", ["mixed.cfg", "--output", str(out), "--resume"])
    assert result.exit_code == 0, result.output
    assert "Going on after step 4" in said(result)
    run_training(Path("mixed.cfg"), tmp_path / "whole")
    same(tmp_path / "whole", out)


def test_after_the_last_step(tmp_path, monkeypatch):
    """Killed before the checkpoint was removed."""
    monkeypatch.setattr(Checkpoint, "remove", lambda self: None)
    run_training(Path("tagger.cfg"), tmp_path / "out")
    before = contents(tmp_path / "out" / DIR_MODEL_LAST)
    about = trained(tmp_path / "out")
    run_training(Path("tagger.cfg"), tmp_path / "out", resume=True)
    assert trained(tmp_path / "out") == about
    assert contents(tmp_path / "out" / DIR_MODEL_LAST) == before


def test_before_the_first_evaluation(tmp_path):
    """There is nothing to go on from: it begins."""
    cut(tmp_path / "out", at=0)
    run_training(Path("tagger.cfg"), tmp_path / "out", resume=True)
    run_training(Path("tagger.cfg"), tmp_path / "whole")
    same(tmp_path / "whole", tmp_path / "out")


def test_between_the_first_evaluation_and_its_checkpoint(tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_training(Path("tagger.cfg"), tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", raise_cut)
        with pytest.raises(Cut):
            run_training(Path("tagger.cfg"), out)
    assert (out / DIR_MODEL_LAST).exists()
    run_training(Path("tagger.cfg"), out, resume=True)
    same(tmp_path / "whole", out)


def test_while_the_checkpoint_is_removed(tmp_path, monkeypatch):
    out = tmp_path / "out"
    rmtree = shutil.rmtree

    def cut_short(path, *args, **kwargs):
        if not (out / "checkpoint/start").exists():
            raise Cut
        rmtree(path, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr("spacy_attnner.workspace.shutil.rmtree", cut_short)
        with pytest.raises(Cut):
            run_training(Path("tagger.cfg"), out)
    assert (out / "checkpoint").exists()
    with pytest.raises(UserError, match="so it is finished"):
        run_training(Path("tagger.cfg"), out, resume=True)
    run_training(Path("tagger.cfg"), out, force=True)
    assert not (out / "checkpoint").exists()


def raise_cut(*args, **kwargs):
    raise Cut


def test_a_training_that_was_cut_off_is_not_lost(tmp_path):
    cut(tmp_path)
    before = contents(tmp_path)
    result = invoke("train", ["tagger.cfg", "--output", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds a training that was cut off after step 4" in said(result)
    assert "--resume" in said(result)
    assert contents(tmp_path) == before
    args = ["tagger.cfg", "--output", str(tmp_path), "--force"]
    assert invoke("train", args).exit_code == 0
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize(
    "name", ["checkpoint/last/weights.ckpt", "model-best/notes.txt", "model-last/x"]
)
def test_others_folders_stay(tmp_path, name):
    own = tmp_path / name
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    for more in ([], ["--resume"], ["--force"]):
        args = ["tagger.cfg", "--output", str(tmp_path), *more]
        result = invoke("train", args)
        assert result.exit_code == 1
        assert f"{tmp_path}/{name.split('/')[0]}" in said(result)
        assert "nothing in it was changed" in said(result) or "--resume" in more
    assert contents(tmp_path) == {name: b"mine"}


def test_nothing_to_go_on_with(tmp_path):
    run_training(Path("tagger.cfg"), tmp_path)
    result = invoke("train", ["tagger.cfg", "--output", str(tmp_path), "--resume"])
    assert result.exit_code == 1
    assert "no training that was cut off" in said(result)


def test_another_config(tmp_path):
    cut(tmp_path)
    args = ["tagger.cfg", "--output", str(tmp_path), "--resume"]
    changes = ["--training.dropout", "0.4", "--corpora.train.augmenter.single", "0.5"]
    result = invoke("train", [*args, *changes])
    assert result.exit_code == 1
    assert "training.dropout was 0.2 and is 0.4" in said(result)
    assert "corpora.train.augmenter.single was 0.3 and is 0.5" in said(result)


@pytest.fixture
def corpus(place):
    """The training documents, which come back at the end."""
    path = place / "train.spacy"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def test_other_annotation(tmp_path, corpus):
    cut(tmp_path)
    docs = list(DocBin().from_disk(corpus).get_docs(spacy.blank("en").vocab))
    docs[3].set_ents([], default="outside")
    DocBin(docs=docs).to_disk(corpus)
    before = contents(tmp_path)
    result = invoke("train", ["tagger.cfg", "--output", str(tmp_path), "--resume"])
    assert result.exit_code == 1
    problem = f"since the training in {tmp_path} began, train.spacy has changed"
    assert problem in said(result)
    assert "begin anew by --force" in said(result)
    assert contents(tmp_path) == before


def test_other_files_of_a_folder(tmp_path, corpus):
    folder = tmp_path / "corpus"
    for name in ("a", "b/c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(corpus, folder / f"{name}.spacy")
    config = make_config("tagger", corpora__train__path=str(folder))
    before = corpus_digests(config)
    assert list(before) == [f"{folder}/a.spacy", f"{folder}/b/c.spacy", "train.spacy"]
    require_unchanged(before, corpus_digests(config), tmp_path)
    (folder / "a.spacy").rename(folder / "d.spacy")
    (folder / "b/c.spacy").write_bytes(b"")
    with pytest.raises(UserError, match="since the training in") as caught:
        require_unchanged(before, corpus_digests(config), tmp_path)
    found = caught.value.problem.partition(" began, ")[2].split(", ")
    assert found == [
        f"{folder}/a.spacy is gone",
        f"{folder}/b/c.spacy has changed",
        f"{folder}/d.spacy is new",
    ]


@registry.readers("tests.Elsewhere")
def create_reader_without_a_path():
    return Corpus("train.spacy")


def test_other_documents_of_a_reader_without_a_path(tmp_path, corpus):
    name = "elsewhere.cfg"
    config = make_config("tagger", training__before_update={"@callbacks": CUT})
    for part in ("train", "dev"):
        config["corpora"][part] = {"@readers": "tests.Elsewhere"}
    config.to_disk(name)
    cut(tmp_path, name)
    lines = SAMPLE.read_text("utf8").splitlines()[3:20]
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(lines), "utf8")
    convert(other, corpus)
    result = invoke("train", [name, "--output", str(tmp_path), "--resume"])
    assert result.exit_code == 1
    assert "the training documents have changed: 5 batches" in said(result)


@pytest.mark.parametrize("file", ["state.json", "arrays.safetensors", "0.bin"])
def test_a_damaged_checkpoint(tmp_path, file):
    cut(tmp_path)
    path = tmp_path / "checkpoint/last" / file
    path.write_bytes(path.read_bytes()[:40])
    result = invoke("train", ["tagger.cfg", "--output", str(tmp_path), "--resume"])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert "checkpoint" in said(result)
    assert "--force" in said(result)


def test_momentum_goes_on_where_a_step_has_no_gradient():
    whole, again = spacy.blank("en"), spacy.blank("en")
    for nlp in (whole, again):
        tagger = nlp.add_pipe("tagger")
        for label in ("N", "V"):
            tagger.add_label(label)
    optimizer, other = whole.initialize(), again.initialize()
    words = {"words": ["Ada", "runs"], "tags": ["N", "V"]}
    example = Example.from_dict(Doc(whole.vocab, words["words"]), words)
    whole.update([example], sgd=optimizer)
    put_state(other, again, *take_state(optimizer, whole))
    nodes = again.get_pipe("tagger").model.walk()
    params = [(node, name) for node in nodes for name in node.param_names]
    updated = [each for each in params if (each[0].id, each[1]) in other.nr_update]
    assert updated
    assert all(node.has_grad(name) for node, name in updated)
    assert not any(node.get_grad(name).any() for node, name in updated)
