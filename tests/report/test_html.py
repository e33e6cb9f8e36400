"""The page: complete in itself, words escaped. And the text."""

import sys
import warnings
from html.parser import HTMLParser

import pytest

from spacy_attnner.errors import UserError
from spacy_attnner.report.content import make_report
from spacy_attnner.report.html import to_html
from spacy_attnner.report.text import to_text

VOID = {"meta", "path", "use", "rect"}
EVIL = "<script>alert('1')</script>"
WORDS = ["A", EVIL, "&", '"b"', "$x$", "."]
GOLD = [(1, 2, "<b>PER</b>"), (4, 5, "$x$")]
PREDICTED = [(1, 3, "<b>PER</b>"), (3, 4, "都市"), (4, 5, "$x$")]


class Page(HTMLParser):
    """Checks that tags are closed, and keeps what a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [str(v) for k, v in attrs if k.split(":")[-1] in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def report(make_example):
    example = make_example(GOLD, PREDICTED, [0.9, 0.4, 0.8], words=WORDS)
    return make_report([example], model=EVIL, data=EVIL)


@pytest.fixture
def page(report):
    return Page(to_html(report))


def test_words_are_escaped(report, page):
    assert "<script" not in to_html(report).lower()
    assert not page.tags & {"script", "b/per", "img", "link", "iframe"}
    text = "".join(page.words)
    assert text.count(EVIL) >= 4  # title, heading, data, table, context
    assert "<b>PER</b>" in text
    assert "$x$" in text
    assert "都市" in text


def test_a_page_needs_nothing_else(page):
    assert page.links
    assert all(link.startswith(("#", "data:")) for link in page.links)


def test_plots(report, page):
    html = to_html(report)
    assert html.count("<svg") == html.count("</svg>") == 3
    assert html.count("<?xml") == html.count("<!DOCTYPE") - 1 == 0
    assert {"predicted", "gold", "confidence", "F1"} <= {w.strip() for w in page.words}


def test_the_same_report_is_the_same_page(report):
    assert to_html(report) == to_html(report)


def test_without_confidences(make_example):
    report = make_report([make_example(GOLD, PREDICTED, words=WORDS)])
    assert report.calibration is None
    html = to_html(report)
    assert html.count("<svg") == 2
    assert "Confidence" not in html
    assert "Confidence" not in to_text(report)


@pytest.mark.parametrize(
    ("gold", "predicted"), [([], []), (GOLD, []), ([], PREDICTED), (GOLD, GOLD)]
)
def test_nothing_found_or_nothing_wrong(make_example, gold, predicted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = make_report([make_example(gold, predicted, words=WORDS)])
        Page(to_html(report))
        assert "accuracy" in to_text(report)


def test_matplotlib_is_missing(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    from spacy_attnner.report.html import require_matplotlib

    with pytest.raises(UserError, match=r"pip install 'spacy-attnner\[report\]'"):
        require_matplotlib()


def test_text(report):
    text = to_text(report)
    assert "\x1b" not in text
    assert "\x1b" in to_text(report, colored=True)
    for line in (
        "$x$            100.00   100.00   100.00         1",
        "micro avg       33.33    50.00    40.00         2",
        "boundary        1         50.00   overlapping span, same type",
        f'  - -> 都市 0.400: A {EVIL} & ["b"] $x$ .',
    ):
        assert line in text, text
    assert "Expected calibration error" in text


def test_what_was_left_out(make_example):
    examples = [
        make_example(None, GOLD, words=WORDS),
        make_example(GOLD[1:], PREDICTED, words=WORDS, missing=[(1, 2)]),
    ]
    text = to_text(make_report(examples))
    assert "1 documents, 6 tokens" in text
    assert "1 more without entity annotation left out" in text
    assert "1 predictions over tokens whose annotation is missing left out" in text
