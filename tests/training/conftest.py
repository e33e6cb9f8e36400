from pathlib import Path

import pytest

from spacy_attnner.corpora.conversion import convert
from tests.tiny_encoders import make_encoder

SAMPLE = Path(__file__).parents[2] / "assets/sample/train.jsonl"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with what the configs of `trainings` name."""
    folder = tmp_path_factory.mktemp("trainings")
    lines = SAMPLE.read_text("utf8").splitlines()[:12]
    (folder / "train.jsonl").write_text("\n".join(lines), "utf8")
    convert(folder / "train.jsonl", folder / "train.spacy")
    make_encoder(folder / "encoder")
    return folder
