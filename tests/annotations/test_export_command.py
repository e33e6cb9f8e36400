"""`spacy attn export`: predictions, what is left out, and what is refused."""

import itertools
import json
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_attnner.annotations.exporting import LAYOUTS, export_annotations
from spacy_attnner.annotations.layouts import KINDS, OVERLAP
from spacy_attnner.cli import attn_cli
from spacy_attnner.confidence import set_confidences
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.errors import UserError
from spacy_attnner.relations import Relation, set_relations


@Language.component("test_predicts", assigns=["doc.ents", "doc.cats"])
def predict(doc: Doc) -> Doc:
    """Capitalized words, each related to the next, and categories."""
    ents = [Span(doc, t.i, t.i + 1, "NAME") for t in doc if t.text[:1].isupper()]
    doc.set_ents(ents)
    set_confidences(doc, [(ent, 0.75) for ent in ents])
    links = [Relation(a, b, "Next To", 0.5) for a, b in itertools.pairwise(ents)]
    set_relations(doc, links)
    doc.cats = {"news": 0.25, "sport": 0.625}
    return doc


@pytest.fixture
def model(tmp_path) -> str:
    nlp = spacy.blank("en")
    nlp.add_pipe("test_predicts")
    nlp.to_disk(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def texts(tmp_path) -> str:
    path = tmp_path / "in.csv"
    path.write_text('id,text,year\na,"Ada left Oslo , again",1999\nb,nobody,2000\n')
    return str(path)


def run(*args):
    return CliRunner().invoke(attn_cli, ["export", *map(str, args)])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_predictions_for_label_studio(model, texts, tmp_path):
    output = tmp_path / "tasks.json"
    export_annotations(texts, output, format="label_studio", model=model)
    first, second = json.loads(output.read_text())
    assert first["data"] == {"text": "Ada left Oslo , again", "year": "1999", "id": "a"}
    (prediction,) = first["predictions"]
    assert prediction["score"] == 0.5
    assert prediction["model_version"] == "/".join(Path(model).parts[-2:])
    kinds = [(r["type"], r["score"]) for r in prediction["result"]]
    assert kinds == [("labels", 0.75)] * 2 + [("relation", 0.5), ("choices", 0.625)]
    assert "annotations" not in first
    assert second["predictions"][0]["score"] == 0.625


def test_predictions_for_prodigy(model, texts, tmp_path):
    output = tmp_path / "tasks.jsonl"
    export_annotations(texts, output, format="prodigy", model=model)
    first, _ = lines(output)
    assert (first["id"], first["meta"]) == ("a", {"year": "1999"})
    assert [(s["score"], s["token_end"]) for s in first["spans"]] == [
        (0.75, 0),
        (0.75, 2),
    ]
    assert first["relations"][0]["score"] == 0.5
    assert first["accept"] == ["sport"]
    assert first["options"][0] == {"id": "news", "text": "news", "score": 0.25}
    assert "answer" not in first
    convert(output, tmp_path / "out.spacy")


def test_predictions_for_brat(model, texts, tmp_path):
    done = export_annotations(texts, tmp_path / "brat", format="brat", model=model)
    assert (tmp_path / "brat/a.ann").read_text() == (
        "T1\tNAME 0 3\tAda\nT2\tNAME 9 13\tOslo\nR1\tNext_To Arg1:T1 Arg2:T2\n"
        "#1\tAnnotatorNotes T1\tconfidence 0.75\n"
        "#2\tAnnotatorNotes T2\tconfidence 0.75\n"
        "#3\tAnnotatorNotes R1\tconfidence 0.5\n"
    )
    assert (tmp_path / "brat/b.ann").read_text() == ""
    assert done.left_out[KINDS["meta"]] == 2
    assert done.left_out[KINDS["cats"]] == 4


@pytest.mark.parametrize("format", LAYOUTS)
def test_what_is_left_out_is_said(model, texts, tmp_path, format):
    result = run(texts, tmp_path / "out", "-f", format, "-m", model)
    assert result.exit_code == 0, result.output
    holds = LAYOUTS[format].holds
    said = " ".join(result.output.split())
    assert "2 documents: 2 entities" in said
    for what in ("relations", "cats", "id", "meta", "scores"):
        assert (KINDS[what] in said) == (
            what not in holds or (format, what) == (*("brat", "meta"),)
        ), what
    assert ("1 relations" in said) == ("relations" in holds)


def test_given_tokens_and_many_kinds_of_texts(model, tmp_path):
    """What `apply` reads: all of it, each once."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("Ada\nslept")
    (tmp_path / "texts/b.jsonl").write_text('{"text": "Nils left"}\n{"text": ""}\n')
    docs = [Doc(spacy.blank("en").vocab, ["New York", "is", "far"])]
    DocBin(docs=docs).to_disk(tmp_path / "texts/c.spacy")
    output = tmp_path / "out.jsonl"
    done = export_annotations(
        str(tmp_path / "texts"), output, format="jsonl", model=model
    )
    found = lines(output)
    n_entities = sum(len(each.get("entities", ())) for each in found)
    n_relations = sum(len(each.get("relations", ())) for each in found)
    n_cats = sum(len(each["cats"]) for each in found)
    assert n_cats == 8
    assert done.left_out[KINDS["scores"]] == n_cats + n_entities + n_relations
    assert [each["tokens"] for each in found] == [
        *(["Ada", "\n", "slept"], ["Nils", "left"], [], ["New York", "is", "far"]),
    ]
    assert [each.get("id") for each in found] == ["a.txt", None, None, None]
    assert found[1]["cats"] == {"news": 0, "sport": 1}


def save(tmp_path, *docs: Doc) -> str:
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "gold.spacy")
    return str(tmp_path / "gold.spacy")


def make_doc() -> Doc:
    doc = Doc(spacy.blank("en").vocab, ["Uni", "of", "Oslo", "left", "Rome"])
    doc.ents = [Span(doc, 0, 3, "ORG")]
    doc.spans["mine"] = [Span(doc, 2, 3, "LOC")]
    set_relations(doc, [Relation(doc.ents[0], Span(doc, 4, 5, "LOC"), "Left")])
    return doc


def test_span_groups_and_arguments_of_relations(tmp_path):
    """Arguments are entities; groups are written if they are named, else counted."""
    gold, output = save(tmp_path, make_doc()), tmp_path / "out.jsonl"
    done = export_annotations(gold, output, format="jsonl")
    assert [(e["start"], e["label"]) for e in lines(output)[0]["entities"]] == [
        *((0, "ORG"), (4, "LOC")),
    ]
    (kind,) = done.left_out
    assert "--spans-key mine" in kind
    settings = {"spans_keys": ["mine"], "overwrite": True}
    done = export_annotations(gold, output, format="jsonl", **settings)
    assert not done.left_out
    assert len(lines(output)[0]["entities"]) == 3
    done = export_annotations(gold, output, format="hugging_face", **settings)
    assert done.left_out[OVERLAP] == 1
    assert lines(output)[0]["ner_tags"] == ["B-ORG", "I-ORG", "I-ORG", "O", "B-LOC"]
    with pytest.raises(UserError, match="no document has the span group 'other'"):
        export_annotations(
            gold, output, format="jsonl", spans_keys=["other"], overwrite=True
        )


def test_a_text_without_annotations_for_hugging_face(tmp_path):
    gold, output = save(tmp_path, spacy.blank("en")("Ada left.")), tmp_path / "o.jsonl"
    export_annotations(gold, output, format="hugging_face")
    assert lines(output) == [{"text": "Ada left.", "label": None}]
    summary = convert(output, tmp_path / "back.spacy", format="hugging_face")
    assert (summary.docs, summary.annotated.total()) == (1, 0)


def test_entities_on_some_tokens(tmp_path):
    doc = Doc(spacy.blank("en").vocab, ["Ada", "left"])
    doc.set_ents([Span(doc, 0, 1, "PER")], default="missing")
    done = export_annotations(save(tmp_path, doc), tmp_path / "o", format="jsonl")
    assert ["some tokens" in kind for kind in done.left_out] == [True]


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        ((None, None), ["000001", "000002"]),
        (("a", "a"), ["000002", "a"]),
        (("../a", "/b"), ["000001", "000002"]),
        (("a.txt", "b.txt/c"), ["000001", "000002"]),
        (("x" * 300, ".b"), ["000001", "000002"]),
        (("000002", 7), ["000002", "7"]),
        (("a\ud800", "b:c"), ["000001", "000002"]),
    ],
)
def test_names_of_files(tmp_path, ids, names):
    docs = []
    for id in ids:
        doc = make_doc()
        doc.user_data["id"] = id
        docs.append(doc)
    if any("\ud800" in str(id) for id in ids):
        docs[0].user_data["id"] = "a\u0007"
    export_annotations(save(tmp_path, *docs), tmp_path / "out", format="brat")
    assert sorted(p.stem for p in (tmp_path / "out").glob("*.txt")) == names
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gold.spacy", "out"]


def test_labels_and_tokens_with_whitespace(tmp_path):
    doc = Doc(spacy.blank("en").vocab, ["#a=b", "New York", "\n", "Rome", "-DOCSTART-"])
    doc.ents = [Span(doc, 1, 4, "A place")]
    gold = save(tmp_path, doc)
    done = export_annotations(gold, tmp_path / "out", format="columns")
    assert (tmp_path / "out").read_text() == (
        "# newdoc\n_#a=b\tO\nNew_York\tB-A_place\nRome\tI-A_place\n_-DOCSTART-\tO\n\n"
    )
    assert sum(done.left_out.values()) == 5
    convert(tmp_path / "out", tmp_path / "o.spacy")


def test_an_output_that_is_there(model, texts, tmp_path):
    gold = save(tmp_path, make_doc())
    (tmp_path / "out").write_text("dear")
    said = " ".join(run(gold, tmp_path / "out", "-f", "jsonl").output.split())
    assert "out is there" in said
    assert (tmp_path / "out").read_text() == "dear"
    assert run(gold, tmp_path / "out", "-f", "jsonl", "-F").exit_code == 0
    assert (tmp_path / "out").read_text() != "dear"
    assert run(gold, tmp_path / "brat", "-f", "brat").exit_code == 0
    assert run(gold, tmp_path / "brat", "-f", "brat").exit_code == 1
    assert run(texts, tmp_path / "brat", "-f", "brat", "-F", "-m", model).exit_code == 0
    assert sorted(p.name for p in (tmp_path / "brat").iterdir())[:2] == [
        "a.ann",
        "a.txt",
    ]
    (tmp_path / "brat/sub").mkdir()
    (tmp_path / "brat/sub/letter.md").write_text("dear")
    result = run(gold, tmp_path / "brat", "-f", "brat", "-F")
    assert "holds other things: sub/letter.md" in " ".join(result.output.split())
    assert (tmp_path / "brat/sub/letter.md").read_text() == "dear"
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.txt").write_text("dear")
    result = run(gold, tmp_path / "own", "-f", "brat", "-F")
    assert "it has no annotation.conf" in " ".join(result.output.split())
    assert (tmp_path / "own/a.txt").read_text() == "dear"


def test_formats_are_listed(texts, tmp_path):
    result = run(texts, tmp_path / "out", "-f", "?")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(LAYOUTS)
    assert "relations" in result.output.splitlines()[0]


def test_what_cannot_be_used(model, texts, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "Ada"}\n{"text": 3}\n')
    (tmp_path / "none.jsonl").write_text("")
    before = sorted(tmp_path.iterdir())
    for args, problem in (
        ((texts, "-f", "jsonl"), "in.csv holds texts, no annotated documents"),
        ((texts, "-f", "bart", "-m", model), "Name one with --format: brat, doccano"),
        ((tmp_path / "no.spacy", "-f", "jsonl"), "does not exist"),
        (
            (tmp_path / "bad.jsonl", "-f", "brat", "-m", model),
            "bad.jsonl:2: the text is 3",
        ),
        ((tmp_path / "none.jsonl", "-f", "jsonl", "-m", model), "holds no document"),
    ):
        result = run(args[0], tmp_path / "out", *args[1:])
        assert result.exit_code == 1
        assert problem in " ".join(result.output.split())
        assert sorted(tmp_path.iterdir()) == before
