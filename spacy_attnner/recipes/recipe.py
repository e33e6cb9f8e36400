"""`spacy attn init-config`: the config of a training, and why it is this one."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import spacy
from spacy.language import Language
from thinc.api import Config

from ..atomic import check_apart, check_file, write_text
from ..errors import UserError, sound
from ..loading import load_pipeline
from ..terminal import visible
from .blocks import (
    TRANSFORMERS,
    WORDS,
    blocks_of,
    freeze,
    leave_out_vectors,
    put_transformer,
)
from .sizes import fit_to_size
from .templates import (
    DONORS,
    FAST,
    FEW,
    NO_VECTORS,
    TASKS,
    TRANSFORMER,
    VECTORS,
    read_carried,
    read_template,
)

STDOUT = Path("-")
GLOVE = "en"  # the language of `spacy attn vectors`
STATIC = ("glove", VECTORS)
SPACY = "python -m spacy"


@dataclass(frozen=True)
class Wish:
    """What a config is wanted for.

    task: A key of `TASKS`.
    lang: Code of a language.
    encoder: A transformer's folder or its name on Hugging Face's hub; "vectors" or
        "glove"; "none"; None takes static vectors where there are some.
    vectors: A pipeline with static vectors, its folder or its package.
    size: How many documents are labelled; None, as many as the template is for.
    fast: The smaller one of two templates.
    gpu: Whether to train on a GPU.
    train: The `.spacy` file or folder to train on, where it is there already.
    """

    task: str
    lang: str = "en"
    encoder: str | None = None
    vectors: str | None = None
    size: int | None = None
    fast: bool = False
    gpu: bool = False
    train: Path | None = None


@dataclass(frozen=True)
class Recipe:
    """A config, as text, and what was chosen.

    warnings: What is missing for a training with it.
    hint: What would be better, if anything.
    """

    text: str
    choice: str
    warnings: list[str]
    hint: str = ""


def write_recipe(wish: Wish, output: Path, *, force: bool = False) -> Recipe:
    """Write a config to a file, complete or not at all; `STDOUT` is the caller's.

    force: Whether to replace a file.

    Raises UserError where it cannot be made or written.
    """
    if output != STDOUT:
        check_file(output, "config.cfg")
        if output.exists() and not force:
            raise UserError(
                f"{output} is there", "Name another file, or replace it with --force."
            )
        inputs = {"vectors": wish.vectors, "encoder": wish.encoder}
        check_apart(output, {**inputs, "documents": wish.train})
    recipe = make_recipe(wish, output)
    if output != STDOUT:
        write_text(output, recipe.text)
    return recipe


def make_recipe(wish: Wish, output: Path = STDOUT) -> Recipe:
    """A config that `spacy train` takes.

    output: The file that it says it is in.

    Raises UserError where there is none.
    """
    nlp = _language(wish.lang)
    wish = replace(wish, lang=nlp.lang)  # such as de, of deu
    kind = _kind(wish)
    warnings = []
    if wish.vectors:
        warnings += _check_vectors(wish.vectors, wish.lang)
    elif kind == VECTORS and wish.lang != GLOVE:
        warnings.append(f"it needs static vectors of {wish.lang!r}: {_vectors(wish)}")
    config = _template(wish, kind)
    config["nlp"]["lang"] = wish.lang
    config["nlp"]["tokenizer"] = nlp.config["nlp"]["tokenizer"]
    config["initialize"]["tokenizer"] = nlp.config["initialize"]["tokenizer"]
    config["paths"]["vectors"] = wish.vectors
    if wish.size is not None:
        fit_to_size(config, wish.size, TASKS[wish.task].documents)
    if wish.gpu:
        _use_gpu(config)
    if kind == TRANSFORMER and find_spec("transformers") is None:
        warnings.append(
            'it needs transformers: pip install "spacy-attnner[transformers]"'
        )
    choice = _choice(wish, kind, config)
    text = "\n".join([*_header(wish, kind, choice, output), config.to_str(), ""])
    return Recipe(text, choice, warnings, _hint(wish, kind))


# what is asked for


def _kind(wish: Wish) -> str:
    """The kind of encoder. Raises UserError for what does not go together."""
    if wish.task not in TASKS:
        raise UserError(
            f"there is no task {wish.task!r}", f"Give one of {_choices(TASKS)}."
        )
    if wish.size is not None and wish.size < 1:
        raise UserError(
            f"--size {wish.size} is no number of documents",
            "Give how many documents are labelled for the training, or leave it out.",
        )
    if wish.train is not None and _has_parts(wish):
        raise UserError(
            f"{wish.task} learns from several corpora, and --data {wish.train} is one",
            "Leave it out: the config begins with the command that takes all of them.",
        )
    kind = TRANSFORMER
    if wish.encoder in STATIC or (
        not wish.encoder and (wish.vectors or wish.lang == GLOVE)
    ):
        kind = VECTORS
    elif wish.encoder in (None, "", NO_VECTORS):
        kind = NO_VECTORS
    if kind == NO_VECTORS and wish.vectors:
        raise UserError(
            f"--encoder none has no use for --vectors {wish.vectors}",
            "Leave out one of the two.",
        )
    if wish.fast and (kind == TRANSFORMER or FAST not in TASKS[wish.task].templates):
        raise UserError(
            f"there is no fast config of {wish.task} "
            f"{'with a transformer' if kind == TRANSFORMER else ''}".rstrip(),
            "--fast is for ner with static vectors or none: leave it out.",
        )
    if kind == TRANSFORMER:
        _check_encoder(str(wish.encoder))
    return kind


def _check_encoder(name: str) -> None:
    """Raises UserError for a folder without an encoder, and what is no name of one."""
    from ..models.pretrained import check_encoder

    try:
        check_encoder(name)
    except ValueError as error:
        raise UserError(
            str(error),
            "--encoder takes the folder of a transformer, its name on Hugging Face's "
            "hub, vectors, or none.",
        ) from error


def _language(lang: str) -> Language:
    with sound(
        f"the language {lang!r} cannot be used",
        "Install what it asks for, or give the code of another language, such as en or "
        "de (https://spacy.io/usage/models#languages); xx fits any.",
    ):
        return spacy.blank(lang)


def _check_vectors(vectors: str, lang: str) -> list[str]:
    """Warnings. Raises UserError where a pipeline has no vectors, or is none."""
    way_out = (
        f"Make some with {SPACY} attn vectors (English) or {SPACY} init vectors, or "
        "name an installed package that has some, such as en_core_web_md."
    )
    if not (Path(vectors).is_dir() or spacy.util.is_package(vectors)):
        raise UserError(
            f"the vectors {vectors!r} are neither a folder nor an installed package",
            way_out,
        )
    nlp = load_pipeline(vectors, way_out)
    if not all(nlp.vocab.vectors.shape):
        raise UserError(f"the pipeline {vectors!r} has no static vectors", way_out)
    if nlp.lang not in (lang, "xx"):
        return [
            f"the vectors {vectors!r} are of a pipeline of {nlp.lang!r}, not {lang!r}"
        ]
    return []


# what is made of it


def _template(wish: Wish, kind: str) -> Config:
    """Raises UserError for vectors that it would not use."""
    task = TASKS[wish.task]
    config = read_template(task, FAST if wish.fast else kind)
    if kind == NO_VECTORS:
        leave_out_vectors(config, read_carried(DONORS[kind]))
    elif kind == TRANSFORMER:
        if kind not in task.templates:
            put_transformer(config, read_carried(DONORS[kind]))
        _name_transformer(config, str(wish.encoder))
        if not wish.vectors:
            leave_out_vectors(config)
        elif not any(blocks_of(config, WORDS)):
            raise UserError(
                f"{wish.task} with a transformer has no use for --vectors "
                f"{wish.vectors}",
                "Leave out one of the two.",
            )
        if task.frozen and _is_small(wish):
            freeze(config)
    return config


def _is_small(wish: Wish) -> bool:
    return wish.size is not None and wish.size <= FEW


def _name_transformer(config: Config, name: str) -> None:
    """Set an encoder, and its width where it is in a folder.

    One of the hub keeps the template's width, to which it is projected.
    """
    config["paths"]["encoder"] = name
    path = Path(name) / "config.json"
    if not path.is_file():
        return
    with sound(f"{path} cannot be read", "Save the encoder again."):
        about = json.loads(path.read_text("utf8"))
        width = about.get("hidden_size", about.get("dim"))
    for block in blocks_of(config, TRANSFORMERS):
        block["width"] = width


def _use_gpu(config: Config) -> None:
    config["system"]["gpu_allocator"] = "pytorch"
    for block in blocks_of(config, TRANSFORMERS):
        block["mixed_precision"] = True


# what is said of it


def _choice(wish: Wish, kind: str, config: Config) -> str:
    """One line: the encoder and the steps, and why."""
    why = "as asked for" if wish.encoder else f"as {GLOVE!r} has GloVe's"
    if kind == TRANSFORMER:
        encoder = f"the transformer {wish.encoder}"
        encoder += " beside static vectors" if wish.vectors else ""
        tunings = [block["tuning"] for block in blocks_of(config, TRANSFORMERS)]
        if all(each["frozen"] == "all" for each in tunings):
            encoder += ", kept as it is"
    elif kind == VECTORS:
        encoder = f"static vectors ({'as given' if wish.vectors else why})"
    else:
        why = why if wish.encoder else f"none are given for {wish.lang!r}"
        encoder = f"learnt words, no static vectors ({why})"
    steps = f"at most {config['training']['max_steps']:,} steps"
    size = "(--size fits them)" if wish.size is None else f"for {wish.size:,} documents"
    return f"{TASKS[wish.task].title}: {encoder}; {steps} {size}"


def _hint(wish: Wish, kind: str) -> str:
    """One line on a pretrained encoder, where it was not asked for and would help."""
    if kind == TRANSFORMER or wish.encoder or wish.fast or not _is_small(wish):
        return ""
    example = "FacebookAI/xlm-roberta-base"
    if wish.lang == GLOVE:
        example = f"the folder that {SPACY} attn encoder encoder makes"
    return (
        f"{wish.size:,} documents lack most words; a pretrained encoder knows them: "
        f"--encoder NAME takes one, such as {example}"
    )


def _header(wish: Wish, kind: str, choice: str, output: Path) -> list[str]:
    """Comments: what it is and how to train with it."""
    config = "config.cfg" if output == STDOUT else str(output)
    train = ["train", config, "--output", "model"]
    for part, path in _parts(wish).items():
        train += [f"--paths.{part}", str(path)]
    if kind == VECTORS and not wish.vectors:
        train += ["--paths.vectors", "vectors"]
    if wish.gpu:
        train += ["--gpu-id", "0"]
    lines = [choice + ".", "", "Train with it:"]
    for part, path in _parts(wish).items():
        if wish.train is None or not path.exists():
            convert = ["attn", "convert", f"{part}.jsonl", str(path)]
            convert += ["--split", "80/10/10"] if _has_parts(wish) else []
            lines.append(f"  {SPACY} {shlex.join(convert)}")
    if kind == VECTORS and not wish.vectors:
        lines.append(f"  {_vectors(wish)}")
    lines.append(f"  {SPACY} {shlex.join(train)}")
    return [f"# {visible(line)}".rstrip() for line in lines]


def _has_parts(wish: Wish) -> bool:
    """Whether it takes folders, each of which has its own train and dev."""
    return "train" not in TASKS[wish.task].paths


def _parts(wish: Wish) -> dict[str, Path]:
    """Where train is, and dev: beside it; or the folders of several corpora."""
    paths = TASKS[wish.task].paths
    if _has_parts(wish):
        return {part: Path(part) for part in paths}
    if wish.train is None:
        return {part: Path(f"{part}.spacy") for part in paths}
    train, dev = paths
    name = f"{dev}{wish.train.suffix}"
    return {train: wish.train, dev: wish.train.with_name(name)}


def _vectors(wish: Wish) -> str:
    """The command that makes vectors of a language."""
    if wish.lang == GLOVE:
        return f"{SPACY} attn vectors vectors"
    return f"{SPACY} init vectors {wish.lang} VECTORS.txt vectors"


def _choices(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
