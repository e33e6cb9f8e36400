"""A model card: the README.md that goes with a pipeline, filled from the pipeline.

Source of its parts: Mitchell et al. (2019), "Model Cards for Model Reporting".
"""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.util import dot_to_object
from thinc.compat import has_torch_cuda_gpu, torch

from ..atomic import write_json, write_text
from ..corpora.layers import check_layer, split_layer
from ..errors import UserError
from ..loading import load_pipeline, running, use_gpu
from ..recipes.blocks import TRANSFORMERS, blocks_of
from ..terminal import visible
from .evaluation import score_pipeline
from .run import read_examples

CARD = "README.md"
TRAINED = "training"  # in meta.json, what `attn train` says of itself
SECTION = "card"
STATED = ("intended_use", "limits")
NOT_STATED = (
    "Not stated. Whoever trains it says so in the config:\n\n"
    '```ini\n[card]\nintended_use = "…"\nlimits = "…"\n```'
)
MOST_LABELS = 40
PACKAGES = ("spacy-attnner", "spacy", "thinc", "torch", "numpy", "transformers")
# of a config, where they are there
SETTINGS = {
    "steps, at most": "training.max_steps",
    "epochs, at most": "training.max_epochs",
    "stops after so many steps without a better score": "training.patience",
    "batch": "training.batcher.size",
    "batches by": "training.batcher.@batchers",
    "dropout": "training.dropout",
    "optimizer": "training.optimizer.@optimizers",
    "learning rate": "training.optimizer.learn_rate",
    "weight decay": "training.optimizer.L2",
    "averaged weights": "training.optimizer.use_averages",
    "seed": "training.seed",
}
TAGS = {
    "attn_ner": "token-classification",
    "ner": "token-classification",
    "attn_rel": "relation-extraction",
    "attn_textcat": "text-classification",
    "attn_textcat_multilabel": "text-classification",
    "textcat": "text-classification",
    "textcat_multilabel": "text-classification",
}


def write_card(
    model: Path, data: Iterable[str] = (), *, name: str = "", gpu_id: int = -1
) -> dict[str, Any]:
    """Write MODEL/README.md; returns the scores on `data`, by file.

    model: The folder of a pipeline.
    data: `.spacy` files to score it on: test sets, of all that is annotated there. With
        KEY=FILE, the entities of the file are taken for spans of the group KEY.
    name: What the pipeline is called, without its language, from now on; as its
        meta.json says if empty.

    Raises UserError if it is no pipeline, its README.md is no card, or a file or the
    name cannot be used.
    """
    _check_place(model / CARD)
    use_gpu(gpu_id)
    if name and not name.isidentifier():
        raise UserError(
            f"the name {name!r} is none that a package can have",
            "Name it with letters, digits and underscores, such as news or joint_2.",
        )
    if not (model / "meta.json").is_file():
        raise UserError(
            f"{model} is no folder of a pipeline",
            "Give one, such as training/joint/model-best.",
        )
    nlp = load_pipeline(str(model))
    if name:
        nlp.meta["name"] = name
    scores = {}
    for given in data:
        path, layer = split_layer(given)
        check_layer(nlp, given, layer)
        scores[str(path)] = _evaluate(nlp, path, layer, str(model))
    if name:
        meta = json.loads((model / "meta.json").read_text("utf8"))
        write_json(model / "meta.json", meta | {"name": name})
    write_text(model / CARD, card(nlp, scores))
    return scores


def _check_place(path: Path) -> None:
    """Raises UserError if something else than a card stands there."""
    if not path.exists():
        return
    front, *rest = path.read_text("utf8", errors="replace").split("\n---\n", 1)
    ours = front.startswith("---\ntags:\n") and "\nmodel_name: " in front
    if not (rest and ours):
        raise UserError(
            f"{path} is there and was not written by `card`",
            "Move it away first; nothing in it was changed.",
        )


def _evaluate(nlp: Language, path: Path, layer: str, model: str) -> dict[str, Any]:
    """All scores of a pipeline on the documents of a file."""
    examples = read_examples(nlp, path, layer=layer)
    with running(model):
        return score_pipeline(nlp, examples, path.name, layer=layer)


def card(nlp: Language, scores: Mapping[str, Mapping[str, Any]]) -> str:
    """The card, Markdown with the front matter that Hugging Face's hub reads.

    scores: What `nlp.evaluate` found, by test set.
    """
    meta, config = nlp.meta, nlp.config.interpolate()
    name = _package_name(meta)
    parts = [
        _front(meta, name),
        f"# {name}",
        visible(meta.get("description") or "A pipeline for spaCy."),
        f'```python\nimport spacy\n\nnlp = spacy.load("{name}")\n```',
        "## Components\n\n" + _components(nlp),
        "## Scores\n\n" + "\n\n".join(_scores(nlp, scores)),
        "## Data\n\n" + _data(meta, config),
        "## Training\n\n" + _training(meta, config),
        "## Written with\n\n" + _written_with(),
    ]
    stated = config.get(SECTION, {})
    for key in STATED:
        title = key.replace("_", " ").capitalize()
        parts.append(f"## {title}\n\n{stated.get(key) or NOT_STATED}")
    return "\n\n".join(parts) + "\n"


