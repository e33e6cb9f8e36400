"""What installing the package does, and which of its parts know which."""

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from spacy import registry
from spacy.cli import app
from spacy.language import Language
from typer.main import get_command

PREFIX = "spacy-attnner."
ENTRY_POINTS = {
    "spacy_cli": ["attn"],
    "spacy_factories": [
        *("attn_ner", "attn_rel", "attn_textcat", "attn_textcat_multilabel"),
    ],
    "spacy_architectures": [
        f"{PREFIX}AttentionEncoder.v1",
        f"{PREFIX}AttentionTextClassifier.v1",
        f"{PREFIX}CRFTagger.v1",
        f"{PREFIX}CharacterCNN.v1",
        f"{PREFIX}DocumentContext.v1",
        f"{PREFIX}EntityEmbed.v1",
        f"{PREFIX}EntityPairAttention.v1",
        f"{PREFIX}InnerProductPairs.v1",
        f"{PREFIX}TransformerEncoder.v1",
        f"{PREFIX}WordEmbed.v1",
    ],
    "spacy_loggers": [
        f"{PREFIX}TensorBoardLogger.v1",
        f"{PREFIX}Trackers.v1",
        f"{PREFIX}Trial.v1",
    ],
    "spacy_batchers": [f"{PREFIX}EvenBatches.v1"],
    "spacy_readers": [f"{PREFIX}GoldEntitiesCorpus.v1", f"{PREFIX}MixedCorpus.v1"],
    "spacy_scorers": [f"{PREFIX}entity_scorer.v1", f"{PREFIX}relation_scorer.v1"],
    "spacy_vectors": [f"{PREFIX}Vectors.v1"],
    "spacy_callbacks": [f"{PREFIX}vectors_check.v1"],
    "spacy_augmenters": [f"{PREFIX}GoldSentences.v1", f"{PREFIX}SentenceRuns.v1"],
    "spacy_misc": [f"{PREFIX}CandidatePairs.v1", f"{PREFIX}FineTuning.v1"],
    "thinc_schedules": [
        f"{PREFIX}WarmupConstant.v1",
        f"{PREFIX}WarmupCosine.v1",
        f"{PREFIX}WarmupLinear.v1",
    ],
}
INSTALLED = [
    entry
    for entry in distribution("spacy-attnner").entry_points
    if entry.group.startswith(("spacy_", "thinc_"))
]

# the rooms of the package and what each may import, from the bottom to the top
COMMANDS = {"atomic", "errors", "loading", "terminal"}  # what commands share
MAY_IMPORT: dict[str, set[str]] = {
    "words": set(),
    "annotated": set(),
    "schedules": set(),
    "vectors": set(),
    "errors": set(),
    "hidden": set(),
    "terminal": {"errors", "hidden"},
    "workspace": {"errors"},
    "atomic": {"errors", "workspace"},
    "compressed": {"errors"},
    "loading": {"errors", "terminal"},
    "wheels": {"atomic", "errors"},
    "glove": {"vectors", "wheels", "atomic", "errors", "terminal"},
    "minilm": {"wheels", "atomic", "errors", "terminal"},
    "span_groups": {"words"},
    "confidence": {"span_groups"},
    "relations": {"confidence", "span_groups"},
    "extensions": {"relations", "confidence"},
    "scoring": {"annotated", "relations", "confidence", "span_groups"},
    "corpora": {
        *("annotated", "relations", "span_groups", "atomic", "compressed", "errors"),
        "terminal",
    },
    "native": set(),
    "layers": {"native"},
    "crf": {"native"},
    "models": {"layers", "crf", "span_groups", "words"},
    "pipeline": {
        *("layers", "crf", "models", "relations", "confidence", "scoring"),
        *("annotated", "extensions", "span_groups", "words"),
    },
    "vocabulary": {"models"},
    "onnx": {"models", *COMMANDS},
    "recipes": {"models", *COMMANDS},
    "fitting": {"pipeline", "confidence", "corpora", "scoring", *COMMANDS},
    "texts": {"compressed", *COMMANDS},
    "export": {"pipeline", "relations", "confidence", "texts", *COMMANDS},
    "annotations": {
        *("compressed", "confidence", "corpora", "relations", "span_groups", "texts"),
        "vocabulary",
        *COMMANDS,
    },
    "explain": {
        *("confidence", "models", "pipeline", "relations", "span_groups", "words"),
    },
    "batch": {
        *("models", "confidence", "corpora", "relations", "texts", "export"),
        "vocabulary",
        *COMMANDS,
    },
    "render": {
        *("explain", "export", "confidence", "hidden", "relations", "span_groups"),
        *("texts", *COMMANDS),
    },
    "serving": {
        *("models", "onnx", "explain", "export", "render", "confidence"),
        "vocabulary",
        *("relations", "texts"),
        *COMMANDS,
    },
    "report": {
        *("annotated", "corpora", "confidence", "hidden", "recipes", "relations"),
        *("render", "scoring", *COMMANDS),
    },
    "inspection": {"models", "relations", "recipes", "render", "report", *COMMANDS},
    "training": {"models", "corpora", "report", "wheels", *COMMANDS},
    "cli": {
        *("annotations", "batch", "confidence", "corpora", "crf", "export", "fitting"),
        *("glove", "inspection", "layers", "minilm", "native", "onnx", "recipes"),
        *("render", "report", "serving", "texts", "training"),
        *("errors", "terminal"),
    },
}
KNOW_TORCH = {"layers", "crf", "models", "pipeline", "explain", "training"}

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import spacy
nlp = spacy.blank("en")
assert len(nlp("Ferries leave .")) == 3
for name in ("layers", "crf", "models", "pipeline.base"):
    assert f"spacy_attnner.{name}" not in sys.modules, name
