"""The commands of the guides in `docs/`, a page for each tool, as they stand there."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spacy.cli import app
from typer.main import get_command
from typer.testing import CliRunner

from spacy_attnner.annotations.exporting import LAYOUTS, export_annotations
from spacy_attnner.cli import attn_cli  # which makes it a command of spaCy's
from spacy_attnner.corpora.conversion import convert
from tests.corpora.test_formats_apart import cas

DOCS = Path(__file__).parents[2] / "docs"
# page: the format, and what is exported of the tool
PAGES = {
    "brat": ("brat", "brat"),
    "doccano": ("doccano", "doccano.jsonl"),
    "label-studio": ("label_studio", "label-studio.json"),
    "prodigy": ("prodigy", "prodigy.jsonl"),
    "columns": ("columns", "corpus.tsv"),
    "hugging-face": ("hugging_face", "train.jsonl"),
    "inception": ("inception", "inception"),
    "light-tag": ("light_tag", "light-tag.json"),
    "tables": ("table", "reviews.csv"),
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


def make_records() -> list[dict[str, Any]]:
    """Thirty documents, as our own JSONL has them."""
    found = []
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
        found.append({**record, "id": i})
    return found


def write_inception(records: list[dict[str, Any]], output: Path) -> None:
    output.mkdir()
    for record in records:
        made = cas(record["text"], ends(record))
        (output / f"{record['id']}.json").write_text(made.to_json())


def ends(record: dict[str, Any]) -> list[tuple[str, str]]:
    spans = record["entities"]
    return [(record["text"][e["start"] : e["end"]], e["label"]) for e in spans]


def write_light_tag(records: list[dict[str, Any]], output: Path) -> None:
    """A job, with a tree of two nodes for each relation."""
    examples, nodes = [], []
    for i, record in enumerate(records):
        spans = [
            {
                "tagged_token_id": f"{i}-{j}",
                "start": each["start"],
                "end": each["end"],
                "tag": each["label"],
            }
            for j, each in enumerate(record["entities"])
        ]
        nodes.append({"id": 2 * i + 1, "tagged_token_id": f"{i}-0", "children": []})
        child = {"id": 2 * i + 2, "tagged_token_id": f"{i}-1", "parent_id": 2 * i + 1}
        nodes.append({**child, "relation_type": "Left"})
        examples.append({"content": record["text"], "annotations": spans})
    output.write_text(json.dumps({"examples": examples, "relations": nodes}))


def write_table(records: list[dict[str, Any]], output: Path) -> None:
    rows = [f"{r['text']},{('even', 'odd')[r['id'] % 2]}\n" for r in records]
    output.write_text("text,label\n" + "".join(rows))


OWN_WAYS: dict[str, Callable[[list[dict[str, Any]], Path], None]] = {
    "inception": write_inception,
    "light_tag": write_light_tag,
    "table": write_table,
}


def write_corpus(format: str, output: str) -> None:
    """Thirty documents as a tool exports them."""
    records = make_records()
    if format in OWN_WAYS:
        OWN_WAYS[format](records, Path(output))
        return
    if format == "doccano":
        records = [
            {"text": r["text"], "cats": {"even": int(i % 2 == 0), "odd": i % 2}}
            for i, r in enumerate(records)
        ]
    Path("made.jsonl").write_text("\n".join(map(json.dumps, records)))
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
def test_the_commands(page, tmp_path, monkeypatch):
    format, output = PAGES[page]
    monkeypatch.chdir(tmp_path)
    write_corpus(format, output)
    Path("new.txt").write_text("Ada left Oslo .\nNobody left .\n")
    Path("new.csv").write_text("text\nAda left Oslo .\nNobody left .\n")
    six = commands(page)
    assert len(six) == 6
    for args in six:
        short = SHORT if args[0] == "train" else []
        result = CliRunner().invoke(app, [*args, *short])
        assert result.exit_code == 0, (args, result.output, result.exception)
    last = six[-1]
    if last[1] == "apply":
        assert "Wrote 2 of 2 rows to predicted.csv" in result.output
        assert Path("predicted.csv").read_text().count("Ada left Oslo .") == 1
        return
    assert Path(last[3]).exists()
    assert f"Exported new.txt to {last[3]}" in result.output
    if page != "label-studio":  # whose predictions are no annotations yet
        convert(last[3], "back.spacy", format=last[last.index("-f") + 1])


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
