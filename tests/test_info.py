"""`spacy attn info`."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from spacy_attnner import native
from spacy_attnner.cli import attn_cli
from spacy_attnner.crf import kernel


@pytest.fixture(params=["as it is", "in PyTorch"])
def rows(request, monkeypatch):
    """What is shown, by name."""
    if request.param == "in PyTorch":
        monkeypatch.setenv(native.VARIABLE, "1")
    for function in (native._find, kernel._find):
        function.cache_clear()
    result = CliRunner().invoke(attn_cli, ["info"])
    for function in (native._find, kernel._find):
        function.cache_clear()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) < 24
    return dict(line.split("  ", 1) for line in lines), request.param


def test_info(rows):
    found, where = rows
    found = {name: value.strip() for name, value in found.items()}
    for name in ("spacy-attnner", "spacy", "torch"):
        assert found[name] == version(name)
    if where == "in PyTorch":
        for name in ("CRF", "LSTM", "document context", "pairs"):
            assert found[name] == "in PyTorch (SPACY_ATTNNER_TORCH=1)"
        assert found["CRF of models on a GPU"].endswith("(SPACY_ATTNNER_TORCH=1)")
    elif native.extension("crf._loop") is not None:
        state = native.extension_state("crf._loop")
        assert found["CRF"] == f"compiled ({state})"


def test_a_variable_that_says_nothing(monkeypatch):
    monkeypatch.setenv(native.VARIABLE, "cython")
    result = CliRunner().invoke(attn_cli, ["info"])
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert "SPACY_ATTNNER_TORCH is 'cython': set it to 1" in output
