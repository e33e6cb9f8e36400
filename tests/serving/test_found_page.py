"""The page to paste a text into: its parts, and as Chromium shows it."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
import spacy
from spacy.language import Language

from spacy_attnner.relations import get_relations
from tests.pipeline.conftest import Task
from tests.render.test_in_browser import CHROMIUM, opened, read

from .conftest import served

TEXT = "Mira Okafor works for Kestrel Lines in Bergen ."


def make_nlp() -> Language:
    """Entities, all relations that are looked at, and categories, with explanations."""
    nlp = spacy.blank("en")
    ner, rel, cat = (Task(f"attn_{name}") for name in ("ner", "rel", "textcat"))
    for task in (ner, rel, cat):
        settings = {"threshold": 0.0} if task is rel else {}
        nlp.add_pipe(task.name, config={**task.config, **settings})
    examples = ner.examples(nlp)
    for example, sentence in zip(examples, ner.sentences, strict=True):
        cat.annotate(example.reference, sentence)
        example.predicted.ents = rel.doc(nlp, sentence).ents
        rel.annotate(example.reference, sentence)
    sgd = nlp.initialize(lambda: examples)
    ner.train(nlp, examples, 45, sgd)
    assert get_relations(nlp(TEXT))
    return nlp


@pytest.fixture(scope="module")
def page() -> Iterator[httpx.Client]:
    with served(make_nlp()) as client:
        yield client


def test_the_parts_of_an_answer(page):
    answer = page.post("/show", json={"text": TEXT, "explain": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    headings = re.findall("<h2>(.*?)</h2>", answer.text)
    assert headings == ["Entities", "Relations", "Categories", "Why"]
    assert answer.text.count('class="heat"') >= 3
    plain = page.post("/show", json={"text": "The ferry was late ."}).text
    assert re.findall("<h2>(.*?)</h2>", plain) == ["Categories"]


def test_what_a_text_holds_is_only_shown(page):
    text = "<script>alert(1)</script> Mira Okafor & <img src=x onerror=y>"
    answer = page.post("/show", json={"text": text, "explain": True}).text
    assert "<script" not in answer
    assert "<img" not in answer


def test_explanations_as_json(page):
    row = page.post("/parse", json={"text": TEXT, "explain": True}).json()
    kinds = {each["target"]["kind"] for each in row["explanations"]}
    assert kinds == {"category", "entity", "relation"}
    assert all(len(e["weights"]) == len(e["tokens"]) for e in row["explanations"])
    long = page.post("/parse", json={"text": "a " * 3000, "explain": True})
    assert long.status_code == 422
    assert "texts of up to 5,000 characters are explained" in long.json()["error"]


@pytest.mark.parametrize("path", ["/", "/docs", "/page.js"])
def test_no_page_names_another_place(page, path):
    answer = page.get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.findall(r"""(?:https?:)?//[a-z0-9]""", answer.text)


def shown(url: str, *options: str) -> dict[str, list[str]]:
    """What a page says in the end, which asks no other host."""
    elsewhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    return read(opened(url, "--virtual-time-budget=20000", elsewhere, *options))


in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@in_browser
@pytest.mark.parametrize("options", [(), ("--force-dark-mode",)])
def test_a_text_that_is_read(page, options):
    url = f"{page.base_url}#text={quote(TEXT)}&explain=1"
    found = shown(url, *options)
    assert "Mira" in found["token in"]
    assert found["arc-label"]
    assert {"Entities", "Relations", "Categories", "Why"} <= set(found["h2"])
    assert "PER" in found["td"]


@in_browser
def test_an_error_is_shown(page):
    found = shown(f"{page.base_url}#text={quote('a ' * 3000)}&explain=1")
    assert "texts of up to 5,000 characters" in found["error"][0]
    assert "h2" not in found


@in_browser
def test_the_page_of_requests(page):
    found = shown(str(page.base_url.join("/docs")))
    assert "POST /parse" in found["h2"]
    assert "429" in found["td"]
