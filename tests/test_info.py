"""`spacy attn info`."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli
from spacy_attnner.crf import compiled, kernel
from spacy_attnner.layers import recurrence as recurrences


@pytest.fixture(params=["as it is", "in PyTorch"])
def rows(request, monkeypatch):
    """What is shown, by name."""
    if request.param == "in PyTorch":
        monkeypatch.setenv(compiled.VARIABLE, "torch")
        monkeypatch.setenv(recurrences.VARIABLE, "torch")
    for function in (compiled._find, kernel._find, recurrences._find):
        function.cache_clear()
    result = CliRunner().invoke(attn_cli, ["info"])
    for function in (compiled._find, kernel._find, recurrences._find):
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
        assert found["CRF"] == "in PyTorch (SPACY_ATTNNER_CRF=torch)"
        assert found["CRF of models on a GPU"].endswith("(SPACY_ATTNNER_CRF=torch)")
        assert found["LSTM of a few texts"] == "in PyTorch (SPACY_ATTNNER_LSTM=torch)"
    elif compiled.loop() is not None:
        assert found["CRF"] == f"compiled ({compiled.extension_state()})"


def test_a_variable_that_says_nothing(monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, "cython")
    result = CliRunner().invoke(attn_cli, ["info"])
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert "SPACY_ATTNNER_CRF is 'cython': set it to torch" in output
