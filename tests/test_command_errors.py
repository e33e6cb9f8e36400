"""Every command says what is wrong and what to do, and none shows a traceback."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import evaluate
import install
import numpy as np
import pytest
import spacy
import steps
from click.testing import Result
from evaluate import EVALUATIONS
from spacy.tokens import DocBin, Span
from typer.testing import CliRunner

from spacy_attnner import glove, minilm
from spacy_attnner.cli import attn_cli
from spacy_attnner.errors import UserError
from spacy_attnner.fitting import write_pipeline
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.terminal import reported
from spacy_attnner.texts.inputs import STANDARD_INPUT, find_inputs

from .batch.conftest import TOK2VEC
from .commands import SCRIPTS, invoke

# what each command is given; OUT is what it writes, or where
COMMANDS = {
    "begin": "OUT",
    "calibrate": "model dev.spacy OUT --min-entities 1",
    "check": "model --output OUT",
    "choose": "glove OUT",
    "convert": "train.jsonl OUT.spacy",
    "corpus": "corpus/SOURCE.json OUT",
    "encoder": "OUT --wheel in.txt",
    "data": "dev.spacy --json OUT",
    "evaluate": "model dev.spacy -o OUT",
    "evaluate-project": "training corpus OUT",
    "fetch": "OUT --corpus sample",
    "finish": "OUT",
    "init-config": "ner -o OUT.cfg --force",
    "install": "packages OUT",
    "export": "dev.spacy OUT -f doccano --overwrite",
    "explain": "model in.txt -o OUT.jsonl -m leave_one_out",
    "relations": "model in.txt -o OUT.csv",
    "render": "model in.txt -o OUT.svg",
    "report": "model dev.spacy --json OUT",
    "stamp": "OUT corpus/SOURCE.json",
    "thresholds": "model dev.spacy OUT",
    "vectors": "OUT --wheel in.txt",
}
# what grows in its place, and has tests of its own: `training/`, `report/test_card.py`,
# `batch/`, or takes long: `models/test_onnx_encoder.py`
GROWING = {"train", "tune", "crossval", "card", "apply", "onnx"}
ROOT = Path(__file__).parents[1]


def make_model(folder: Path) -> spacy.language.Language:
    nlp = spacy.blank("en")
    tok2vec = {"width": 8, "characters": None}
    tagger = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": TOK2VEC}
    ner = nlp.add_pipe("attn_ner", config={"model": tagger})
    settings = {"model": {"tok2vec": tok2vec}, "known_types_only": False}
    rel = nlp.add_pipe("attn_rel", config={**settings, "threshold": 0.0})
    for label in ("PER", "LOC"):
        ner.add_label(label)  # type: ignore[attr-defined]
    rel.add_label("Lives_In")  # type: ignore[attr-defined]
    nlp.initialize()
    nlp.to_disk(folder)
    return nlp


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with what the commands read."""
    folder = tmp_path_factory.mktemp("made")
    nlp = make_model(folder / "model")
    docs = []
    for doc in map(nlp.make_doc, ["Mira likes Bergen .", "Nils left Oslo ."] * 10):
        doc.ents = ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "LOC")]
        doc[0].is_sent_start = True
        set_relations(doc, [Relation(*ents, "Lives_In", 1.0)])
        docs.append(doc)
    DocBin(docs=docs).to_disk(folder / "dev.spacy")
    (folder / "in.txt").write_text("Mira likes Bergen .\n")
    (folder / "train.jsonl").write_text('{"text": "Mira likes Bergen ."}\n')
    shutil.copytree(folder / "model", folder / "training/en_attnner")
    (folder / "assets/sample").mkdir(parents=True)
    for path in (ROOT / "assets/sample").glob("*.jsonl"):
        lines = path.read_text("utf8").splitlines(keepends=True)[:12]
        (folder / "assets/sample" / path.name).write_text("".join(lines), "utf8")
    shutil.copy(ROOT / "project.yml", folder)
    shutil.copytree(ROOT / "configs", folder / "configs")
    assert run(folder, "fetch", ". --corpus sample").exit_code == 0
    (folder / "corpus/ner").mkdir()
    shutil.copy(folder / "dev.spacy", folder / "corpus/ner/test.spacy")
    (folder / "packages").mkdir()
    (folder / "packages/en_x-1.0-py3-none-any.whl").write_bytes(b"wheel")
    return folder


