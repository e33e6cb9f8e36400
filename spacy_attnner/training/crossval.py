"""`spacy attn crossval`: scores where there is no development set."""

import json
import random
import statistics
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.loop import DIR_MODEL_LAST, create_evaluation_callback
from spacy.util import dot_to_object, resolve_dot_names
from spacy.vocab import Vocab
from thinc.api import Config

from ..atomic import check_apart, check_folder, remove_folders, write_bytes, write_json
from ..corpora.documents import META
from ..corpora.formats import GROUP
from ..errors import UserError, sound
from ..terminal import msg
from ..wheels import sha256_of
from .checkpoint import AGAIN, Checkpoint, require_same
from .config import read_config
from .loggers import logged_as
from .resumable import MODELS, run_training

RESULTS = "crossval.json"
PARTS = ("train", "test")
MIXED = "spacy-attnner.MixedCorpus.v1"


@dataclass(frozen=True)
class Source:
    """Documents that are cut into parts, and where the config reads them.

    file: A `.spacy` file.
    name: Of the corpus in the mixture; empty without one.
    settings: Paths into the config, of the file to train on and of the one to score on.
    """

    file: Path
    name: str
    settings: tuple[str, str]


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
    group_key: str | None = None,
    overrides: dict[str, Any] | None = None,
    gpu_id: int = -1,
    keep: bool = False,
) -> dict[str, Spread]:
    """Train `folds` times, each time scored on another part of the documents.

    Nothing is chosen by the part that is held out: trainings do not stop early, and the
    last weights count, not the best.

    data: A `.spacy` file; for a config that mixes corpora, a folder of one for each,
        which is cut by itself. Documents that say of which one they were a sentence
        stay together (`convert --sentences` writes it).
    output: The folder for crossval.json, and for pipelines if `keep`. What is there
        already, of the same config and data, is not done again.
    seed: Of the parts; trainings have the config's own.
    group_key: A key of `doc.user_data`, such as "id", of its "meta", or an extension:
        documents with the same value stay together, too.
    overrides: Of values in the config, by their paths.

    Returns the spread of each score of the config's `score_weights`, in [0, 1], and of
    "score", their weighted sum. Raises UserError if there are fewer documents than
    folds, none has the key, the config does not read such data or does not end by
    itself, or the folder holds the folds of something else or others' folders by
    their names.
    """
    check_folder(output)
    check_apart(output, {"data": data, "config": config_path})
    overrides = {**(overrides or {}), "training.patience": 0}
    config = read_config(config_path, overrides)
    _check_end(config, config_path)
    sources = find_sources(config, config_path, data)
    docs = [_read(source.file) for source in sources]
    _check_key(docs, group_key, data)
    parts = [split(own, folds, seed, group_key) for own in docs]
    digests = {source.name: sha256_of(source.file) for source in sources}
    about = {
        "folds": folds,
        "seed": seed,
        "group_key": group_key,
        "documents": digests.get("", digests),
        "config": json.loads(json.dumps(config.interpolate())),
    }
    scores = _scores_before(output, folds, about)
    write_json(output / RESULTS, {**about, "scores": scores})
    for number in range(folds):
        if str(number) in scores:
            msg.info(f"Fold {number + 1} of {folds} is done")
            continue
        msg.divider(f"Fold {number + 1} of {folds}")
        folder = _folder(output, number)
        model = folder / DIR_MODEL_LAST
        cut_off = Checkpoint(folder).is_unfinished
        paths: dict[str, str] = {}
        written: list[Path] = []
        for source, own, cut in zip(sources, docs, parts, strict=True):
            files = [folder / source.name / f"{name}.spacy" for name in PARTS]
            paths |= zip(source.settings, map(str, files), strict=True)
            written += files
            if not cut_off:
                _write_fold(files, own, cut, number)
        if cut_off or not model.exists():
            with logged_as(folder.name):
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
            _remove_fold(folder, written)
    return spread_of_folds(list(scores.values()))


def _check_end(config: Config, path: Path) -> None:
    """Raises UserError for a training that does not end by itself."""
    training = config["training"]
    if not training.get("max_steps") and training.get("max_epochs", 0) <= 0:
        raise UserError(
            f"{path} sets neither training.max_steps nor training.max_epochs: it would "
            "never end, without a part to stop by",
            "Set one, such as --training.max_steps 1000.",
        )


def find_sources(config: Config, path: Path, data: Path) -> list[Source]:
    """What is cut into parts: a file, or one for each corpus of a mixture.

    Raises UserError if the config does not read such data.
    """
    text = Config(config.get("corpora", {})).to_str()
    paths = ("paths.train", "paths.dev")
    unread = [name for name in paths if f"${{{name}}}" not in text]
    training = config["training"]
    readers = [training.get(f"{x}_corpus", f"corpora.{x}") for x in ("train", "dev")]
    if unread and _mixed(config, readers[0]):
        return _sources_of_mixture(config, readers, path, data)
    if unread:
        raise UserError(
            f"the corpora of {path} do not read ${{{unread[0]}}}",
            f"Let a reader in [corpora] have: path = ${{{unread[0]}}}",
        )
    if data.is_dir():
        raise UserError(
            f"{data} is a folder, which is for configs that mix corpora",
            "Give a .spacy file of all documents.",
        )
    return [Source(data, "", paths)]


