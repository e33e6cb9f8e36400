"""Install the packaged pipeline into the running environment.

python scripts/install.py packages packages/installed.json
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from spacy_attnner.atomic import check_file, write_json
from spacy_attnner.errors import UserError
from spacy_attnner.terminal import Commands, msg

app = Commands()
KEYS = {"name", "version", "wheel", "sha256"}


@app.command()
def install_wheel(packages: Path, record: Path) -> dict[str, str]:
    """Install the newest wheel below `packages` and record which one it was.

    record: The JSON file to write, {"name", "version", "wheel", "sha256"}; it is
        removed before pip starts, so that it stands for a completed installation.

    Returns what was recorded. Raises UserError if there is no wheel or pip fails.
    """
    wheels = sorted(packages.rglob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise UserError(
            f"there is no wheel below {packages}",
            "Make it: python -m spacy project run package",
        )
    wheel = wheels[-1]
    try:
        name, version, *_ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise UserError(f"{wheel}: {error}", "Delete it.") from error
    _remove_record(record)
    _pip_install(wheel)
    result = {
        "name": str(name).replace("-", "_"),
        "version": str(version),
        "wheel": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }
    write_json(record, result)
    msg.good(f"Installed {result['name']} {result['version']}")
    return result


def _remove_record(path: Path) -> None:
    """Raises UserError if it is a file that no installation wrote."""
    check_file(path)
    if not path.exists():
        return
    try:
        known = set(json.loads(path.read_text(encoding="utf8"))) == KEYS
    except (OSError, ValueError, TypeError):
        known = False
    if not known:
        raise UserError(
            f"{path} is there and is no record of an installation",
            "Name another file, or delete it.",
        )
    path.unlink()


def _pip_install(wheel: Path) -> None:
    # --no-index: its requirements are what it was trained with
    options = ["--force-reinstall", "--no-deps", "--no-index"]
    patience = ["--disable-pip-version-check", str(wheel)]
    command = [sys.executable, "-m", "pip", "install", *options, *patience]
    if subprocess.run(command).returncode != 0:
        raise UserError(
            f"pip could not install {wheel} (see above)",
            'If pip itself is missing: pip install "spacy-attnner[project]", or '
            "python -m ensurepip.",
        )


if __name__ == "__main__":
    app()
