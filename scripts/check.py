"""Load a pipeline and show what it makes of three sentences.

python scripts/check.py en_attnner [--output FILE]
"""

from pathlib import Path

import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc, Span
from wasabi.tables import table
from wasabi.util import color

from spacy_attnner import get_confidence, get_relations
from spacy_attnner.atomic import check_apart, check_file, write_text
from spacy_attnner.errors import UserError
from spacy_attnner.loading import load_pipeline, running
from spacy_attnner.terminal import Commands, visible, visible_lines

app = Commands()
SENTENCES = (
    "Maria Delgado, a surgeon at Lindholm Hospital in Stockholm, said on Monday that "
    "the new ward had saved forty lives.",
    "Shares of Norvik Steel, which is based in Trondheim, Norway, fell by a fifth "
    "after its chairman Erik Solberg resigned in disgrace.",
    "Police in Chicago said that Peter Novak, who shot the Czech journalist Jana "
    "Horakova outside the Palmer House Hotel, was born in Prague.",
)
COLORS = ("green", "yellow", "blue", "blue")  # of the columns


@app.command()
def main(name: str, output: Path | None = None) -> None:
    """Show what the installed pipeline NAME, or one in a folder, finds.

    --output: a text file to write it to, too.
    """
    if output is not None:
        check_file(output)
        check_apart(output, {"pipeline": name})
    nlp = load_installed(name)
    with running(name):
        shown, plain = describe(nlp, colored=True), describe(nlp)
    typer.echo(shown)
    if output is not None:
        write_text(output, plain)


def load_installed(name: str) -> Language:
    """Load an installed pipeline, or one in a folder.

    Raises UserError if there is none of that name, or it does not load.
    """
    if not (Path(name).is_dir() or spacy.util.is_package(name)):
        raise UserError(
            f"the pipeline {name!r} is not installed in this environment",
            "Install it: python -m spacy project run install --force; or, if it was "
            "never built: python -m spacy project run all",
        )
    return load_pipeline(
        name, "Build and install it again: python -m spacy project run all . --force"
    )


def describe(nlp: Language, *, colored: bool = False) -> str:
    """What the pipeline is and what it finds in `SENTENCES`, as text."""
    meta = nlp.meta
    title = f"{meta['lang']}_{meta['name']} {meta['version']}"
    parts = [_heading(title, colored), visible_lines(meta.get("description", ""))]
    for doc in nlp.pipe(SENTENCES):
        parts += ["", _heading(doc.text, colored), *_tables(doc, colored)]
    return "\n".join(parts) + "\n"


def _heading(text: str, colored: bool) -> str:
    text = visible(text)
    return color(text, fg="cyan", bold=True) if colored else text


def _tables(doc: Doc, colored: bool) -> list[str]:
    entities = [(ent.text, ent.label_, _confidence(ent)) for ent in doc.ents]
    relations = [
        (rel.label, rel.head.text, rel.tail.text, f"{rel.score:.2f}")
        for rel in get_relations(doc)
    ]
    cats = sorted(doc.cats.items(), key=lambda item: -item[1])
    return [
        _table(("entity", "label", "confidence"), entities, colored),
        _table(("relation", "head", "tail", "score"), relations, colored),
        _table(("category", "score"), [(c, f"{s:.2f}") for c, s in cats], colored),
    ]


def _confidence(ent: Span) -> str:
    value = get_confidence(ent)
    return "-" if value is None else f"{value:.2f}"


def _table(header: tuple[str, ...], rows: list, colored: bool) -> str:
    if not rows:
        return f"\n(no {header[0]})"
    return table(
        [tuple(map(visible, row)) for row in rows],
        header=header,
        divider=True,
        max_col=60,
        fg_colors=COLORS[: len(header)] if colored else None,
    ).rstrip("\n")


if __name__ == "__main__":
    app()
