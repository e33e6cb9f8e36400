"""`scripts/stamp.py`, `install.py` and `check.py`."""

import json
import os
from pathlib import Path

import install
import pytest
import spacy
from check import SENTENCES, app, describe, load_installed
from install import install_wheel
from source import read_assets, real_source, write_source
from spacy.schemas import ModelMetaSchema, validate
from stamp import stamp
from typer.testing import CliRunner

from spacy_attnner.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "LOC", "pattern": "Stockholm"}])
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_source(tmp_path / "SOURCE.json", real_source(read_assets(ROOT)))
    return tmp_path / "SOURCE.json"


def test_stamp(model, source, tmp_path):
    vectors = spacy.blank("en")
    vectors.meta["sources"] = [{"name": "GloVe"}]
    vectors.to_disk(tmp_path / "vectors")
    stamp(model, source, tmp_path / "vectors")
    meta = spacy.load(model).meta
    assert validate(ModelMetaSchema, meta) == []
    names = [item["name"] for item in meta["sources"]]
    assert len(names) == 4
    assert "CoNLL-2003" in names[0]
    assert names[-1] == "GloVe"
    assert "CoNLL-2003" in meta["description"]
    assert "TREC" not in meta["description"]  # of a pipeline beside it
    assert meta["license"] == "research use"
    before = (model / "meta.json").read_bytes()
    stamp(model, source, tmp_path / "vectors")
    assert (model / "meta.json").read_bytes() == before


def test_stamp_needs_a_model(source, tmp_path):
    with pytest.raises(UserError, match=r"none/meta\.json cannot be read"):
        stamp(tmp_path / "none", source)


@pytest.fixture
def pip(monkeypatch):
    """What pip was called with; set `returncode` to let it fail."""

    class Pip:
        returncode = 0
        command: list[str]

        def __call__(self, command):
            self.command = command
            return self

    fake = Pip()
    monkeypatch.setattr(install.subprocess, "run", fake)
    return fake


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    for age, version in ((2, "0.10.0"), (1, "0.9.0")):
        wheel = folder / f"x-{version}/dist/en_x-{version}-py3-none-any.whl"
        wheel.parent.mkdir(parents=True)
        wheel.write_bytes(version.encode())
        os.utime(wheel, (1e9 - age, 1e9 - age))
    return folder


def test_install_the_newest(packages, pip):
    record = packages / "installed.json"
    assert install_wheel(packages, record) == json.loads(record.read_text())
    written = json.loads(record.read_text())
    assert (written["name"], written["version"]) == ("en_x", "0.9.0")
    assert len(written["sha256"]) == 64
    assert pip.command[-1].endswith("en_x-0.9.0-py3-none-any.whl")
    assert {"--force-reinstall", "--no-deps"} < set(pip.command)


def test_a_failed_installation_is_not_recorded(packages, pip):
    record = packages / "installed.json"
    install_wheel(packages, record)
    pip.returncode = 1
    with pytest.raises(UserError, match="pip could not install"):
        install_wheel(packages, record)
    assert not record.exists()


def test_no_wheel(tmp_path, pip):
    with pytest.raises(UserError, match="no wheel below"):
        install_wheel(tmp_path, tmp_path / "installed.json")


def test_odd_wheel(tmp_path, pip):
    (tmp_path / "odd.whl").touch()
    with pytest.raises(UserError, match="Delete it"):
        install_wheel(tmp_path, tmp_path / "installed.json")


def test_check(model, tmp_path):
    output = tmp_path / "check.txt"
    result = CliRunner().invoke(app, [str(model), "--output", str(output)])
    assert result.exit_code == 0, result.output
    text = output.read_text()
    assert "\x1b" not in text
    for part in (*SENTENCES, "Stockholm", "LOC", "(no relation)", "(no category)"):
        assert part in text


def test_check_shows_relations_and_categories(model):
    from spacy.language import Language

    from spacy_attnner.relations import Relation, set_relations

    nlp = load_installed(str(model))

    @Language.component("test_relations")
    def add(doc):
        set_relations(doc, [Relation(doc[0:1], doc[2:3], "Live_In", 0.25)])
        doc.cats = {"LOW": 0.125, "HIGH": 0.875}
        return doc

    nlp.add_pipe("test_relations")
    text = describe(nlp)
    assert "Live_In" in text
    assert "0.25" in text
    assert text.index("HIGH") < text.index("LOW")
    assert "\x1b" not in text


def test_check_of_nothing():
    with pytest.raises(UserError, match=r"'en_none' is not installed(?s:.*)install"):
        load_installed("en_none")


def test_check_of_an_unfinished_pipeline(tmp_path):
    with pytest.raises(UserError, match="does not load"):
        load_installed(str(tmp_path))