def _package_name(meta: Mapping[str, Any]) -> str:
    """As `spacy package` has it."""
    lang, name = meta["lang"], meta["name"]
    return name if name.startswith(f"{lang}_") else f"{lang}_{name}"


def _front(meta: Mapping[str, Any], name: str) -> str:
    names = meta.get("pipeline") or ()
    tags = [TAGS[each] for each in names if each in TAGS]
    fields: dict[str, Any] = {
        "tags": list(dict.fromkeys(["spacy", *tags])),
        "language": [meta["lang"]],
        "library_name": "spacy",
        "model_name": name,
    }
    if meta.get("license"):
        fields["license"] = meta["license"]
    return f"---\n{srsly.yaml_dumps(fields).strip()}\n---"


def _components(nlp: Language) -> str:
    rows = []
    for name in nlp.pipe_names:
        labels = list(nlp.pipe_labels.get(name, ()))
        shown = ", ".join(f"`{visible(label)}`" for label in labels[:MOST_LABELS])
        if len(labels) > MOST_LABELS:
            shown += f" and {len(labels) - MOST_LABELS} more"
        rows.append((f"`{name}`", nlp.get_pipe_meta(name).factory, shown))
    return table(("component", "factory", "labels"), rows)


def _scores(nlp: Language, scores: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    found = dict(flat_scores(nlp.meta.get("performance") or {}))
    if found:
        yield "On the development documents, by which the training chose its best:"
        losses = {x: found.pop(x) for x in list(found) if x.endswith("_loss")}
        yield score_table(found)
        if losses:
            yield "Losses, summed up since the evaluation before:"
            rows = [(visible(x), f"{loss:,.4g}") for x, loss in losses.items()]
            yield table(("loss", "value"), rows)
    for name, each in scores.items():
        yield f"On `{visible(name)}`:"
        yield score_table(dict(flat_scores(each)))
    if not found and not scores:
        yield "None are stored in the pipeline."
    for name in nlp.pipe_names:
        attrs = getattr(getattr(nlp.get_pipe(name), "model", None), "attrs", {})
        temperature = attrs.get("temperature", 1.0)
        offset = attrs.get("log_odds_offset", 0.0)
        if (temperature, offset) != (1.0, 0.0):
            yield (
                f"Confidences of `{name}` are calibrated: temperature "
                f"{temperature:.3f}, log-odds offset {offset:+.3f}."
            )


def flat_scores(
    values: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, float]]:
    """The numbers of nested dictionaries by their paths, `ents_per_type ORG f`."""
    for key, value in values.items():
        name = f"{path} {key}".strip()
        if isinstance(value, Mapping):
            yield from flat_scores(value, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)


def score_table(found: Mapping[str, float]) -> str:
    """Shares in percent; speeds as they are."""
    rows = []
    for name, value in found.items():
        share = 0.0 <= value <= 1.0
        rows.append(
            (visible(name), f"{100 * value:.2f} %" if share else f"{value:,.1f}")
        )
    return table(("score", "value"), rows)


def _data(meta: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    keys = ("name", "author", "license", "url")
    rows = [
        tuple(visible(str(each.get(key) or "")) for key in keys)
        for each in meta.get("sources") or ()
    ]
    parts = []
    if rows:
        parts.append(table(("source", "author", "licence", "address"), rows))
    paths = {k: v for k, v in (config.get("paths") or {}).items() if v}
    if paths:
        named = [(f"`paths.{key}`", f"`{visible(str(v))}`") for key, v in paths.items()]
        parts.append(table(("in the config", "file or folder"), named))
    examples = meta.get(TRAINED, {}).get("examples", {})
    if examples:
        named = [(f"`{visible(name)}`", f"{n:,}") for name, n in examples.items()]
        parts.append(table(("in the config", "documents in an epoch"), named))
    return "\n\n".join(parts) or "Not stated."


def _training(meta: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    trained = meta.get(TRAINED, {})
    known = {"steps": "steps done", "processor": "trained on"}
    rows = [
        (what, f"`{visible(str(trained[key]))}`")
        for key, what in known.items()
        if key in trained
    ]
    for what, path in SETTINGS.items():
        try:
            value = dot_to_object(config, path)  # type: ignore[arg-type]
        except KeyError:
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        if value not in (None, 0, "") or isinstance(value, bool) or what == "seed":
            rows.append((what, f"`{visible(str(value))}`"))
    blocks = blocks_of(dict(config), TRANSFORMERS)
    names = dict.fromkeys(str(each["name"]) for each in blocks if each.get("name"))
    rows += [("encoder", f"`{visible(name)}`") for name in names]
    return table(("setting", "value"), rows) if rows else "Not stated."


def _written_with() -> str:
    rows = []
    for package in PACKAGES:
        try:
            rows.append((package, version(package)))
        except ImportError:
            continue
    rows += [("Python", platform.python_version()), ("platform", platform.platform())]
    rows.append(("processor", processor()))
    about = "The card was written with these; the training may have had others."
    return f"{about}\n\n" + table(("what", "which"), rows)


def processor() -> str:
    """The name of the GPU, or of the CPU with its number of cores."""
    if has_torch_cuda_gpu:
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf8").splitlines()
        names = [
            x.partition(":")[2].strip() for x in lines if x.startswith("model name")
        ]
        return f"{names[0]}, {len(names)} cores"
    except (OSError, IndexError):
        return platform.processor() or "unknown"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )
