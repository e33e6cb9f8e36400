"""The command: what is wrong before the first request, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import spacy
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli
from spacy_attnner.errors import UserError
from spacy_attnner.serving import start

from .conftest import eventually

SLOW = """
import os, time
from spacy.language import Language

@Language.component("test_serving_slow")
def slow(doc):
    open("reading", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return doc
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    spacy.blank("en").to_disk(tmp_path / "model")
    return str(tmp_path / "model")


def said(*args: str) -> str:
    result = CliRunner().invoke(attn_cli, ["serve", *args])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_a_port_that_is_taken(model):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        output = said(model, "--port", port)
    assert f"127.0.0.1:{port} cannot be listened at: Address already in use" in output
    assert "Name another" in output


def test_a_host_that_is_none(model):
    assert "the host 'no.such.host.invalid' has no address" in said(
        model, "--host", "no.such.host.invalid"
    )
    assert "203.0.113.9:8000 cannot be listened at" in said(
        model, "--host", "203.0.113.9"
    )


def test_a_model_that_is_none(tmp_path):
    assert "is neither a folder nor an installed package" in said("no_such_model")
    (tmp_path / "empty").mkdir()
    assert "does not load" in said(str(tmp_path / "empty"), "--port", "0")


def test_packages_that_are_missing(monkeypatch, model):
    monkeypatch.setattr(start, "NEEDED", ("fastapi", "no_such_package"))
    output = said(model)
    assert "serving needs no_such_package, which is not installed" in output
    assert 'python -m pip install "spacy-attnner[serve]"' in output


def test_the_port_is_held_while_the_pipeline_loads():
    first = start.open_socket("127.0.0.1", 0)
    with first, pytest.raises(UserError, match="cannot be listened at"):
        start.open_socket("127.0.0.1", first.getsockname()[1])


def test_what_waits_is_answered_at_the_end(tmp_path):
    """The command as a whole: from its start to a signal while a text is read."""
    (tmp_path / "slow.py").write_text(SLOW)
    exec(SLOW)
    nlp = spacy.blank("en")
    nlp.add_pipe("test_serving_slow")
    nlp.to_disk(tmp_path / "model")
    command = "-m spacy attn serve model --code slow.py --port 0 --patience-ms 0"
    with subprocess.Popen(
        [sys.executable, *command.split()],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        found = (re.search(r"http://[\d.:]+", line) for line in lines)
        url = next(filter(None, found))[0]
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
            texts: list[str] = []

            def ask(text: str) -> None:
                answer = client.post("/parse", json={"text": text})
                texts.append(answer.json()["text"])

            threads = [threading.Thread(target=ask, args=(text,)) for text in "ab"]
            threads[0].start()
            eventually((tmp_path / "reading").exists)
            threads[1].start()
            eventually(lambda: client.get("/health").json()["waiting_texts"] == 1)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            (tmp_path / "go").touch()
            for thread in threads:
                thread.join()
        rest = process.stdout.read()
        process.wait(60)
    assert sorted(texts) == ["a", "b"]
    assert "Traceback" not in rest
    assert process.returncode in (0, -signal.SIGTERM)
