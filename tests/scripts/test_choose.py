"""The configs of a run, for the encoder that it is asked for."""

import json
from pathlib import Path

import choose
import pytest
from confection import Config

from spacy_attnner.errors import UserError
from spacy_attnner.minilm import META, MINILM

PLAIN = "# word vectors\n[paths]\ntrain = null\n"
PRETRAINED = """
# fine-tuned
[paths]
train = null
encoder = null

[model]
name = ${paths.encoder}
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with four configs, without PyPI."""
    (tmp_path / "configs").mkdir()
    for part in ("joint", "textcat"):
        (tmp_path / f"configs/{part}.cfg").write_text(PLAIN + part + " = 1\n")
        (tmp_path / f"configs/{part}_trf.cfg").write_text(PRETRAINED + part + " = 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "make_encoder", make_encoder)
    return tmp_path


def make_encoder(folder: Path, *, cache: Path | None) -> None:
    assert cache == Path("assets/encoder")
    folder.mkdir(parents=True, exist_ok=True)
    source = {"name": MINILM.title, "license": MINILM.licence}
    (folder / META).write_text(json.dumps({"sources": [source]}))


def chosen(encoder: str, place: Path) -> dict[str, str]:
    """What is chosen, by the name of the file."""
    choose.choose(encoder, Path("out"), cache=Path("assets/encoder"))
    return {path.name: path.read_text("utf8") for path in (place / "out").iterdir()}


def test_without_a_pretrained_encoder_they_are_those_of_the_repository(place):
    files = chosen("glove", place)
    assert json.loads(files.pop(META)) == {"encoder": "glove", "sources": []}
    for name, content in files.items():
        assert content == (place / "configs" / name).read_text("utf8")
    assert len(files) == 2
    assert not (place / "assets").exists()


def test_minilm_is_fetched(place):
    files = chosen("minilm", place)
    (source,) = json.loads(files.pop(META))["sources"]
    assert source == {"name": MINILM.title, "license": "Apache-2.0"}
    for name, content in files.items():
        config = Config().from_str(content)
        assert config["model"]["name"] == "assets/minilm"
        assert config["model"][name.removesuffix(".cfg")] == 2
        assert "name = ${paths.encoder}" in content


def test_another_encoder_by_its_name(place):
    files = chosen("somebody/large", place)
    assert json.loads(files[META])["sources"] == [{"name": "somebody/large"}]
    config = Config().from_str(files["joint.cfg"])
    assert config["paths"]["encoder"] == "somebody/large"
    assert not (place / "assets").exists()


def test_choosing_again_replaces(place):
    chosen("minilm", place)
    assert "glove" in chosen("glove", place)[META]


def test_what_is_missing_or_damaged(place):
    (place / "configs/joint_trf.cfg").write_text("[paths")
    (place / "configs/textcat.cfg").unlink()
    for encoder, said in (
        ("minilm", "joint_trf.cfg cannot"),
        ("glove", "textcat.cfg is"),
    ):
        with pytest.raises(UserError, match=said):
            chosen(encoder, place)
    assert not (place / "out").exists()


def test_other_folders_are_not_replaced(place):
    (place / "out").mkdir()
    (place / "out/joint.cfg").write_text("dear")
    with pytest.raises(UserError, match="holds other things"):
        chosen("glove", place)
    assert (place / "out/joint.cfg").read_text() == "dear"
