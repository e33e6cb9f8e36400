"""Documents whose words would break out of every format, and a pipeline of rules."""

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from spacy_attnner.relations import Relation, set_relations

NASTY = [
    "Mira Okafor",
    "it's",
    'say "yes"',
    "a,b;c\td",
    "two\nlines",
    "\r",
    "line\r\nend",
    "{text: 'x'}",
    "`",
    "a``b`",
    "\\",
    "end\\",
    "\\'",
    "\\\\'",
    "\\u0027}) DETACH DELETE n //",
    "\\\\u0060",
    "\\uu0060 \\U00000060",
    "\\u",
    "'}) DETACH DELETE n //",
    "`}) DETACH DELETE n //",
    "x'; MATCH (n) DETACH DELETE n; //",
    "*/ // /* --",
    "> <http://evil> .",
    '" . <http://evil> <http://evil> "x',
    "a:b/c#d?e%20%",
    "..",
    "<script>alert(1)</script> & ]]>",
    "=1+1",
    "@SUM(A1)",
    "😀 \U0010ffff",
    "é e\u0301 \u202e",
    "\x85 \u2028 \u2029 \x0b \x1c",
    "\x00 \x01 \x1b \x7f \ufffe \ufeff",
    " ",
]
VOCAB = Vocab()


@pytest.fixture(params=NASTY, ids=ascii)
def nasty(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make_doc() -> Callable[..., Doc]:
    """`make_doc(head, tail, label, types, score)`: one relation between two words."""

    def make(
        head: str = "Mira",
        tail: str = "Bergen",
        label: str = "Lives_In",
        types: tuple[str, str] = ("PER", "LOC"),
        score: float = 0.75,
    ) -> Doc:
        doc = Doc(VOCAB, words=["Now", head, "lives", "in", tail, "."])
        spans = [Span(doc, 1, 2, types[0]), Span(doc, 4, 5, types[1])]
        # a file may hold what set_relations refuses: no label, a score of NaN
        attrs = {"triples": [[0, 1, label, score]]}
        doc.spans["relations"] = SpanGroup(doc, attrs=attrs, spans=spans)
        return doc

    return make


@pytest.fixture
def unrelated() -> Doc:
    """A document without relation annotation."""
    return Doc(VOCAB, words=["Rain", "."])


@Language.component("test_export_likes", assigns=["doc._.relations"])
def find_likes(doc: Doc) -> Doc:
    """`A likes B`: scores 0.9, or 0.4 where B is one letter."""
    found = []
    for i in range(1, len(doc) - 1):
        if doc[i].text == "likes":
            head, tail = Span(doc, i - 1, i, "PER"), Span(doc, i + 1, i + 2, "THING")
            score = 0.9 if len(tail.text) > 1 else 0.4
            found.append(Relation(head, tail, "Likes", score))
    set_relations(doc, found)
    return doc


@Language.component("test_export_undeclared")
def find_undeclared(doc: Doc) -> Doc:
    """The same, where there is something to find; does not say what it sets."""
    return find_likes(doc) if "likes" in doc.text else doc


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """`make_model(component, …)`: the folder of a pipeline of these components."""

    def make(*components: str) -> Path:
        nlp = spacy.blank("en")
        for name in components or ("sentencizer", "test_export_likes"):
            nlp.add_pipe(name)
        nlp.to_disk(tmp_path / "model")
        return tmp_path / "model"

    return make
