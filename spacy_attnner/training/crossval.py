"""`spacy attn crossval`: scores where there is no development set."""

import json
import random
import shutil
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.loop import DIR_MODEL_LAST, create_evaluation_callback
from spacy.util import load_config, resolve_dot_names
from spacy.vocab import Vocab
from thinc.api import Config

from ..atomic import check_apart, check_folder, write_bytes, write_json
from ..corpora.formats import GROUP
from ..errors import UserError, sound
from ..terminal import msg
from .checkpoint import AGAIN, Checkpoint, require_same
from .resumable import run_training

RESULTS = "crossval.json"
PARTS = ("train", "test")


@dataclass(frozen=True)
class Spread:
    """Scores of the folds.

    deviation: Standard deviation over the folds, with n - 1.
    """

    mean: float
    deviation: float


def cross_validate(
    config_path: Path,
    data: Path,
    output: Path,
    *,
    folds: int = 5,
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
    gpu_id: int = -1,
    keep: bool = False,
) -> dict[str, Spread]:
    """Train `folds` times, each time scored on another part of the documents.

    Nothing is chosen by the part that is held out: trainings do not stop early, and the
    last weights count, not the best.

    data: A `.spacy` file. Documents that say of which one they were a sentence stay
        together (`convert --sentences` writes it).
    output: The folder for crossval.json, and for pipelines if `keep`. What is there
        already, of the same config and data, is not done again.
    seed: Of the parts; trainings have the config's own.
    overrides: Of values in the config, by their paths.

    Returns the spread of each score of the config's `score_weights`, in [0, 1], and of
    "score", their weighted sum. Raises UserError if there are fewer documents than
    folds, the config has no `paths.train` and `paths.dev` or does not end by itself, or
    the folder holds the folds of something else.
    """
    check_folder(output)
    check_apart(output, {"data": data, "config": config_path})
    overrides = {**(overrides or {}), "training.patience": 0}
    config = load_config(config_path, overrides=overrides, interpolate=False)
    _check_config(config, config_path)
    docs = _read(data)
    parts = split(docs, folds, seed)
    about = {
        "folds": folds,
        "seed": seed,
        "documents": sha256(data.read_bytes()).hexdigest(),
        "config": json.loads(json.dumps(config.interpolate())),
    }
    scores = _scores_before(output, about)
    for number, held_out in enumerate(parts):
        if str(number) in scores:
            msg.info(f"Fold {number + 1} of {folds} is done")
            continue
        msg.divider(f"Fold {number + 1} of {folds}")
        folder = output / f"fold{number + 1}"
        others = [i for part in parts if part is not held_out for i in part]
        for name, part in zip(PARTS, (others, held_out), strict=True):
            chosen = DocBin(docs=[docs[i] for i in part], store_user_data=True)
            write_bytes(folder / f"{name}.spacy", chosen.to_bytes())
        paths = {
            "paths.train": str(folder / "train.spacy"),
            "paths.dev": str(folder / "test.spacy"),
        }
        model = folder / DIR_MODEL_LAST
        cut_off = Checkpoint(folder).is_unfinished
        if cut_off or not model.exists():
            run_training(
                config_path,
                folder,
                overrides={**overrides, **paths},
                gpu_id=gpu_id,
                resume=cut_off,
            )
        scores[str(number)] = _score(model)
        write_json(output / RESULTS, {**about, "scores": scores})
        if not keep:
            shutil.rmtree(folder)
    return spread_of_folds(list(scores.values()))


def _check_config(config: Config, path: Path) -> None:
    training = config["training"]
    if not training.get("max_steps") and training.get("max_epochs", 0) <= 0:
        raise UserError(
            f"{path} sets neither training.max_steps nor training.max_epochs: it would "
            "never end, without a part to stop by",
            "Set one, such as --training.max_steps 1000.",
        )
    text = Config(config.get("corpora", {})).to_str()
    for name in ("paths.train", "paths.dev"):
        if f"${{{name}}}" not in text:
            raise UserError(
                f"the corpora of {path} do not read ${{{name}}}",
                f"Let a reader in [corpora] have: path = ${{{name}}}",
            )


def _read(data: Path) -> list[Doc]:
    with sound(f"{data} is no .spacy file", "Make one by `spacy attn convert`."):
        return list(DocBin().from_disk(data).get_docs(Vocab()))


def split(docs: Sequence[Doc], folds: int, seed: int) -> list[list[int]]:
    """The numbers of the documents in each of so many parts.

    Sentences of one document stay together; parts hold about as many tokens each.

    Raises UserError if there are fewer documents than parts.
    """
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, doc in enumerate(docs):
        groups[doc.user_data.get(GROUP, ("alone", number))].append(number)
    if not 2 <= folds <= len(groups):
        raise UserError(
            f"{folds} folds of {len(groups)} documents",
            f"Set --folds to a number from 2 to {len(groups)}.",
        )
    drawn = list(groups.values())
    random.Random(seed).shuffle(drawn)
    parts: list[list[int]] = [[] for _ in range(folds)]
    sizes = [0] * folds
    # one each first, so that no part is empty
    for turn, group in enumerate(drawn):
        least = turn if turn < folds else sizes.index(min(sizes))
        parts[least].extend(group)
        sizes[least] += sum(len(docs[i]) for i in group)
    return [sorted(part) for part in parts]


def _scores_before(output: Path, about: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Of the folds that are done; raises UserError if they are of something else."""
    path = output / RESULTS
    if not path.exists():
        return {}
    with sound(f"{path} cannot be read", AGAIN):
        found = json.loads(path.read_text("utf8"))
        scores = found.pop("scores")
    require_same(found, about, f"{output} holds the folds of something else", AGAIN)
    return scores


def _score(model: Path) -> dict[str, float]:
    """What the config's weights name, of the documents held out."""
    nlp: Language = spacy.load(model)
    config = nlp.config.interpolate()
    weights = config["training"]["score_weights"]
    (corpus,) = resolve_dot_names(config, [config["training"]["dev_corpus"]])
    total, found = create_evaluation_callback(nlp, corpus, weights)()
    numbers = {
        name: float(found[name])
        for name, weight in weights.items()
        if weight is not None and isinstance(found.get(name), int | float)
    }
    return {"score": float(total), **numbers}


def spread_of_folds(scores: Sequence[dict[str, float]]) -> dict[str, Spread]:
    """The spread of each score that all folds have."""
    names = [name for name in scores[0] if all(name in each for each in scores)]
    found = {}
    for name in names:
        values = [each[name] for each in scores]
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        found[name] = Spread(statistics.mean(values), deviation)
    return found
