"""What a pipeline says of its own making."""

import json

import pytest
import stamp
from source import SOURCE_FILE


@pytest.fixture
def place(tmp_path, monkeypatch):
    source = {
        "corpus": "sample",
        "name": "invented",
        "description": "Invented.",
        "licence": "CC0-1.0",
        "sources": [{"name": "corpus"}],
        "files": {},
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
