import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.corpora.jsonl import record_to_doc
from spacy_attnner.relations import has_relations

from .as_objects import doc_to_record
from .reading_as import read_as

read_jsonl = read_as("jsonl")

PER, LOC = {"start": 0, "end": 3, "label": "PER"}, {"start": 13, "end": 17}
LOC["label"] = "LOC"
LIVES = {"head": 0, "tail": 1, "label": "Live_In"}
TEXT = {
    "text": "Ada lives in Oslo.",
    "entities": [PER, LOC],
    "relations": [LIVES],
    "cats": {"news": 0, "fiction": True},
    "meta": {"source": "invented"},
}
TOKENS = {
    "tokens": ["Ada", "slept", ".", "Bo", "left", "Oslo"],
    "spaces": [True, False, True, True, True, False],
    "sent_starts": [True, False, False, True, False, False],
    "entities": [
        {"start": 3, "end": 4, "label": "PER"},
        {"start": 5, "end": 6, "label": "LOC"},
    ],
    "relations": [{"head": 0, "tail": 1, "label": "Left"}],
    "cats": {"news": 1},
}


def test_text(nlp):
    doc = record_to_doc(TEXT, nlp)
    assert [(e.text, e.label_) for e in doc.ents] == [("Ada", "PER"), ("Oslo", "LOC")]
    assert [(r.head.text, r.tail.text) for r in doc._.relations] == [("Ada", "Oslo")]
    assert doc.cats == {"news": 0.0, "fiction": 1.0}
    assert not doc.has_unknown_spaces


def test_tokens(nlp):
    doc = record_to_doc(TOKENS, nlp)
    assert doc.text == "Ada slept. Bo left Oslo"
    assert [sent.text for sent in doc.sents] == ["Ada slept.", "Bo left Oslo"]
    assert [(e.text, e.label_) for e in doc.ents] == [("Bo", "PER"), ("Oslo", "LOC")]
    assert record_to_doc({"tokens": ["Ada"]}, nlp).has_unknown_spaces


@pytest.mark.parametrize("form", [{"text": "Ada lives"}, {"tokens": ["Ada", "lives"]}])
def test_an_absent_key_means_not_annotated(nlp, form):
    doc = record_to_doc(form, nlp)
    assert not doc.has_annotation("ENT_IOB")
    assert not has_relations(doc)
    assert doc.cats == {}
    assert doc_to_record(doc, as_text="text" in form) == form or "spaces" in form


@pytest.mark.parametrize("form", [{"text": "Ada lives"}, {"tokens": ["Ada", "lives"]}])
def test_an_empty_list_means_none(nlp, form):
    record = {**form, "entities": [], "relations": []}
    doc = record_to_doc(record, nlp)
    assert doc.has_annotation("ENT_IOB", require_complete=True)
    assert has_relations(doc)
    assert doc_to_record(doc, as_text="text" in form) == record


def test_an_empty_document(nlp):
    for record in ({"text": ""}, {"tokens": []}):
        doc = record_to_doc({**record, "entities": [], "relations": []}, nlp)
        assert len(doc) == 0
        assert has_relations(doc)


def test_entities_may_come_in_any_order(nlp):
    flipped = {"head": 1, "tail": 0, "label": "Live_In"}
    record = {**TEXT, "entities": [LOC, PER], "relations": [flipped]}
    expected = doc_to_record(record_to_doc(TEXT, nlp))
    assert doc_to_record(record_to_doc(record, nlp)) == expected


@st.composite
def token_records(draw):
    """Objects in the form that `doc_to_record` writes."""
    word = st.text("abé日'-1", min_size=1, max_size=3)
    words = draw(st.lists(word, min_size=2, max_size=12))
    n = len(words)
    record = {"tokens": words}
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    if draw(st.booleans()):
        record["spaces"] = draw(flags)
    if draw(st.booleans()):
        record["sent_starts"] = [True, *draw(flags)[1:]]
    label = st.sampled_from(["A", "B-C", "é"])
    entities = []
    if draw(st.booleans()):
        cuts = sorted(draw(st.sets(st.integers(0, n), max_size=6)))
        record["entities"] = entities
        for start, end in pairwise(cuts):
            if draw(st.booleans()):
                entities.append({"start": start, "end": end, "label": draw(label)})
    if draw(st.booleans()):
        pairs = [(h, t) for h in range(len(entities)) for t in range(len(entities))]
        pairs = [(h, t) for h, t in pairs if h != t]
        chosen = st.lists(st.tuples(st.sampled_from(pairs), label), unique=True)
        record["relations"] = [
            {"head": head, "tail": tail, "label": name}
            for (head, tail), name in (draw(chosen) if pairs else [])
        ]
    if draw(st.booleans()):
        record["cats"] = draw(st.dictionaries(label, st.integers(0, 1), min_size=1))
    return record


@settings(deadline=None)
@given(record=token_records())
def test_tokens_survive_the_way_through_a_doc(nlp, record):
    assert doc_to_record(record_to_doc(record, nlp)) == record


@settings(deadline=None)
@given(record=token_records())
def test_text_survives_the_way_through_a_doc(nlp, record):
    text = doc_to_record(record_to_doc(record, nlp), as_text=True)
    tokens = nlp(text["text"])
    entities = text.get("entities", [])
    if all(tokens.char_span(each["start"], each["end"]) for each in entities):
        assert doc_to_record(record_to_doc(text, nlp), as_text=True) == text
    else:
        with pytest.raises(ValueError, match="does not begin and end with a token"):
            record_to_doc(text, nlp)


