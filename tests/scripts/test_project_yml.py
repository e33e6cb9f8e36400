"""`project.yml` fits together: commands, inputs and outputs, addresses."""

import importlib
import importlib.metadata
import shlex
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from confection import Config
from corpus import PARTS
from source import read_assets
from spacy.cli import app
from weasel.cli.run import project_run
from weasel.util.config import load_project_config

import spacy_attnner.cli  # noqa: F401

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data"
STEPS = [
    "fetch",
    "vectors",
    "encoder",
    "corpus",
    "train-joint",
    "calibrate",
    "train-questions",
    "describe",
    "evaluate",
    "report",
    "package",
    "install",
    "check",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "project.yml", tmp_path)
    for folder in ("assets/sample", "configs", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def config(project: Path) -> dict:
    return load_project_config(project)


def test_all_runs_every_step_in_order(config):
    assert [command["name"] for command in config["commands"]] == STEPS
    assert config["workflows"] == {"all": STEPS}
    assert all(command["outputs"] and command["help"] for command in config["commands"])


def scripts() -> list[list[str]]:
    import srsly

    commands = srsly.read_yaml(ROOT / "project.yml")["commands"]
    return [shlex.split(line) for command in commands for line in command["script"]]


def command_of(line: list[str]) -> tuple[Any, list[str]]:
    """The command that a line runs, and its arguments."""
    if line[1] == "-m":
        assert line[:3] == ["python", "-m", "spacy"]
        return typer.main.get_command(app), line[3:]
    folder, _, name = line[1].partition("/")
    assert (line[0], folder) == ("python", "scripts")
    module = importlib.import_module(name.removesuffix(".py"))
    return typer.main.get_command(module.app), line[2:]


@pytest.mark.parametrize("line", scripts(), ids=lambda line: " ".join(line[1:6]))
def test_scripts_name_commands_and_options_that_exist(line):
    command, words = command_of(line)
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"no command {name}"
        command = command.commands[name]
    options = {name for param in command.params for name in param.opts}
    overridable = command.context_settings.get("ignore_unknown_options")
    for word in words:
        if word.startswith("--"):
            assert word in options or (overridable and "." in word)


def test_steps_read_what_earlier_steps_write(config):
    made: set[str] = set()
    for command in config["commands"]:
        for dep in command.get("deps", []):
            assert dep in made or (ROOT / dep).exists(), f"{command['name']}: {dep}"
        made.update(command["outputs"])
        made.update(f"{folder}/meta.json" for folder in command["outputs"])


def test_steps_depend_on_their_configs_and_scripts(config):
    """But for those that every training shares."""
    for command in config["commands"]:
        for line in command["script"]:
            words = shlex.split(line)
            used = {word for word in words if word.endswith((".cfg", ".py"))}
            used -= {"scripts/steps.py", "scripts/stamp.py"}
            assert used <= set(command.get("deps", []))


def test_interrupted_trainings_leave_no_output(config):
    for command in config["commands"]:
        if command["name"].startswith("train-") or command["name"] == "describe":
            first, middle, *_, last = command["script"]
            folder = shlex.split(first)[3]
            assert first.startswith("python scripts/steps.py begin ")
            assert f"{folder}.partial" in shlex.split(middle)
            assert shlex.split(last)[2:4] == ["finish", folder]
            assert command["outputs"][0].startswith(folder)


def test_values_reach_the_scripts(project):
    overrides = {"gpu": 0, "mirror": "a b", "version": "2.0", "encoder": "my own"}
    overrides = {f"vars.{name}": value for name, value in overrides.items()}
    config = load_project_config(project, overrides=overrides)
    script = {command["name"]: command["script"] for command in config["commands"]}
    assert shlex.split(script["fetch"][0])[-1] == "a b"
    assert "my own" in shlex.split(script["encoder"][0])
    assert "--gpu-id 0 " in script["train-joint"][1]
    assert "en_attnner-2.0-py3-none-any.whl" in script["package"][2]


def test_an_empty_mirror_stays_an_argument(config):
    assert shlex.split(config["commands"][0]["script"][0])[-2:] == ["--mirror", ""]


def test_version_is_the_package_s(config):
    assert config["vars"]["version"] == importlib.metadata.version("spacy-attnner")


def test_assets_are_pinned():
    for asset in read_assets(ROOT):
        *_, commit, path = asset.url.split("/", 6)[3:]
        assert asset.url.startswith("https://raw.githubusercontent.com/")
        assert len(commit) == 40
        assert Path(path).name == Path(asset.dest).name
        assert len(asset.sha256) == 64
        assert asset.size is not None


def test_corpus_reads_the_assets():
    read = {file for part in PARTS["conll"].values() for file in part.files.values()}
    assert read == {asset.dest for asset in read_assets(ROOT)}


@pytest.mark.skipif(not DATA.is_dir(), reason="no copy of the corpora beside the clone")
def test_assets_are_the_known_files():
    known = (DATA / "README.md").read_text(encoding="utf8")
    for asset in read_assets(ROOT):
        assert asset.md5 in known
        content = (DATA / asset.relative).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (asset.size, asset.sha256)
        for part in asset.url.split("/", 6)[3:6]:
            assert part in known


def test_another_encoder_runs_the_trainings_again(project, capfd, monkeypatch):
    """And the same one does not; word vectors alone fetch nothing."""
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # it would hide what is beside a script
    chosen = project / "training/configs"
    (project / "own").mkdir()
    ran = []
    for encoder in ("glove", "glove", "own", "glove"):
        project_run(project, "encoder", overrides={"vars.encoder": encoder})
        ran.append("Running command" in capfd.readouterr().out)
        given = Config().from_disk(chosen / "joint.cfg")["paths"].get("encoder")
        assert given == (None if encoder == "glove" else encoder)
    assert ran == [True, False, True, True]
    assert not (project / "assets/minilm").exists()


def test_a_finished_step_is_skipped(project, capfd, monkeypatch):
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # it would hide what is beside a script
    for _ in range(2):
        project_run(project, "fetch", overrides={"vars.corpus": "sample"})
    shown = capfd.readouterr().out
    assert shown.count("Running command") == 1
    assert "Skipping 'fetch'" in shown