def _mixed(config: Config, reader: str) -> list[str]:
    """The names of the corpora that a reader of the config mixes."""
    try:
        block = dot_to_object(config, reader)
    except KeyError:
        return []
    return list(block["corpora"]) if block.get("@readers") == MIXED else []


def _sources_of_mixture(
    config: Config, readers: Sequence[str], path: Path, data: Path
) -> list[Source]:
    names, others = (_mixed(config, reader) for reader in readers)
    if set(names) != set(others):
        raise UserError(
            f"{path} mixes {', '.join(names)} in {readers[0]}, but not in {readers[1]}",
            f"Let {readers[1]} be a {MIXED} of corpora by the same names.",
        )
    files = [data / f"{name}.spacy" for name in names]
    if missing := [file.name for file in files if not file.is_file()]:
        what = f"{data} holds no" if data.is_dir() else f"{data} is no folder with"
        raise UserError(
            f"{path} mixes {', '.join(names)}, and {what} {missing[0]}",
            "Give a folder with a file of all documents of each corpus: "
            f"{', '.join(file.name for file in files)}.",
        )
    train, dev = (f"{reader}.corpora" for reader in readers)
    return [
        Source(file, name, (f"{train}.{name}.path", f"{dev}.{name}.path"))
        for file, name in zip(files, names, strict=True)
    ]


def _write_fold(
    files: Sequence[Path], docs: Sequence[Doc], parts: list[list[int]], number: int
) -> None:
    """Write the documents to train on, and those of the part of this number."""
    others = [i for part in parts if part is not parts[number] for i in part]
    for file, chosen in zip(files, (others, parts[number]), strict=True):
        bin_ = DocBin(docs=[docs[i] for i in chosen], store_user_data=True)
        write_bytes(file, bin_.to_bytes())


def _folder(output: Path, number: int) -> Path:
    return output / f"fold{number + 1}"


def _is_begun(folder: Path) -> bool:
    return Checkpoint(folder).is_unfinished or (folder / DIR_MODEL_LAST).exists()


def _remove_fold(folder: Path, written: Sequence[Path]) -> None:
    """Remove the pipelines and documents of a fold; what else is there stays."""
    remove_folders(*(folder / name for name in MODELS))
    for file in written:
        file.unlink()
    for place in [*{file.parent for file in written}, folder]:
        with suppress(OSError):  # it is not empty
            place.rmdir()


def _read(data: Path) -> list[Doc]:
    with sound(f"{data} is no .spacy file", "Make one by `spacy attn convert`."):
        return list(DocBin().from_disk(data).get_docs(Vocab()))


def _check_key(docs: Sequence[Sequence[Doc]], key: str | None, data: Path) -> None:
    """Raises UserError if no document has the key."""
    if key and all(_group_of(doc, key) is None for own in docs for doc in own):
        raise UserError(
            f"--group-key {key}: no document of {data} has this key in its user_data, "
            "its meta or as an extension",
            "Name one that they have, such as id.",
        )


def _group_of(doc: Doc, key: str) -> str | None:
    """The value of a key of `user_data`, of its meta or of an extension, if any."""
    data: Any = doc.user_data
    meta = data.get(META)
    own = meta.get(key) if isinstance(meta, dict) else None
    for value in (data.get(key), own, data.get(("._.", key, None, None))):
        if value is not None:
            return str(value)
    return None


def split(
    docs: Sequence[Doc], folds: int, seed: int, group_key: str | None = None
) -> list[list[int]]:
    """The numbers of the documents in each of so many parts.

    Sentences of one document stay together, and documents with the same value of the
    key; parts hold about as many tokens each.

    Raises UserError if there are fewer documents than parts.
    """
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, doc in enumerate(docs):
        keyed = _group_of(doc, group_key) if group_key else None
        own = doc.user_data.get(GROUP, ("alone", number))
        groups[own if keyed is None else ("keyed", keyed)].append(number)
    if not 2 <= folds <= len(groups):
        what = f"groups by {group_key}" if group_key else "documents"
        raise UserError(
            f"{folds} folds of {len(groups)} {what}",
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


def _scores_before(
    output: Path, folds: int, about: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """Of the folds that are done; raises UserError if they are of something else."""
    path = output / RESULTS
    there = [_folder(output, n) for n in range(folds) if _folder(output, n).exists()]
    if not path.exists():
        if there:
            raise UserError(
                f"{there[0]} is there and {path} is not: it is no fold of crossval's",
                "Name another --output; nothing in it was changed.",
            )
        return {}
    with sound(f"{path} cannot be read", AGAIN):
        found = json.loads(path.read_text("utf8"))
        scores = found.pop("scores")
    if scores or any(map(_is_begun, there)):
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