print("spacy_attnner.pipeline.factories" in sys.modules)
"""

# A garbage collection that falls due while the package loads would fall due a little
# later without it, and takes longer than the package does: it is left out.
COST = """
import gc, time
gc.disable()
import spacy
from importlib.metadata import distribution
start = time.process_time()
for entry in distribution("spacy-attnner").entry_points:
    if entry.group == "spacy_factories":
        entry.load()
own = time.process_time() - start
spacy.blank("en")
print(own / time.process_time())
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_entry_points():
    found: dict[str, list[str]] = {}
    for entry in INSTALLED:
        found.setdefault(entry.group, []).append(entry.name)
    assert {group: sorted(names) for group, names in found.items()} == ENTRY_POINTS


@pytest.mark.parametrize("entry", INSTALLED, ids=lambda entry: entry.name)
def test_an_entry_point_is_what_the_registry_gives(entry):
    loaded = entry.load()
    assert callable(loaded)
    if entry.group == "spacy_factories":
        meta = Language.get_factory_meta(entry.name)
        assert meta.factory == entry.name
        assert meta.scores
    elif entry.group == "spacy_cli":
        assert entry.name in get_command(app).commands  # type: ignore[attr-defined]
    else:
        kind = entry.group.partition("_")[2]
        assert getattr(registry, kind).get(entry.name) is loaded


def test_a_blank_pipeline_needs_no_torch():
    assert run(WITHOUT_TORCH) == "True"


def test_a_blank_pipeline_takes_no_longer():
    assert float(run(COST)) < 0.05


def package() -> Path:
    spec = find_spec("spacy_attnner")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a module imports, also within its functions."""
    parts = ["spacy_attnner", *path.relative_to(package()).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: -node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def modules(part: str) -> list[Path]:
    single = package() / f"{part}.py"
    return [single] if single.exists() else sorted((package() / part).rglob("*.py"))


def test_every_room_has_its_place():
    found = {path.stem for path in package().iterdir() if path.suffix == ".py"}
    found |= {path.parent.name for path in package().glob("*/__init__.py")}
    assert found - {"__init__"} == MAY_IMPORT.keys()


def test_nothing_may_be_imported_upward():
    below: set[str] = set()
    for room, allowed in MAY_IMPORT.items():
        assert allowed <= below, room
        below.add(room)


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_imports_go_one_way(part):
    allowed = MAY_IMPORT[part] | {part}
    for path in modules(part):
        for name in imports(path):
            root, *rest = name.split(".")
            if root == "spacy_attnner":
                assert rest[0] in allowed, f"{path.name} imports {name}"


def shared(names: Iterable[str]) -> set[str]:
    return {name for name, n in Counter(names).items() if n > 1}


def test_no_two_files_share_a_name():
    files = (path.stem for path in package().rglob("*.py"))
    assert shared(files) - {"__init__"} == set()


def test_no_two_public_functions_share_a_name():
    functions = (
        node.name
        for path in package().rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    )
    assert shared(functions) == set()


@pytest.mark.parametrize("part", ["layers", "crf"])
def test_layers_know_torch_alone(part):
    known = {"spacy_attnner", "torch", "numpy", *sys.stdlib_module_names}
    for path in modules(part):
        assert {name.split(".")[0] for name in imports(path)} <= known, path.name


def test_torch_stays_where_it_is_known():
    for path in package().rglob("*.py"):
        if path.relative_to(package()).parts[0] not in KNOW_TORCH:
            roots = {name.split(".")[0] for name in imports(path)}
            assert not roots & {"torch", "safetensors"}, path.name
