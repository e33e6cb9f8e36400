"""What a pipeline says of its own making."""

import json

import pytest
import stamp
from confection import Config
from source import SOURCE_FILE

CONFIG = """
[paths]
train = null
[training]
path = ${paths.train}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    source = {
        "corpus": "sample",
        "name": "invented",
        "description": "Invented.",
        "licence": "CC0-1.0",
        "sources": [{"name": "corpus"}],
        "files": {},
        "card": {"intended_use": "None.", "limits": "All."},
    }
    for name, content in {
        SOURCE_FILE: source,
        "model/meta.json": {"pipeline": ["attn_ner"]},
        "vectors/meta.json": {"sources": [{"name": "vectors"}]},
        "glove/meta.json": {"encoder": "glove", "sources": []},
        "minilm/meta.json": {"encoder": "minilm", "sources": [{"name": "encoder"}]},
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "model/config.cfg").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("encoder", ["glove", "minilm"])
def test_sources_and_requirements(place, encoder):
    stamp.stamp(
        place / "model",
        place / SOURCE_FILE,
        vectors=place / "vectors",
        encoder=place / encoder,
        name="mine",
    )
    meta = json.loads((place / "model/meta.json").read_text("utf8"))
    assert meta["name"] == "mine"
    pretrained = encoder == "minilm"
    names = ["corpus", "vectors", *["encoder"] * pretrained]
    assert [source["name"] for source in meta["sources"]] == names
    required = meta.get("requirements", [])
    assert len(required) == pretrained
    assert all(each.startswith("spacy-attnner[transformers]>=") for each in required)


def test_what_it_is_good_for(place):
    path = place / "model/config.cfg"
    stamp.stamp(place / "model", place / SOURCE_FILE)
    config = Config().from_disk(path, interpolate=False)
    assert config["card"] == {"intended_use": "None.", "limits": "All."}
    assert config["training"]["path"] == "${paths.train}"
    path.write_text(CONFIG + '[card]\nintended_use = "Chats."\nlimits = null\n')
    stamp.stamp(place / "model", place / SOURCE_FILE)
    card = Config().from_disk(path)["card"]
    assert card == {"intended_use": "Chats.", "limits": "All."}
