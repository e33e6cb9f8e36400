"""The commands of the guides in `docs/`, a page for each tool, as they stand there."""

import json
import re
import shlex
from pathlib import Path

import pytest
from spacy.cli import app
from typer.main import get_command
from typer.testing import CliRunner

from spacy_attnner.annotations.exporting import LAYOUTS, export_annotations
from spacy_attnner.cli import attn_cli  # which makes it a command of spaCy's
from spacy_attnner.corpora.conversion import convert

DOCS = Path(__file__).parents[2] / "docs"
# page: the format, and what is exported of the tool
PAGES = {
    "brat": ("brat", "brat"),
    "doccano": ("doccano", "doccano.jsonl"),
    "label-studio": ("label_studio", "label-studio.json"),
    "prodigy": ("prodigy", "prodigy.jsonl"),
    "columns": ("columns", "corpus.tsv"),
}
SHORT = ["--training.max_steps", "2", "--training.eval_frequency", "2"]


def commands(page: str) -> list[list[str]]:
    """Those of the first block of a page, without `python -m spacy`."""
    text = (DOCS / f"{page}.md").read_text("utf-8").replace("\\\n", " ")
    block = re.search(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    assert block is not None
    found = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    assert all(each[:3] == ["python", "-m", "spacy"] for each in found)
    return [each[3:] for each in found]


def write_corpus(format: str, output: str) -> None:
    """Thirty documents as a tool exports them."""
    lines = []
    for i in range(30):
        text = f"{'Ada' if i % 2 else 'Nils'} left {'Oslo' if i % 3 else 'Rome'} ."
        at = text.index("left") + 5
        people = {"start": 0, "end": at - 6, "label": "PER"}
        place = {"start": at, "end": len(text) - 2, "label": "LOC"}
        record = {
            "text": text,
            "entities": [people, place],
            "relations": [{"head": 0, "tail": 1, "label": "Left"}],
        }
        if format == "doccano":
            record = {"text": text, "cats": {"even": int(i % 2 == 0), "odd": i % 2}}
        lines.append(json.dumps({**record, "id": i}))
    Path("made.jsonl").write_text("\n".join(lines))
    convert("made.jsonl", "made.spacy")
    export_annotations("made.spacy", Path(output), format=format)


def test_there_is_a_page_for_each():
    pages = {path.stem for path in DOCS.glob("*.md")} - {"README", "how-many"}
    assert pages == set(PAGES)
    index = (DOCS / "README.md").read_text("utf-8")
    for path in DOCS.glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index
    for name in LAYOUTS:
        assert f"| `{name}` |" in index


@pytest.mark.parametrize("page", PAGES)
def test_the_five_commands(page, tmp_path, monkeypatch):
    format, output = PAGES[page]
    monkeypatch.chdir(tmp_path)
    write_corpus(format, output)
    Path("new.txt").write_text("Ada left Oslo .\nNobody left .\n")
    five = commands(page)
    assert len(five) == 5
    for args in five:
        short = SHORT if args[0] == "train" else []
        result = CliRunner().invoke(app, [*args, *short])
        assert result.exit_code == 0, (args, result.output, result.exception)
    assert Path(five[-1][3]).exists()
    assert f"Exported new.txt to {five[-1][3]}" in result.output
    if page != "label-studio":  # whose predictions are no annotations yet
        convert(five[-1][3], "back.spacy", format=format)


@pytest.mark.parametrize("block", range(2))
def test_other_commands_are_ones_that_there_are(block):
    text = (DOCS / "how-many.md").read_text("utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    attn = get_command(attn_cli)
    for line in blocks[block].splitlines():
        _, _, _, group, name, *rest = shlex.split(line)
        params = attn.commands[name].params  # type: ignore[attr-defined]
        known = {opt for each in params for opt in each.opts}
        assert group == "attn"
        assert {each for each in rest if each.startswith("-")} <= known
