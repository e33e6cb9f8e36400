"""What loggers write of a training, read back; trackers that fail."""

import importlib
import io
import json
import os
import struct
import sys
from pathlib import Path

import pytest
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import registry
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from thinc.api import Config

from spacy_attnner.training.loggers import RETRIES
from tests.training.trainings import make_config

README = Path(__file__).parents[2] / "README.md"
TRACKERS = "spacy-attnner.Trackers.v1"
STEPS = [0, 4, 8, 12]


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)


def run(logger):
    """Train; returns what the console logger printed."""
    nlp = init_nlp(make_config("tagger", training__logger=logger))
    out = io.StringIO()
    train(nlp, None, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def tracked(**trackers):
    return run({"@loggers": TRACKERS, "progress_bar": False, "trackers": trackers})


def rows_of(printed):
    """The scores in percent that were printed, by step."""
    rows = [line.split() for line in printed.splitlines()]
    return {
        int(row[1]): float(row[3]) for row in rows if len(row) == 7 and row[0].isdigit()
    }


def test_tensorboard(tmp_path):
    printed = tracked(
        board={"logger": "spacy-attnner.TensorBoardLogger.v1", "folder": str(tmp_path)}
    )
    found = EventAccumulator(str(tmp_path)).Reload()
    scores = {each.step: each.value for each in found.Scalars("scores/ents_f")}
    assert list(scores) == STEPS
    assert rows_of(printed) == pytest.approx(
        {step: 100 * score for step, score in scores.items()}, abs=0.01
    )
    assert {"score", "loss/attn_ner", "epoch"} <= set(found.Tags()["scalars"])
    assert any("ents_per_type" in name for name in found.Tags()["scalars"])
    (config,) = found.Tensors("config/text_summary")
    assert "max_steps = 12" in str(config.tensor_proto.string_val[0], "utf8")


def test_tensorboard_alone(tmp_path):
    logger = {
        "@loggers": "spacy-attnner.TensorBoardLogger.v1",
        "folder": str(tmp_path),
        "log_config": False,
    }
    run(logger)
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [each.step for each in found.Scalars("score")] == STEPS
    assert not found.Tags()["tensors"]


def test_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    tracked(flow={"logger": "spacy.MLflowLogger.v2", "run_name": "one"})
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (found,) = client.search_runs(["0"])
    assert found.info.run_name == "one"
    history = client.get_metric_history(found.info.run_id, "score")
    assert len(history) == len(STEPS)  # spacy-loggers tells MLflow no step


def test_mlflow_without_a_server(monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.delenv(RETRIES, raising=False)
    with pytest.warns(UserWarning, match="goes on without it"):
        printed = tracked(flow={"logger": "spacy.MLflowLogger.v2"})
    assert list(rows_of(printed)) == STEPS
    assert os.environ[RETRIES] == "1"


def wandb_records(path):
    """The records of a run that was logged offline, a log like LevelDB's."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), 7, b""
    while at < len(data):
        left = -at % 32768
        if 0 < left < 7:  # no room for a header
            at += left
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def test_wandb_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    tracked(bias={"logger": "spacy.WandbLogger.v5", "project_name": "tests"})
    importlib.import_module("wandb").teardown()  # its own process writes the records
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    scores = [
        json.loads(item.value_json)
        for record in wandb_records(path)
        for item in record.history.item
        if "score" in (item.key, *item.nested_key)
    ]
    assert len(scores) == len(STEPS)
    assert all(0.0 <= score <= 1.0 for score in scores)


def test_wandb_without_a_key(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    wandb = pytest.importorskip("wandb")
    wandb.teardown()  # it remembers the settings of its first run
    with pytest.warns(UserWarning, match="goes on without it"):
        printed = tracked(
            bias={"logger": "spacy.WandbLogger.v5", "project_name": "tests"}
        )
    assert list(rows_of(printed)) == STEPS


class Terminal(io.StringIO):
    """Where somebody could be asked, who must not be."""

    def isatty(self):
        return True

    def readline(self, *_):
        raise AssertionError("somebody is asked")

    read = __iter__ = __next__ = readline


def test_wandb_without_a_key_asks_nobody(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    wandb.teardown()
    for name, value in (("MODE", "online"), ("DIR", tmp_path), ("SILENT", "false")):
        monkeypatch.setenv(f"WANDB_{name}", str(value))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for name in ("stdin", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    with pytest.warns(UserWarning, match="API key") as caught:
        printed = tracked(
            bias={"logger": "spacy.WandbLogger.v5", "project_name": "tests"}
        )
    assert len(caught) == 1
    assert isinstance(sys.stdin, Terminal)
    assert list(rows_of(printed)) == STEPS


@pytest.mark.parametrize("missing", ["tensorboard", "wandb", "mlflow"])
def test_a_tracker_without_its_package(missing, monkeypatch, tmp_path):
    module = "torch.utils.tensorboard" if missing == "tensorboard" else missing
    monkeypatch.setitem(sys.modules, module, None)
    settings = {
        "tensorboard": {
            "logger": "spacy-attnner.TensorBoardLogger.v1",
            "folder": str(tmp_path),
        },
        "wandb": {"logger": "spacy.WandbLogger.v5", "project_name": "none"},
        "mlflow": {"logger": "spacy.MLflowLogger.v2"},
    }
    with pytest.warns(UserWarning, match="goes on without it") as caught:
        printed = tracked(mine=settings[missing])
    assert len(caught) == 1
    assert f"the tracker 'mine' ({settings[missing]['logger']})" in str(
        caught[0].message
    )
    assert list(rows_of(printed)) == STEPS


@pytest.mark.parametrize("when", ["setup", "step", "end"])
def test_a_tracker_that_fails(when):
    calls = []

    def create_failing():
        def setup(nlp, stdout, stderr):
            if when == "setup":
                raise ConnectionError("no network")

            def log_step(info):
                calls.append(info)
                if when == "step":
                    raise ConnectionError("no network")

            def finalize():
                calls.append("end")
                if when == "end":
                    raise ConnectionError("no network")

            return log_step, finalize

        return setup

    registry.loggers.register("tests.Failing.v1", func=create_failing)
    with pytest.warns(UserWarning, match="no network") as caught:
        printed = tracked(mine={"logger": "tests.Failing.v1"})
    assert len(caught) == 1
    assert len(calls) == {"setup": 0, "step": 1, "end": 14}[when]
    assert list(rows_of(printed)) == STEPS


def test_the_readme_s_example():
    text = README.read_text("utf8").partition("[training.logger]\n")[2]
    block = Config().from_str(
        "[logger]\n" + text.partition("```")[0].replace("[training.", "[")
    )
    assert list(block["logger"]["trackers"]) == ["board", "wandb"]
    registry.resolve(block)


def test_a_tracker_that_names_no_logger():
    with pytest.raises(Exception, match="the tracker 'mine' names no logger"):
        tracked(mine={"project_name": "none"})
