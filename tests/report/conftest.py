"""Documents with gold and predicted entities. All sentences are invented."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_attnner import set_confidences

VOCAB = Vocab()
WORDS = ["Mira", "Okafor", "left", "Kestrel", "Lines", "for", "Bergen", "."]
Spans = Sequence[tuple[int, int, str]]


def make_doc(
    words: Sequence[str],
    spans: Spans | None,
    *,
    missing: Sequence[tuple[int, int]] = (),
    spaces: Sequence[bool] | None = None,
) -> Doc:
    """A document with entities; None for no annotation at all."""
    doc = Doc(VOCAB, words=list(words), spaces=list(spaces) if spaces else None)
    if spans is not None:
        doc.set_ents(
            [Span(doc, *span) for span in spans],
            missing=[doc[start:end] for start, end in missing],
            default="outside",
        )
    return doc


@pytest.fixture
def make_example() -> Callable[..., Example]:
    """`make_example(gold, predicted, scores, words, missing)` over the same tokens."""

    def make(
        gold: Spans | None,
        predicted: Spans | None,
        scores: Sequence[float] | None = None,
        words: Sequence[str] = WORDS,
        missing: Sequence[tuple[int, int]] = (),
    ) -> Example:
        doc = make_doc(words, predicted)
        if scores is not None:
            set_confidences(doc, zip(doc.ents, scores, strict=True))
        return Example(doc, make_doc(words, gold, missing=missing))

    return make


PATTERNS = [
    {"label": "PER", "pattern": "Mira Okafor"},
    {"label": "PER", "pattern": "Kestrel Lines"},
    {"label": "LOC", "pattern": "Bergen"},
    {"label": "LOC", "pattern": "May"},
]
# words, entities, where sentences start
CORPUS: list[tuple[str, Spans, tuple[int, ...]]] = [
    (
        "Mira Okafor left Kestrel Lines for Bergen . Bergen was wet .",
        [(0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC"), (8, 9, "LOC")],
        (0, 8),
    ),
    ("Nils stayed until May .", [(0, 1, "PER")], (0,)),
    ("It rained <script>alert(1)</script> & all .", [(2, 3, "PER")], (0,)),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A `.spacy` file of `CORPUS`."""
    docs = []
    for words, spans, starts in CORPUS:
        doc = make_doc(words.split(), spans)
        for token in doc:
            token.is_sent_start = token.i in starts
        docs.append(doc)
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    return tmp_path / "test.spacy"


@Language.component("test_report_scores")
def set_scores(doc: Doc) -> Doc:
    """Scores 0.9 for all entities but those of one token, 0.4."""
    set_confidences(doc, [(ent, 0.9 if len(ent) > 1 else 0.4) for ent in doc.ents])
    return doc


@Language.component("test_report_opens")
def keep_first(doc: Doc) -> Doc:
    """Entities at the beginning of a sentence alone, if sentences are known."""
    if doc.has_annotation("SENT_START"):
        doc.ents = [ent for ent in doc.ents if doc[ent.start].is_sent_start]
    return doc


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """`make_model(scored)`: the folder of a pipeline of rules."""

    def make(scored: bool = True) -> Path:
        nlp = spacy.blank("en")
        nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)  # type: ignore[attr-defined]
        if scored:
            nlp.add_pipe("test_report_scores")
        nlp.to_disk(tmp_path / "model")
        return tmp_path / "model"

    return make
