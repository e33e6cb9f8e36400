"""Files that hold many documents in one object: LightTag's, spaCy v2's. Invented."""

import json

import pytest
import spacy
from spacy.tokens import DocBin, Span
from spacy.training.gold_io import docs_to_json

from spacy_attnner.corpora import light_tag, spacy_json
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.relations import get_relations, has_relations

from .test_formats_apart import EXAMPLES, TEXT, WORDS, spotted


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert a value of JSON, over several lines; returns documents and summary."""

    def read_value(value, **settings):
        out = tmp_path / "out.spacy"
        summary = convert(write(json.dumps(value, indent=1)), out, **settings)
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary

    return read_value


def example(name, **keys):
    base = json.loads(EXAMPLES["light_tag"])["examples"][0]
    return {**base, "example_id": name, **keys}


def job(*examples, **keys):
    return {**json.loads(EXAMPLES["light_tag"]), "examples": list(examples), **keys}


def test_light_tag_s_examples(read):
    wrong = {**spotted("z", 4, 8, "MOVE"), "correct": False}
    whole = {**spotted("w", 0, 0, "SAD"), "start": None}
    good = example("e1")
    good["annotations"] += [wrong, whole]
    kinds = [{"classname": "news", "class_id": 1}]
    docs, summary = read(
        job(
            good,
            example("e2", annotations=[], seen_by=[]),
            example("e3", annotations=[], classifications=kinds),
        )
    )
    assert [doc.user_data["id"] for doc in docs] == ["e1", "e2", "e3"]
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False, True]
    assert [has_relations(doc) for doc in docs] == [True, False, True]
    assert docs[2].cats == {"news": 1.0}
    assert docs[0].user_data["meta"] == {"page": 2}
    assert summary.repairs == {light_tag.WRONG: 1, light_tag.WHOLE: 1}


def test_light_tag_s_relations(read):
    other = example("e2", annotations=[spotted("v", 0, 3, "PER")])
    nodes = [
        {"id": 1, "tagged_token_id": "x", "children": [2, 3]},
        {"id": 2, "tagged_token_id": "y", "relation_type": "Left", "children": [4]},
        {"id": 3, "tagged_token_id": "v", "relation_type": "Knows"},
        {"id": 4, "tagged_token_id": "x"},
    ]
    docs, summary = read(job(example("e1"), other, relations=nodes))
    (relation,) = get_relations(docs[0])
    assert (relation.head.text, relation.label, relation.tail.text) == (
        "Ada",
        "Left",
        "Oslo",
    )
    assert summary.repairs == {light_tag.APART: 2, light_tag.UNTYPED: 1}
    with pytest.raises(CorpusError, match="relation 2 has the parent 9: no relation"):
        read(job(example("e1"), relations=[{**nodes[1], "parent_id": 9}]))


def test_one_example_is_put_aside(read, tmp_path):
    bad = example("e1", annotations=[spotted("x", 0, 2, "PER")])
    rejects = tmp_path / "rejects.jsonl"
    docs, summary = read(job(bad, example("e2")), rejects=rejects)
    assert [doc.user_data["id"] for doc in docs] == ["e2"]
    (item,) = map(json.loads, rejects.read_text().splitlines())
    assert json.loads(item["record"]) == bad
    assert summary.rejected == 1


def test_spacy_s_own_writer(read):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    doc = nlp("Ada Byron left. Bo stayed in Oslo.")
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 7, 8, "LOC")]
    doc.cats = {"news": 1.0, "sport": 0.25}
    (made,), summary = read([docs_to_json([doc], 3)])
    assert summary.format == "spacy_json"
    assert made.text == doc.text
    assert [(e.text, e.label_) for e in made.ents] == [
        ("Ada Byron", "PER"),
        ("Oslo", "LOC"),
    ]
    assert [sent.text for sent in made.sents] == [sent.text for sent in doc.sents]
    assert made.cats == doc.cats
    assert made.user_data["id"] == "3-0"
    assert summary.repairs in ({}, {spacy_json.LEFT_OUT: 1})


def paragraph(tags=None, **keys):
    tokens = [{"orth": word} for word in WORDS]
    for token, tag in zip(tokens, tags or [], strict=False):
        token["ner"] = tag
    return {"sentences": [{"tokens": tokens}], **keys}


def test_what_spacy_s_json_does_not_say(read):
    parts = [
        paragraph(["U-PER", "O", "-", "-"]),
        paragraph(),
        paragraph(["-"] * 4, raw=TEXT),
    ]
    parts[1]["sentences"][0]["tokens"][0]["tag"] = "NNP"
    docs, summary = read({"paragraphs": parts})
    assert [token.ent_iob_ for token in docs[0]] == ["B", "", "", ""]
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False, False]
    assert not any(doc.cats or doc.user_data.get("id") for doc in docs)
    assert summary.repairs == {spacy_json.PARTLY: 1, spacy_json.LEFT_OUT: 1}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            paragraph(raw="Ada left."),
            "tokens[2] is 'Oslo' where the text has '.'; give",
        ),
        (paragraph(["PER"]), "tag 'PER' is none of O, B-TYPE, I-TYPE"),
        (
            paragraph(cats=[{"label": "a", "value": 7}]),
            "cats[0] 'a' is 7; write 0 to 1",
        ),
        (
            {"sentences": [{"tokens": [{"word": "Ada"}]}]},
            "sentences[0] tokens[0] orth is",
        ),
    ],
)
def test_errors_of_spacy_s_json(read, part, message):
    with pytest.raises(CorpusError) as caught:
        read([{"id": 1, "paragraphs": [part]}])
    assert f"corpus.txt:2: {message}" in str(caught.value)