def run(folder: Path, command: str, args: str) -> Result:
    """Run a command in a folder; what it prints is put on one line."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return invoke(command, args.split(" "))
    finally:
        os.chdir(before)


def extract_nothing(package: minilm.EncoderPackage, _: None, folder: Path) -> None:
    for name in package.files:
        (folder / name).touch()


@pytest.fixture
def place(made, tmp_path, monkeypatch) -> Path:
    """A copy of it to run a command in, without pip and PyPI."""
    shutil.copytree(made, tmp_path / "place")
    quick = [each for each in EVALUATIONS if each.name == "ner_documents"]
    quick = [type(quick[0])(**{**vars(quick[0]), "uncalibrated": ""})]
    monkeypatch.setattr(evaluate, "EVALUATIONS", quick)
    table = np.ones((2, 3), dtype="float32")
    monkeypatch.setattr(glove, "_read", lambda *_: (["a", "b"], table))
    monkeypatch.setattr(minilm, "opened_wheel", lambda *_: nullcontext())
    monkeypatch.setattr(minilm, "_extract", extract_nothing)
    monkeypatch.setattr(install, "_pip_install", lambda wheel: None)
    return tmp_path / "place"


def prepare(place: Path, command: str, out: str) -> str:
    """The arguments of a command whose output has this name."""
    if command == "fetch":
        shutil.copytree(place / "assets", place / out / "assets")
        shutil.copy(place / "project.yml", place / out)
    elif command == "stamp":
        shutil.copytree(place / "model", place / out)
    elif command == "finish":
        assert run(place, "begin", out).exit_code == 0
    return COMMANDS[command].replace("OUT", out)


def said(result: Result) -> str:
    return " ".join(result.output.split())


def is_plain(result: Result) -> bool:
    return isinstance(result.exception, SystemExit) and "Traceback" not in result.output


def test_the_list_is_whole():
    registered = attn_cli.registered_commands
    writing_nothing = {"info", "serve"}
    names = {command.name for command in registered} - writing_nothing
    assert {*names, *SCRIPTS, "begin", "finish"} == {*COMMANDS, *GROWING}
    assert len(steps.app.registered_commands) == 2


def test_the_list_of_commands_fits_a_screen():
    shown = CliRunner().invoke(attn_cli, ["--help"], env={"COLUMNS": "80"}).output
    lines = shown.rstrip("\n").splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) <= 80
    for command in attn_cli.registered_commands:
        (line,) = (line for line in lines if line.split()[:1] == [command.name])
        assert line.endswith(".")
        assert "..." not in line
    for title in ("Data:", "Pipelines:", "Texts:"):
        assert title in lines


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(place, command, monkeypatch):
    """Nothing is written then; where there is room again, all is."""
    args = prepare(place, command, "out")
    before = sorted(place.rglob("*"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        result = run(place, command, args)
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    for part in ("out", "No space left on device", "Make room on the disk"):
        assert part in said(result)
    assert sorted(place.rglob("*")) == before
    result = run(place, command, args)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_cannot_be_written_to(place, command, monkeypatch):
    args = prepare(place, command, "out")
    before = sorted(place.rglob("*"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    result = run(place, command, args)
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert "out" in said(result)
    assert "that you may read and write" in said(result)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"finish", "fetch"}))
def test_a_file_in_place_of_a_folder(place, command):
    (place / "plain").write_text("dear")
    before = sorted(place.rglob("*"))
    result = run(place, command, COMMANDS[command].replace("OUT", "plain/out"))
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert "plain" in said(result)
    assert (place / "plain").read_text() == "dear"
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "damage"),
    [
        ("calibrate", "attn_ner/model"),
        ("thresholds", "attn_rel/model"),
        ("report", "attn_ner/cfg"),
        ("relations", "vocab/strings.json"),
        ("check", "meta.json"),
        ("evaluate", "attn_ner/cfg"),
        ("evaluate-project", "tokenizer"),
    ],
)
def test_a_damaged_model(place, command, damage):
    for model in (place / "model", place / "training/en_attnner"):
        raw = (model / damage).read_bytes()
        (model / damage).write_bytes(raw[: len(raw) // 2])
    result = run(place, command, COMMANDS[command].replace("OUT", "out"))
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert "does not load" in said(result)
    assert not any(place.glob("out*"))


@spacy.Language.component("test_command_fails", assigns=["doc._.relations"])
def fail_on_text(doc):
    return {}[doc[0].text]


@pytest.mark.parametrize(
    "command",
    [
        *("calibrate", "thresholds", "report", "relations", "check", "evaluate"),
        "evaluate-project",
    ],
)
def test_a_pipeline_that_fails_on_texts(place, command):
    for model in (place / "model", place / "training/en_attnner"):
        nlp = spacy.load(model)
        nlp.add_pipe("test_command_fails", first=True)
        nlp.to_disk(model)
    result = run(place, command, COMMANDS[command].replace("OUT", "out"))
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert "fails on the texts: KeyError: 'Mira" in said(result).replace(
        "Maria", "Mira"
    )
    assert not any(place.glob("out*"))


@pytest.mark.parametrize("content", ["", "3", "[]", '["files"]', "\udcff"])
def test_damaged_json(place, content):
    for path, command in (
        ("out/meta.json", "stamp"),
        ("corpus/SOURCE.json", "corpus"),
        ("project.yml", "fetch"),
    ):
        args = "." if command == "fetch" else prepare(place, command, "out")
        (place / path).write_text(content, errors="surrogateescape")
        result = run(place, command, args)
        assert result.exit_code == 1
        assert is_plain(result), result.exception
        assert path.rpartition("/")[2] in said(result)


KINDS_OF_ERRORS = [
    KeyError("vectors"),
    IndexError("list index out of range"),
    RuntimeError("Error(s) in loading state_dict"),
    AttributeError("'list' object has no attribute 'get'"),
    RecursionError("maximum recursion depth exceeded"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
]


@pytest.mark.parametrize(
    "error", KINDS_OF_ERRORS, ids=lambda error: type(error).__name__
)
def test_a_model_that_fails_in_any_way(place, error, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(spacy, "load", fail)
    result = run(place, "check", "model")
    assert is_plain(result), result.exception
    assert "the pipeline 'model' does not load: " in said(result)
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("command", "content"),
    [
        ("calibrate", b"\x80"),
        ("thresholds", b"x\x9c\x03\x00"),
        ("report", b""),
        ("relations", None),
        ("data", b"\x80"),
        ("export", None),
        ("evaluate", None),
        ("evaluate-project", None),
    ],
)
def test_damaged_documents(place, command, content):
    for path in (place / "dev.spacy", place / "corpus/ner/test.spacy"):
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2] if content is None else content)
    args = COMMANDS[command].replace("OUT", "out").replace("in.txt", "dev.spacy")
    result = run(place, command, args)
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert "cannot be read" in said(result)


def test_closed_streams(place, monkeypatch):
    command = f"{sys.executable} -m spacy attn relations model - -o out.csv >&- 2>&-"
    done = subprocess.run(["bash", "-c", command], cwd=place, input=b"Mira .\n")
    assert done.returncode == 0
    assert (place / "out.csv").exists()
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="stdin is closed"):
        find_inputs(STANDARD_INPUT)


SURROGATES = [
    ("in.jsonl", [b'{"text": "Mira likes Bergen ."}', b'{"text": "a\\ud800b"}'] * 2),
    ("in.txt", [b"Mira likes Bergen .", b"a\xed\xa0\x80b"] * 2),
]


@pytest.mark.parametrize(("name", "lines"), SURROGATES, ids=["jsonl", "txt"])
def test_a_text_with_half_of_a_surrogate_pair(place, name, lines):
    """It counts as an empty one; those before and after it are read."""
    (place / name).write_bytes(b"\n".join(lines))
    n = "2" if name == "in.txt" else "1"
    result = run(place, "relations", f"model {name} -o out.jsonl -p {n}")
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    for line in (2, 4):
        assert rf"{name}:{line}: the text holds '\ud800'" in said(result)
    assert "of 4 documents" in said(result)
    assert "2 texts could not be read" in said(result)
    assert (place / "out.jsonl").exists()


def test_the_texts_after_it_are_read(place):
    lines = [json.dumps({"text": text}) for text in ("\udfff", "Mira likes Bergen .")]
    (place / "in.jsonl").write_text("\n".join(lines))
    run(place, "relations", "model in.jsonl -o out.jsonl -t 0")
    alone = [json.dumps({"text": text}) for text in ("", "Mira likes Bergen .")]
    (place / "in.jsonl").write_text("\n".join(alone))
    assert run(place, "relations", "model in.jsonl -o b.jsonl -t 0").exit_code == 0
    assert (place / "out.jsonl").read_bytes() == (place / "b.jsonl").read_bytes()


def test_a_folder_of_texts_with_one_that_is_unreadable(place):
    (place / "texts").mkdir()
    (place / "texts/a.txt").write_bytes(b"one\n\xed\xbf\xbf")
    (place / "texts/b.txt").write_text("Mira likes Bergen .")
    result = run(place, "relations", "model texts -o out.csv")
    assert "a.txt: the text holds" in said(result)
    assert "of 2 documents" in said(result)
    assert result.exit_code == 1


def test_a_corpus_with_half_of_a_surrogate_pair_names_the_line(place):
    """Annotation is not passed over in silence."""
    (place / "in.jsonl").write_text('{"text": "a"}\n{"text": "a\\ud800"}\n')
    result = run(place, "convert", "in.jsonl out.spacy")
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert "in.jsonl:2" in said(result)


def test_a_command_that_is_cut_off_by_head_is_no_error():
    with pytest.raises(BrokenPipeError), reported():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


# outputs that would take away something else; OUT of each command, and what it says
@pytest.mark.parametrize(
    ("command", "args", "problem"),
    [
        ("calibrate", "model dev.spacy training", "training is there and is no pip"),
        ("calibrate", "model dev.spacy .", "is no pipeline"),
        ("calibrate", "model dev.spacy model/better", "lies inside model"),
        ("thresholds", "model dev.spacy dev.spacy", "is no pipeline"),
        ("vectors", "corpus --wheel in.txt", "is there and is no pipeline"),
        ("encoder", "model --wheel in.txt", "is there and holds other things"),
        ("encoder", ". --wheel in.txt", ". lies around in.txt"),
        ("convert", "train.jsonl train.jsonl", "name it so"),
        ("convert", "dev.spacy dev.spacy -f jsonl", "holds the corpus"),
        ("report", "model dev.spacy --json dev.spacy", "holds the documents"),
        ("data", "dev.spacy --json dev.spacy", "holds the documents"),
        ("data", "dev.spacy dev.spacy --html corpus", "is a folder"),
        ("data", "corpus/ner --json o --html ./o", "are both"),
        ("evaluate", "model dev.spacy -o model/scores.json", "lies inside model"),
        ("evaluate", "model dev.spacy -o dev.spacy", "holds the documents"),
        ("init-config", "-d dev.spacy -o dev.spacy -F -l en", "holds the documents"),
        ("report", "model dev.spacy --html model/page.html", "lies inside model"),
        ("report", "model dev.spacy --json o --html ./o", "are both"),
        ("relations", "model in.txt -o in.txt -f csv", "holds the texts"),
        ("export", "dev.spacy dev.spacy -f jsonl -F", "holds the texts"),
        ("export", "dev.spacy model/out -f jsonl -m model", "lies inside model"),
        ("export", "dev.spacy training -f brat -F", "is there and was not exported"),
        ("export", "dev.spacy in.txt -f jsonl", "in.txt is there"),
        ("relations", "model texts -o texts/out.csv", "lies inside texts"),
        ("relations", "model in.txt -o model/out.csv", "lies inside model"),
        ("check", "model --output model/meta.json", "lies inside model"),
        ("check", "model --output /dev/null", "is no ordinary file"),
        ("report", "model dev.spacy --html /dev/null", "is no ordinary file"),
        ("convert", "train.jsonl fifo.spacy", "is no ordinary file"),
        ("init-config", "ner -o dev.spacy", "dev.spacy is there"),
        ("init-config", "ner -o model", "is a folder"),
        ("init-config", "ner -v model -o model/o.cfg -F", "lies inside model"),
        ("init-config", "ner -o /dev/null -F", "is no ordinary file"),
        ("install", "packages dev.spacy", "is no record of an installation"),
        ("begin", "training", "holds what no step made: en_attnner"),
        ("begin", "packages", "holds what no step made"),
    ],
)
def test_what_is_not_the_commands_stays(place, command, args, problem):
    os.mkfifo(place / "fifo.spacy")
    (place / "texts").mkdir()
    (place / "texts/a.txt").write_text("Mira .")
    before = contents(place)
    result = run(place, command, args)
    assert result.exit_code == 1
    assert is_plain(result), result.exception
    assert problem in said(result)
    assert contents(place) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


# names that the commands once took for their own
@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"begin", "finish"}))
def test_neighbours_of_an_output_stay(place, command):
    args = prepare(place, command, "out")
    for name in ("out.old", "out.partial", ".out.deleted", ".pip.x", "packages/mine"):
        (place / name).mkdir()
        (place / name / "letter.txt").write_text("dear")
    if command in ("corpus", "evaluate-project"):
        (place / "out/ner").mkdir(parents=True)
        (place / "out/ner/letter.txt").write_text("dear")
    before = contents(place)
    for _ in range(2):
        result = run(place, command, args)
        assert result.exit_code == 0, result.output
    after = contents(place)
    changed = {name for name in before if after.get(name, "gone") != before[name]}
    assert changed <= {"out/meta.json", "out/config.cfg"}  # stamp
    assert not [name for name in after if ".attn" in name]


def test_a_killed_command_is_cleaned_up_by_the_next(place):
    before = contents(place)
    process = os.fork()
    if not process:
        nlp = spacy.blank("en")
        nlp.to_disk = lambda path: os.kill(os.getpid(), signal.SIGKILL)
        write_pipeline(nlp, place / "model")
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL
    assert len([name for name in os.listdir(place) if name.endswith(".attn")]) == 1
    args = "model dev.spacy model --min-entities 1000"
    assert run(place, "calibrate", args).exit_code == 0
    assert set(contents(place)) == set(before)
