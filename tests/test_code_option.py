"""`--code`: the Python file with the functions of a pipeline, before it is loaded."""

import pytest

from .commands import invoke


@pytest.mark.parametrize(
    ("command", "n_paths"),
    [
        ("calibrate", 3),
        ("card", 1),
        ("evaluate", 2),
        ("explain", 2),
        ("onnx", 2),
        ("render", 2),
        ("report", 2),
        ("thresholds", 3),
    ],
)
def test_registered_functions_are_imported_first(command, n_paths, tmp_path):
    code = tmp_path / "functions.py"
    code.write_text("raise SystemExit('imported')")
    output = ["-o", str(tmp_path / "out.html")] if command == "render" else []
    paths = [str(tmp_path / f"none{i}") for i in range(n_paths)]
    result = invoke(command, [*paths, *output, "--code", str(code)])
    assert "imported" in str(result.exception)
