"""Pages as Chromium opens them, where there is one: nothing to complain about."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_attnner.explain import Explanation
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.render import caption, heat, page, picture
from spacy_attnner.render.heat import CSS

NAMES = (
    *("chromium", "chromium-browser", "google-chrome"),
    "chromium-headless-shell",
)
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

# what is measured is written into the page's title, which the DOM shows
MEASURE = """
<script>
const out = [];
for (const text of document.querySelectorAll("text.token")) {
  const box = text.getBBox();
  out.push([text.textContent, box.x, box.x + box.width]);
}
document.title = JSON.stringify(out);
</script>
"""
MEASURE_ARCS = """
<script>
const ends = shape => { const b = shape.getBBox(); return [b.x, b.x + b.width]; };
const title = group => group.querySelector("title").textContent;
const all = (kind, inner) => Object.fromEntries(
  [...document.querySelectorAll(kind)]
    .map(g => [title(g), ends(g.querySelector(inner))])
);
document.title = JSON.stringify(
  [all(".entity", "rect"), all(".relation", "path"), all(".relation", "polygon")]
);
</script>
"""
MEASURE_COLORS = """
<script>
const spans = [...document.querySelectorAll(".heat span")];
document.title = JSON.stringify(
  spans.map(s => [s.title, getComputedStyle(s).backgroundColor])
);
</script>
"""
MEASURE_HEAT = """
<script>
const spans = [...document.querySelectorAll(".heat span")];
const places = spans.map(s => [s.getBoundingClientRect().left, s.textContent]);
document.title = JSON.stringify(places);
</script>
"""


def opened(url: str, *options: str) -> str:
    """A page's DOM, after it was opened without a word on the console."""
    done = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"),
            *("--enable-logging=stderr", "--virtual-time-budget=3000", *options),
            *("--dump-dom", url),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


class Texts(HTMLParser):
    """The texts of elements, by their class."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self.title = ""
        self._classes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in ("meta", "rect", "path", "polygon"):
            self._classes.append(dict(attrs).get("class") or tag)

    def handle_endtag(self, tag: str) -> None:
        if self._classes:
            self._classes.pop()

    def handle_data(self, data: str) -> None:
        if self._classes:
            self.found.setdefault(self._classes[-1], []).append(data)


def read(dom: str) -> dict[str, list[str]]:
    parser = Texts()
    parser.feed(dom)
    return parser.found


@pytest.fixture
def doc():
    words = [
        "Mira",
        "<script>alert(1)</script>",
        "&amp;",
        '"Kestrel"',
        "\u202eabc",
        "漢字",
    ]
    doc = Doc(spacy.blank("en").vocab, words=words)
    doc.ents = [Span(doc, 0, 1, label="PER"), Span(doc, 3, 4, label="ORG")]
    set_relations(doc, [Relation(doc.ents[0], doc.ents[1], "Work_For", 0.9)])
    return doc


def test_a_picture(doc, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page("<b>&", [picture(doc).svg]), "utf8")
    found = read(opened(path.as_uri()))
    assert found["token"] == [doc[1].text, doc[2].text, "\ufffdabc", doc[5].text]
    assert found["token in"] == ["Mira", '"Kestrel"']
    assert found["arc-label"] == ["Work_For"]
    assert found["h1"] == ["<b>&"]


def test_tokens_are_as_wide_as_they_were_laid_out(doc, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page("p", [picture(doc).svg, MEASURE]), "utf8")
    titles = read(opened(path.as_uri()))["title"]
    places = json.loads(titles[0])
    shown = [token.text.replace("\u202e", "\ufffd") for token in doc]
    assert [place[0] for place in places] == shown
    for (_, _, end), (_, start, _) in pairwise(places):
        assert end <= start + 1.0


def test_arcs_join_their_entities(doc, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page("p", [picture(doc).svg, MEASURE_ARCS]), "utf8")
    boxes, arcs, arrows = json.loads(read(opened(path.as_uri()))["title"][0])
    ((title, (left, right)),) = arcs.items()
    assert title == 'Mira Work_For "Kestrel", 0.900'
    assert boxes["PER"][0] < left < boxes["PER"][1]
    assert boxes["ORG"][0] < right < boxes["ORG"][1]
    assert sum(arrows[title]) / 2 == pytest.approx(right, abs=0.5)


def test_heat_has_the_colours_of_its_weights(tmp_path):
    found = Explanation(
        component="attn_textcat",
        target={"kind": "category", "label": "GOOD"},
        probability=0.9,
        method="attention",
        tokens=["A", "fine", "ship"],
        spaces=[True, True, False],
        weights=[0.5, -0.25, 0.0],
    )
    path = tmp_path / "page.html"
    path.write_text(page("why", [heat(found), MEASURE_COLORS], CSS), "utf8")
    assert json.loads(read(opened(path.as_uri()))["title"][0]) == [
        ["0.500", "rgba(232, 135, 58, 0.7)"],
        ["-0.250", "rgba(66, 105, 208, 0.35)"],
        ["0.000", "rgba(0, 0, 0, 0)"],
    ]


def test_heat_runs_as_the_text_does(tmp_path):
    words = ["דני", "עובד", "ב", "Google", "Maps", "היום"]
    found = Explanation(
        component="attn_textcat",
        target={"kind": "category", "label": "GOOD"},
        probability=0.9,
        method="attention",
        tokens=words,
        spaces=[True] * len(words),
        weights=[0.5] * len(words),
    )
    path = tmp_path / "page.html"
    path.write_text(page("why", [heat(found), MEASURE_HEAT], CSS), "utf8")
    places = json.loads(read(opened(path.as_uri()))["title"][0])
    shown = [word for _, word in sorted(places)]
    assert shown == ["היום", "Google", "Maps", "ב", "עובד", "דני"]


def test_an_explanation(tmp_path):
    found = Explanation(
        component="attn_textcat",
        target={"kind": "category", "label": "GOOD"},
        probability=0.9,
        method="attention",
        tokens=["A", "<i>", "ship"],
        spaces=[True, True, False],
        weights=[0.5, -0.25, 0.0],
    )
    path = tmp_path / "page.html"
    path.write_text(page("why", [f"<p>{caption(found)}</p>", heat(found)], CSS), "utf8")
    texts = read(opened(path.as_uri(), "--force-dark-mode"))
    assert texts["span"] == ["A", "<i>", "ship"]


def test_a_report(tmp_path):
    from spacy.training import Example

    from spacy_attnner.report.content import make_report
    from spacy_attnner.report.html import to_html

    nlp = spacy.blank("en")
    examples = []
    for gold, score in ((1.0, 0.9), (0.0, 0.8), (0.0, 0.1)):
        one, other = nlp("a <text>"), nlp("a <text>")
        one.cats = {"A": score, "B": 1 - score}
        other.cats = {"A": gold, "B": 1 - gold}
        examples.append(Example(one, other))
    path = tmp_path / "report.html"
    path.write_text(to_html(make_report(examples, model="m", data="d")), "utf8")
    assert "Categories" in read(opened(path.as_uri()))["h2"]
