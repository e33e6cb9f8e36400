"""The path of the real corpora, with few steps; needs the corpora."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from corpus import make_corpora
from fetch import fetch
from spacy.vectors import Vectors

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data"
FEW_STEPS = ("--training.max_steps", "24", "--training.eval_frequency", "12")

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the corpora are not beside the repository"
)


def run(*args: str | Path, cwd: Path) -> None:
    """Run a spaCy command and show what it printed if it failed."""
    command = [sys.executable, "-m", "spacy", *map(str, args)]
    result = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with fetched and converted corpora and small vectors."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "project.yml").write_bytes((ROOT / "project.yml").read_bytes())
    (folder / "assets").mkdir()
    (folder / "assets/sample").symlink_to(ROOT / "assets/sample")
    fetch(folder, "conll", str(DATA))
    make_corpora(folder / "corpus/SOURCE.json", folder / "corpus", folder)
    nlp = spacy.blank("en")
    nlp.vocab.vectors = Vectors(shape=(2, 5), name="two", strings=nlp.vocab.strings)
    for row, word in enumerate(("the", "of")):
        nlp.vocab.vectors.add(word, row=row)
    nlp.to_disk(folder / "vectors")
    return folder


@pytest.mark.parametrize(
    ("config", "data"),
    [
        ("ner", "ner"),
        ("rel", "rel"),
        ("textcat", "sentiment"),
        ("textcat", "questions"),
    ],
)
def test_configs_train_on_the_real_corpora(folder, config, data) -> None:
    run(
        *("train", ROOT / f"configs/{config}.cfg", "--output", f"training/{data}"),
        *("--paths.train", f"corpus/{data}/train.spacy"),
        *("--paths.dev", f"corpus/{data}/dev.spacy", "--paths.vectors", "vectors"),
        *FEW_STEPS,
        cwd=folder,
    )
    meta = json.loads((folder / f"training/{data}/model-last/meta.json").read_text())
    assert meta["performance"]
    nlp = spacy.load(folder / f"training/{data}/model-last")
    assert all(nlp.pipe_labels[name] for name in nlp.pipe_names if name != "tok2vec")
