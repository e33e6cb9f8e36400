"""spaCy's own commands and rules, with `attn_ner` in the pipeline."""

import json

import pytest
import spacy
from spacy import displacy
from spacy.cli import app
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import DocBin
from typer.main import get_command
from typer.testing import CliRunner

# spaCy's own: overrides of thresholds that are NumPy numbers, low numbers of examples
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


@pytest.fixture(scope="module")
def _stored():
    return {}


@pytest.fixture
def stored(ner, _stored, tmp_path_factory):
    """Folder with a trained pipeline, its config and its corpus; only to be read."""
    if "folder" not in _stored:
        folder = tmp_path_factory.mktemp("stored")
        nlp = ner.trained()
        nlp.to_disk(folder / "model")
        nlp.config.to_disk(folder / "config.cfg")
        docs = [example.reference for example in ner.examples(nlp)]
        DocBin(docs=docs).to_disk(folder / "corpus.spacy")
        _stored["folder"] = folder
    return _stored["folder"]


def run(*args):
    result = CliRunner().invoke(app, list(map(str, args)), prog_name="spacy")
    assert result.exit_code == 0, (args, result.output, result.exception)
    return result.output


def paths(folder):
    corpus = folder / "corpus.spacy"
    return "--paths.train", corpus, "--paths.dev", corpus


def test_the_runner_runs_what_the_command_line_runs():
    assert {"evaluate", "find-threshold"} <= set(get_command(app).commands)


def test_find_threshold(stored, ner, tmp_path):
    """Dropping nothing is best where all that is found is right."""
    nlp = spacy.load(stored / "model")
    confidences = [
        ent._.confidence for doc in nlp.pipe(ner.docs(nlp)) for ent in doc.ents
    ]
    args = str(stored / "model"), stored / "corpus.spacy"
    best, score, scores = find_threshold(
        *args, "attn_ner", "threshold", "ents_f", n_trials=5
    )
    assert list(scores) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert scores[0.0] == score == 1.0
    assert best <= min(confidences)
    assert max(confidences) < 1.0
    assert scores[1.0] == 0.0
    output = run(
        *("find-threshold", *args, "attn_ner", "threshold", "ents_f", "--n_trials", 3)
    )
    assert "Best threshold: 0.0 with ents_f value of 1.0" in output


@pytest.mark.parametrize("command", [["evaluate"], ["benchmark", "accuracy"]])
def test_evaluate(stored, tmp_path, command):
    """With --displacy-path too, though spaCy draws entities of its own `ner` only."""
    output = run(
        *(*command, stored / "model", stored / "corpus.spacy"),
        *("--output", tmp_path / "scores.json", "--displacy-path", tmp_path),
    )
    assert "NER F" in output
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["ents_f"] == 1.0
    assert set(scores["ents_per_type"]) == {"LOC", "ORG", "PER"}


def test_displacy(stored):
    doc = spacy.load(stored / "model")("Tom Lind lives in Stavanger .")
    html = displacy.render(doc, style="ent", page=True, jupyter=False)
    assert html.count('class="entity"') == 2
    html = displacy.render(
        doc, style="span", options={"spans_key": "attn_ner"}, jupyter=False
    )
    assert "PER" in html


def test_debug_data(stored, tmp_path):
    """Of a hundred documents, since spaCy takes fewer for an error."""
    vocab = spacy.blank("en").vocab
    docs = list(DocBin().from_disk(stored / "corpus.spacy").get_docs(vocab))
    corpus = tmp_path / "corpus.spacy"
    DocBin(docs=docs * 17).to_disk(corpus)
    options = "--paths.train", corpus, "--paths.dev", corpus
    output = run("debug", "data", stored / "config.cfg", *options)
    assert "attn_ner" in output
    assert "102 training docs" in output


def test_debug_config(stored):
    output = run("debug", "config", stored / "config.cfg", *paths(stored))
    assert "Config is valid" in output


def test_init_labels(stored, ner, tmp_path):
    run("init", "labels", stored / "config.cfg", tmp_path, *paths(stored))
    file = tmp_path / "attn_ner.json"
    assert json.loads(file.read_text()) == list(ner.labels)
    config = spacy.util.load_config(
        stored / "config.cfg",
        overrides={
            "paths.train": str(stored / "corpus.spacy"),
            "paths.dev": str(stored / "corpus.spacy"),
        },
    )
    config["initialize"]["components"]["attn_ner"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(file)}
    }
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    nlp.initialize()
    assert nlp.get_pipe("attn_ner").labels == ner.labels


# rules before and after it

RULES = [
    {"label": "FIRM", "pattern": "Kestrel Lines"},
    {"label": "MONTH", "pattern": "May"},
]


def entities(doc):
    return [(ent.text, ent.label_, ent._.confidence is None) for ent in doc.ents]


@pytest.mark.parametrize(
    ("place", "overwrite", "expected"),
    [
        # what was there is kept, and has no confidence
        ("first", False, [("Kestrel Lines", "FIRM", True)]),
        # what was there is replaced
        ("first", True, [("Kestrel Lines", "ORG", False)]),
        # spaCy's ruler adds where nothing is, unless it overwrites
        ("last", False, [("Kestrel Lines", "ORG", False)]),
        ("last", True, [("Kestrel Lines", "FIRM", True)]),
    ],
)
def test_entity_ruler(stored, place, overwrite, expected):
    nlp = spacy.load(stored / "model")
    ruler = nlp.add_pipe("entity_ruler", **{place: True})
    ruler.add_patterns(RULES)
    if place == "first":
        nlp.get_pipe("attn_ner").cfg["overwrite"] = overwrite
    else:
        ruler.overwrite = overwrite
    doc = nlp("Kestrel Lines sold two ferries to Nils Aune .")
    assert entities(doc) == [*expected, ("Nils Aune", "PER", False)]
    month = ("May", "MONTH", True)
    doc = nlp("Halden Bank opened an office in Tromsø last May .")
    kept = place == "last" or not overwrite
    assert entities(doc) == [
        ("Halden Bank", "ORG", False),
        ("Tromsø", "LOC", False),
        *([month] if kept else []),
    ]
    again = spacy.tokens.Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert entities(again) == entities(doc)


def test_a_rule_that_agrees_is_the_entity_that_is_kept(stored):
    """Kept entities have no confidence, even where the model finds the same."""
    nlp = spacy.load(stored / "model")
    nlp.get_pipe("attn_ner").cfg["overwrite"] = False
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "ORG", "pattern": "Kestrel Lines", "id": "kestrel"}])
    doc = nlp("Kestrel Lines sold two ferries to Nils Aune .")
    assert entities(doc)[0] == ("Kestrel Lines", "ORG", True)
    assert doc.ents[0].ent_id_ == "kestrel"
