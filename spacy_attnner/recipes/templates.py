"""The configs that the package carries, and which of them serves which task."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.util import load_config_from_str
from thinc.api import Config

PACKAGE = Path(__file__).parents[1]
# within what is installed; beside the package in a checkout
FOLDERS = (PACKAGE / "configs", PACKAGE.parent / "configs")

VECTORS = "vectors"  # static vectors
FAST = "fast"  # the same, smaller
NO_VECTORS = "none"
TRANSFORMER = "transformer"
FEW = 500  # documents


@dataclass(frozen=True)
class Task:
    """What can be trained.

    title: What it is, for the first line of a config.
    documents: How many documents the numbers of its templates were chosen on.
    templates: The config for a kind of encoder; where there is none, that of `VECTORS`
        is changed: it takes the words or the transformer of that in `DONORS`.
    renamed: Names in the template, and what stands in their place.
    changes: Values of the component that differ, by their path.
    paths: What a training is given, files or folders, by their names in the config.
    frozen: Whether a transformer is kept as it is where documents are `FEW`: measured
        on 10 to 500 of CoNLL-2003 (`benchmarks/little_data.py`).
    """

    title: str
    documents: int
    templates: dict[str, str]
    renamed: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ("train", "dev")
    frozen: bool = False


DONORS = {NO_VECTORS: "ner_no_vectors", TRANSFORMER: "rel_trf"}
_TEXTCAT = {VECTORS: "textcat", TRANSFORMER: "textcat_trf"}
_MULTILABEL = "components.attn_textcat_multilabel"
TASKS = {
    "ner": Task(
        "Named entities",
        1000,
        {
            VECTORS: "ner",
            FAST: "ner_fast",
            NO_VECTORS: "ner_no_vectors",
            TRANSFORMER: "ner_trf",
        },
        frozen=True,
    ),
    "rel": Task(
        "Named entities and relations between them",
        1000,
        {VECTORS: "rel", TRANSFORMER: "rel_trf"},
    ),
    "rel-given": Task(
        "Relations between entities that are given", 1000, {VECTORS: "rel_given"}
    ),
    "textcat": Task("Categories, one of which applies", 6000, _TEXTCAT),
    "multilabel": Task(
        "Categories, any of which apply",
        6000,
        _TEXTCAT,
        renamed={"attn_textcat": "attn_textcat_multilabel"},
        changes={
            f"{_MULTILABEL}.threshold": 0.5,
            f"{_MULTILABEL}.scorer.@scorers": "spacy.textcat_multilabel_scorer.v2",
            f"{_MULTILABEL}.model.exclusive_classes": False,
        },
    ),
    "joint": Task(
        "Entities, relations and a category, of three corpora",
        8800,
        {VECTORS: "joint", TRANSFORMER: "joint_trf"},
        paths=("entities", "relations", "categories"),
    ),
}


def read_template(task: Task, kind: str) -> Config:
    """The config of a task.

    kind: Of encoder; where the task has no config of it, that of `VECTORS`.
    """
    name = task.templates.get(kind) or task.templates[VECTORS]
    config = read_carried(name, task.renamed)
    for path, value in task.changes.items():
        set_value(config, path, value)
    return config


def read_carried(name: str, renamed: dict[str, str] | None = None) -> Config:
    """A config that the package carries; its variables stay as they are.

    renamed: Names in it, and what stands in their place.

    Raises FileNotFoundError if the package was installed without it.
    """
    for path in (folder / f"{name}.cfg" for folder in FOLDERS):
        if path.is_file():
            text = path.read_text("utf8")
            for old, new in (renamed or {}).items():
                text = text.replace(old, new)
            return load_config_from_str(text, interpolate=False)
    raise FileNotFoundError(
        f"{FOLDERS[0] / name}.cfg is missing: install spacy-attnner again"
    )


def set_value(config: Config, path: str, value: Any) -> None:
    """Set a value that a config has.

    path: Its sections and its name, joined by dots.

    Raises KeyError where the config has no such value.
    """
    *sections, name = path.split(".")
    block: dict[str, Any] = config
    for section in sections:
        block = block[section]
    if name not in block:
        raise KeyError(path)
    block[name] = value
