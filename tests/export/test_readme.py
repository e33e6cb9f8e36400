"""The README's example of exports."""

import re
from pathlib import Path

import spacy

README = Path(__file__).parents[2] / "README.md"


def test_the_example_runs(make_model, tmp_path, monkeypatch):
    section = README.read_text(encoding="utf-8").partition("## Export relations\n")[2]
    code = re.search(r"```py\n(.*?)```", section, flags=re.DOTALL)
    assert code is not None
    monkeypatch.chdir(tmp_path)
    texts = ["Mira likes rain.", "Nils likes X ."]
    known = {
        "nlp": spacy.load(make_model()),
        "texts": texts,
        "named": [(f"{i}.txt", text) for i, text in enumerate(texts)],
    }
    exec(code[1], known)
    assert "entity:PER:Mira" in Path("relations.nt").read_text()
    assert "Nils" not in Path("relations.nt").read_text()  # below the threshold
    edges = known["graph"].edges(data="doc_id")
    assert [name for *_, name in edges] == ["0.txt", "1.txt"]
