"""A small pipeline, rows for it, and the command that lets it read them."""

import json
import random
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import spacy

from spacy_attnner.batch import engine
from spacy_attnner.batch.engine import Applied, Options, apply_pipeline
from spacy_attnner.loading import load_pipeline

WORDS = (
    *("Mira", "Nils", "Kestrel", "Bergen", "ferry", "rain"),
    *("left", "Oslo", "for", "the", "coast", "again"),
)
TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 8,
    "depth": 1,
    "embed_size": 50,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": False,
    "pretrained_vectors": None,
}
# on texts with these words it fails, runs out of memory, or drops, doubles or changes
# the text
CODE = """
import os, signal
from spacy import Language
from spacy.tokens import Doc

@Language.component("test_apply_difficult")
def difficult(doc):
    return doc

class Difficult:
    def __call__(self, doc):
        return next(self.pipe([doc]))

    def pipe(self, docs, batch_size=1):
        docs = list(docs)
        if sum(map(len, docs)) > 60:
            raise MemoryError("too much at a time")
        for doc in docs:
            if "explode" in doc.text:
                raise RuntimeError(f"cannot read {doc.text!r}")
            if "kill" in doc.text and not os.path.exists(doc.text.split()[-1]):
                if "kill once" in doc.text:
                    open(doc.text.split()[-1], "x").close()
                os.kill(os.getpid(), signal.SIGKILL)
            if "other" in doc.text:
                doc = Doc(doc.vocab, [token.text for token in doc][1:])
            if "vanish" not in doc.text:
                yield doc
            if "double" in doc.text:
                yield doc

Language.factory("test_apply_difficult_pipe", func=lambda nlp, name: Difficult())
"""


def make_small() -> spacy.language.Language:
    """Untrained beside a rule: what it finds means nothing, and is always the same."""
    spacy.util.fix_random_seed(1)
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    tagger = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": TOK2VEC}
    ner = nlp.add_pipe("attn_ner", config={"model": tagger, "overwrite": False})
    settings = {"model": {"tok2vec": {"width": 8, "characters": None}}}
    rel = nlp.add_pipe(
        "attn_rel", config={**settings, "threshold": 0.0, "known_types_only": False}
    )
    textcat = nlp.add_pipe("attn_textcat", config=settings)
    for pipe, labels in (
        (ner, ("PER", "LOC")),
        (rel, ("Lives_In",)),
        (textcat, ("POSITIVE", "NEGATIVE")),
    ):
        for label in labels:
            pipe.add_label(label)  # type: ignore[attr-defined]
    nlp.initialize()
    ruler.add_patterns(  # type: ignore[attr-defined]
        [{"label": "PER", "pattern": "Mira"}, {"label": "LOC", "pattern": "Bergen"}]
    )
    return nlp


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("apply") / "model"
    make_small().to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def difficult(tmp_path_factory, model) -> tuple[Path, Path]:
    """The same with a component that fails, and the code that it needs."""
    folder = tmp_path_factory.mktemp("difficult")
    code = folder / "test_apply_code.py"
    code.write_text(CODE)
    spacy.util.import_file("python_code", code)
    sys.modules.pop("python_code", None)
    nlp = spacy.load(model)
    nlp.add_pipe("test_apply_difficult_pipe", first=True)
    nlp.to_disk(folder / "model")
    return folder / "model", code


def make_texts(n: int) -> list[str]:
    """Texts of 1 to 12 words, all different."""
    draw = random.Random(0)
    return [
        " ".join([*draw.choices(WORDS, k=draw.randint(0, 11)), f"n{i}"])
        for i in range(n)
    ]


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


@pytest.fixture
def rows(tmp_path) -> Path:
    """30 rows as .jsonl, with ids and metadata."""
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"text": text, "id": f"r{i}", "year": 1990 + i})
        for i, text in enumerate(make_texts(30))
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def _loaded() -> dict[str, spacy.language.Language]:
    return {}


@pytest.fixture
def apply(model, _loaded, monkeypatch) -> Callable[..., Applied]:
    """`apply(texts, output, **options)` in parts of 7 rows; pipelines are loaded once,
    except where they are changed.
    """

    def load(path: str) -> spacy.language.Language:
        if path not in _loaded:
            _loaded[path] = load_pipeline(path)
        return _loaded[path]

    def run(
        texts: Path | str,
        output: Path | BytesIO,
        *,
        resume: bool = False,
        overwrite: bool = False,
        pipeline: Path = model,
        **options,
    ) -> Applied:
        changed = options.get("precision") or options.get("max_length")
        once = load_pipeline if changed else load
        monkeypatch.setattr(engine, "load_pipeline", once)
        return apply_pipeline(
            str(pipeline),
            str(texts),
            output,
            Options(**{"part_rows": 7, **options}),
            resume=resume,
            overwrite=overwrite,
        )

    return run
