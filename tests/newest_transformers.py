"""Whether pretrained encoders work with the oldest and the newest transformers.

    python tests/newest_transformers.py [VERSION ...]

Each VERSION, such as "4.48.*" or ">=5,<6", gets an environment of its own in a
temporary folder: transformers with the tokenizers and huggingface_hub that it asks
for, from PyPI; everything else is the environment that this is run in. The suite's
transformer part runs there, and a line says what passed; the exit code is 1 where
something failed.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("4.48.*", ">=5,<6")
TESTS = (
    "tests/layers/test_piece_encoder.py",
    "tests/models/test_transformer_encoder.py",
    "tests/models/test_word_pieces.py",
)
SHOW = """
from importlib.metadata import version
names = "transformers", "tokenizers", "huggingface_hub"
print(", ".join(f"{name} {version(name)}" for name in names))
"""


def make_environment(folder: Path, version: str) -> Path:
    """A Python that sees this transformers before what is installed here.

    Raises CalledProcessError if pip cannot get it.
    """
    venv.create(folder, symlinks=os.name != "nt")
    where = {"base": str(folder), "platbase": str(folder)}
    scheme = sysconfig.get_default_scheme()
    own = Path(sysconfig.get_path("purelib", scheme, where))
    (own / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = Path(sysconfig.get_path("scripts", scheme, where)) / "python"
    wanted = version if version[0] in "<>=!~" else f"=={version}"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    options = ["--quiet", "--disable-pip-version-check", f"transformers{wanted}"]
    subprocess.run([*command, *options], check=True)
    return python


def run_tests(python: Path) -> tuple[bool, str]:
    """Whether the tests passed, and pytest's last line; shows all of it if not."""
    options = ["--import-mode=importlib", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [str(python), "-m", "pytest", *options, *TESTS],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    passed = result.returncode == 0
    if not passed:
        sys.stderr.write(result.stdout + result.stderr)
    return passed, (result.stdout.strip() or "nothing ran").splitlines()[-1]


def main(versions: list[str]) -> int:
    """Returns the number of versions with which something failed."""
    if find_spec("spacy_transformers"):
        raise SystemExit(
            "spacy-transformers is installed here and wants another transformers: run "
            "this in the environment that `make test` makes"
        )
    failed = 0
    for version in versions or VERSIONS:
        with tempfile.TemporaryDirectory() as folder:
            python = make_environment(Path(folder), version)
            shown = subprocess.run(
                [str(python), "-c", SHOW], capture_output=True, text=True, check=True
            )
            passed, line = run_tests(python)
            failed += not passed
            verdict = "passed" if passed else "failed"
            sys.stdout.write(f"{shown.stdout.strip()}: {verdict} ({line})\n")
            sys.stdout.flush()
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]) > 0)
