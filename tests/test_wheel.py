"""A packaged pipeline says that it needs this package, and gets it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from email import message_from_bytes
from importlib.metadata import distribution, version
from pathlib import Path
from zipfile import ZipFile

import pytest
import spacy
from packaging.requirements import Requirement
from spacy.cli.package import package
from spacy.training import Example
from spacy.util import get_minor_version_range

from spacy_attnner.native import extension, extension_state

ROOT = Path(__file__).resolve().parents[1]
OURS = f"spacy-attnner{get_minor_version_range(version('spacy-attnner'))}"
WORDS = {
    "@architectures": "spacy-attnner.WordEmbed.v1",
    "vector_width": 0,
    "word_width": 8,
}
USE = """
import json, spacy, sys
nlp = spacy.load("en_small")
assert sys.argv[1] in sys.modules["spacy_attnner"].__file__
assert sys.modules["spacy_attnner.native"].extension("crf._loop") is None
path = sys.argv[1] + "/ner.cfg"
sys.argv = ["spacy", "attn", "init-config", "ner", "--output", path]
try:
    spacy.cli.setup_cli()
except SystemExit as done:
    assert not done.code, done.code
print(json.dumps([ent.text for ent in nlp("Nils sleeps").ents]))
"""


def small_pipeline(kind: str) -> spacy.Language:
    """An untrained pipeline with one thing of ours."""
    nlp = spacy.blank("en")
    if kind == "component":
        tok2vec = {"@architectures": "spacy-attnner.AttentionEncoder.v1"}
        tok2vec |= {"embed": WORDS, "width": 8, "n_heads": 0}
        model = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": tok2vec}
        nlp.add_pipe("attn_ner", config={"model": model})
        tags = {"entities": ["U-PER", "O"]}
        example = Example.from_dict(nlp.make_doc("Nils sleeps"), tags)
        nlp.initialize(lambda: [example])
    elif kind == "architecture in spaCy's component":
        nlp.add_pipe("tok2vec", config={"model": WORDS})
        nlp.initialize()
    else:
        table = {"@vectors": "spacy-attnner.Vectors.v1", "attr": "LOWER"}
        nlp = spacy.blank("en", config={"nlp": {"vectors": table}})
    return nlp


def packaged(kind: str, folder: Path) -> Path:
    """The source of an installable package, as `spacy package` makes it."""
    small_pipeline(kind).to_disk(folder / "pipeline")
    package(folder / "pipeline", folder, name="small", create_sdist=False)
    return folder / "en_small-0.0.0"


def pip(*args: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, args)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wheel_of(source: Path, folder: Path, **environment: str) -> None:
    options = ("--no-deps", "--no-index", "--no-build-isolation")
    pip("wheel", *options, "--wheel-dir", folder, source, **environment)


def own_source(folder: Path) -> Path:
    """The package beside the repository, where building leaves its traces."""
    source = folder / "source"
    built = ("_loop.*", "_recurrence.*", "_context.*", "_pairs.*")
    ignore = shutil.ignore_patterns("__pycache__", *built)
    shutil.copytree(ROOT / "spacy_attnner", source / "spacy_attnner", ignore=ignore)
    shutil.copytree(ROOT / "configs", source / "configs")
    names = ("pyproject.toml", "setup.py", "MANIFEST.in")
    for name in (*names, "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    return source


def environment_without_us(folder: Path) -> Path:
    """The python of an environment that has all that we need, but not us."""
    site = folder / "site"
    site.mkdir(parents=True)
    for path in map(Path, sys.path):
        if path.name in ("site-packages", "dist-packages"):
            for entry in path.iterdir():
                link = site / entry.name
                ours = entry.name.startswith(("spacy_attnner", "en_attnner"))
                if not ours and entry.suffix != ".pth" and not link.exists():
                    link.symlink_to(entry)
    venv = folder / "venv"
    command = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(command, check=True)
    (own_site,) = venv.glob("lib/python*/site-packages")
    (own_site / "site.pth").write_text(f"{site}\n", encoding="utf8")
    return venv / "bin" / "python"


def test_the_installed_package_says_what_it_contains():
    """spaCy looks there for the package that a function comes from."""
    assert distribution("spacy-attnner").read_text("top_level.txt") == "spacy_attnner\n"


@pytest.mark.parametrize(
    "kind", ["component", "architecture in spaCy's component", "vectors"]
)
def test_a_packaged_pipeline_requires_compatible_versions(kind, tmp_path):
    meta = json.loads((packaged(kind, tmp_path) / "meta.json").read_text("utf8"))
    assert meta["requirements"] == [OURS]


def test_a_wheel_of_the_source_archive_holds_all(tmp_path):
    """The configs, the extension, where a compiler is, and a GPU's kernels."""
    source = own_source(tmp_path)
    command = [sys.executable, "setup.py", "-q", "build_ext", "sdist", "-d", tmp_path]
    subprocess.run(command, cwd=source, capture_output=True, check=True)
    # where `python -m spacy` finds it in a clone
    compiled = {
        path.name.split(".")[0] for path in source.glob("spacy_attnner/*/_*.so")
    }
    assert ("_loop" in compiled) == (extension("crf._loop") is not None)
    (archive,) = tmp_path.glob("spacy_attnner-*.tar.gz")
    with tarfile.open(archive) as packed:
        assert not [name for name in packed.getnames() if name.endswith(".so")]
    wheel_of(archive, tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("spacy_attnner-*.whl")
    with ZipFile(wheel) as unpacked:
        names = unpacked.namelist()
        for config in (ROOT / "configs").glob("*.cfg"):
            carried = unpacked.read(f"spacy_attnner/configs/{config.name}")
            assert carried == config.read_bytes()
    assert "spacy_attnner/py.typed" in names
    assert "spacy_attnner/crf/loop.c" in names
    built = any(name.startswith("spacy_attnner/crf/_loop.") for name in names)
    assert built == (extension("crf._loop") is not None), extension_state("crf._loop")
    built = any(name.startswith("spacy_attnner/layers/_rec") for name in names)
    name = "layers._recurrence"
    assert built == (extension(name) is not None), extension_state(name)


@pytest.mark.skipif(sys.platform == "win32", reason="makes symbolic links")
def test_installing_a_pipeline_elsewhere_installs_the_package_too(tmp_path):
    source = packaged("component", tmp_path)
    wheel_of(source, tmp_path / "dist")
    wheel_of(own_source(tmp_path), tmp_path / "dist", CC="/bin/false")
    (wheel,) = (tmp_path / "dist").glob("en_small-*.whl")
    with ZipFile(wheel) as archive:
        metadata = archive.read("en_small-0.0.0.dist-info/METADATA")
    required = message_from_bytes(metadata).get_all("Requires-Dist") or []
    assert [Requirement(line) for line in required] == [Requirement(OURS)]
    python = environment_without_us(tmp_path / "elsewhere")
    offline = ("--no-index", "--find-links", tmp_path / "dist")
    pip("--python", python, "install", *offline, wheel)
    used = subprocess.run(
        [str(python), "-c", USE, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert used.returncode == 0, used.stderr
    assert isinstance(json.loads(used.stdout.splitlines()[-1]), list)
    assert "attn_ner" in (tmp_path / "ner.cfg").read_text("utf8")