@settings(deadline=None)
@given(start=st.integers(0, 18), end=st.integers(0, 18))
def test_the_nearest_boundaries_are_some(nlp, start, end):
    text = "Ada lives in Oslo."
    record = {"text": text, "entities": [{"start": start, "end": end, "label": "X"}]}
    try:
        (ent,) = record_to_doc(record, nlp).ents
    except ValueError as error:
        if "nearest" in str(error):
            left, right = str(error).rsplit("(", 1)[1].split(")")[0].split(" to ")
            assert nlp(text).char_span(int(left), int(right)) is not None
        return
    assert (ent.start_char, ent.end_char) == (start, end)


def change(record=TEXT, **keys):
    changed = {**record, **keys}
    return {key: value for key, value in changed.items() if value is not None}


ERRORS = [
    (change(txt="x"), "unknown key 'txt' in document; its keys are text, tokens, spa"),
    (["text"], "document is ['text']; give an object"),
    (change(text=None), "give either text or tokens; the keys are ['cats', 'entities'"),
    (change(tokens=["Ada"]), "give either text or tokens"),
    (change(text=1), "text is 1; give a string"),
    (change(spaces=[True]), "spaces goes with tokens, not with text; remove it"),
    (change(TOKENS, tokens="Ada"), "tokens is 'Ada'; give a list"),
    (change(TOKENS, tokens=["Ada", 1]), "tokens[1] is 1; give a string"),
    (change(TOKENS, tokens=["Ada", ""]), "tokens[1] is empty"),
    (change(TOKENS, spaces=[True]), "spaces has 1 values for 6 tokens"),
    (change(TOKENS, spaces=[1] * 6), "spaces[0] is 1; give true or false"),
    (change(TOKENS, sent_starts=[False] * 6), "sent_starts[0] is false"),
    (change(entities=PER), "give a list"),
    (change(entities=[{**PER, "text": "Ada"}]), "unknown key 'text' in entities[0]"),
    (change(entities=[{"start": 0, "end": 3}]), "missing key 'label' in entities[0]"),
    (change(entities=[{**PER, "end": True}]), "end is True; give a whole number"),
    (change(entities=[{**PER, "label": ""}]), "entities[0] label is empty"),
    (change(entities=[{**PER, "label": "GOD"}]), "unknown label 'GOD'; the labels giv"),
    (change(entities=[{**PER, "end": 19}]), "spans 0 to 19, out of range: the documen"),
    (change(entities=[{**PER, "end": 0}]), "give 0 <= start < end <= 18"),
    (change(entities=[{**PER, "start": -3}]), "spans -3 to 3, out of range"),
    (
        change(TOKENS, entities=[{"start": 5, "end": 7, "label": "LOC"}]),
        "spans 5 to 7, out of range: the document has 6 tokens",
    ),
    (
        change(entities=[PER, {**LOC, "start": 14}]),
        "entities[1] 'slo' (14 to 17) does not begin and end with a token; the nearest "
        "that does is 'Oslo' (13 to 17): give that, or choose --align expand, contr",
    ),
    (
        change(entities=[PER, {"start": 3, "end": 4, "label": "LOC"}]),
        "entities[1] 'LOC' holds whitespace only; remove it",
    ),
    (change(relations=LIVES), "give a list"),
    (
        change(relations=[{**LIVES, "tail": 2}]),
        "relations[0] tail is 2, which is no en",
    ),
    (change(relations=[{**LIVES, "head": -1}]), "head is -1, which is no entity"),
    (change(entities=None), "head is 0, which is no entity: the document has 0"),
    (
        change(relations=[{**LIVES, "tail": 0}]),
        "'Live_In' from 'Ada' to 'Ada' joins an entity to itself; remove it",
    ),
    (change(relations=[{**LIVES, "label": "Eats"}]), "unknown label 'Eats'"),
    (change(relations=[{**LIVES, "score": 1}]), "unknown key 'score' in relations[0]"),
    (change(cats=["news"]), "cats is ['news']; give an object"),
    (
        change(cats={"news": 1.5}),
        "cats['news'] is 1.5; write true, false or a number from 0 to 1",
    ),
    (change(cats={"news": "1"}), "cats['news'] is '1'"),
    (change(cats={"sport": 1}), "unknown label 'sport'"),
]


@pytest.mark.parametrize(("record", "message"), ERRORS)
def test_errors_name_the_line(nlp, write, record, message):
    path = write(f"{json.dumps(TOKENS | {'cats': {}})}\n\n{json.dumps(record)}\n")
    labels = ["PER", "LOC", "Live_In", "Left", "news", "fiction"]
    with pytest.raises(CorpusError) as caught:
        list(read_jsonl(path, nlp, labels=labels))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "Ada"', "invalid JSON, Expecting"),
        (b'{"text": "caf\xe9"}', "is not utf-8; save the file as utf-8"),
    ],
)
def test_lines_that_are_not_json(nlp, write, line, message):
    path = write(b'{"text": "Ada"}\n' + line)
    with pytest.raises(CorpusError) as caught:
        list(read_jsonl(path, nlp))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


def test_an_object_of_all_documents(nlp, write):
    record = {"text": "Ada left.", "entities": []}
    path = write(json.dumps({"version": 1, "documents": [record, record]}, indent=1))
    assert detect_format(path) == "jsonl"
    way_out = "write one a line: jq -c '.\"documents\"\\[\\]' FILE"
    with pytest.raises(CorpusError, match=f"2 others in 'documents'; .*{way_out}"):
        list(read_jsonl(path, nlp))


def test_a_file_without_documents_is_an_error(nlp, write):
    with pytest.raises(CorpusError, match=r"corpus\.txt:1: the file holds no document"):
        list(read_jsonl(write("\n"), nlp))
