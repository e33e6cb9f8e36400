"""Relations that go with their documents: merged, cut, and as JSON."""

import json

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_attnner.relations import (
    Relation,
    doc_from_json,
    doc_to_json,
    get_relations,
    has_relations,
    merge_docs,
    set_relations,
    span_to_doc,
    spans_to_docs,
)

VOCAB = spacy.blank("en").vocab
FIRST = ["Mira", "Okafor", "left", "Kestrel", "Lines", "."]
SECOND = ["Nils", "lives", "in", "Oslo", "."]


def make_doc(words, ents, relations, **kwargs):
    doc = Doc(VOCAB, words=words, **kwargs)
    spans = [Span(doc, *ent) for ent in ents]
    doc.ents = spans
    if relations is not None:
        made = [Relation(spans[h], spans[t], label, p) for h, t, label, p in relations]
        set_relations(doc, made)
    return doc


@pytest.fixture
def first():
    ents = [(0, 2, "PER"), (3, 5, "ORG")]
    return make_doc(FIRST, ents, [(0, 1, "Left", 0.75), (1, 0, "Lost", 0.5)])


@pytest.fixture
def second():
    return make_doc(
        SECOND, [(0, 1, "PER"), (3, 4, "LOC")], [(0, 1, "Live_In", 1.0)], spaces=None
    )


def readable(doc):
    return [
        (r.head.text, r.head.label_, r.label, r.tail.text, r.tail.label_, r.score)
        for r in get_relations(doc)
    ]


OF_FIRST = [
    ("Mira Okafor", "PER", "Left", "Kestrel Lines", "ORG", 0.75),
    ("Kestrel Lines", "ORG", "Lost", "Mira Okafor", "PER", 0.5),
]
OF_SECOND = [("Nils", "PER", "Live_In", "Oslo", "LOC", 1.0)]


# Merging


@pytest.mark.parametrize("ensure_whitespace", [True, False])
def test_merged_documents_keep_their_relations(first, second, ensure_whitespace):
    docs = [first, Doc(VOCAB), second, first]
    merged = merge_docs(docs, ensure_whitespace)
    assert readable(merged) == [*OF_FIRST, *OF_SECOND, *OF_FIRST]
    heads = [relation.head.start for relation in get_relations(merged)]
    assert heads == [0, 3, 6, 11, 14]
    assert merged.text == Doc.from_docs(docs, ensure_whitespace).text
    assert [ent.text for ent in merged.ents[2:4]] == ["Nils", "Oslo"]
    assert readable(first) == OF_FIRST
    assert not has_relations(Doc.from_docs(docs))  # which is why


def test_words_that_no_space_separates():
    ents, relations = [(0, 1, "A"), (1, 2, "B")], [(0, 1, "Near", 1.0)]
    doc = make_doc(["x", "y"], ents, relations, spaces=[True, False])
    for ensure_whitespace, text in ((True, "x y x y"), (False, "x yx y")):
        merged = merge_docs([doc, doc], ensure_whitespace)
        assert merged.text == text
        assert readable(merged) == [("x", "A", "Near", "y", "B", 1.0)] * 2


def test_merging_documents_without_annotation(first):
    plain = Doc(VOCAB, words=SECOND)
    assert not has_relations(merge_docs([plain, plain]))
    plain.spans["relations"] = [plain[0:1]]
    merged = merge_docs([plain, plain])
    assert [span.text for span in merged.spans["relations"]] == ["Nils", "Nils"]
    assert not has_relations(merge_docs([first], exclude=["spans"]))


def test_merging_empty_annotation():
    nothing = make_doc(SECOND, [], [])
    assert has_relations(merge_docs([nothing, nothing]))
    assert readable(merge_docs([nothing, nothing])) == []
    empty = Doc(VOCAB)
    set_relations(empty, [])
    assert has_relations(merge_docs([empty, Doc(VOCAB)])) is True


def test_merging_annotated_with_unannotated_documents(first):
    plain = Doc(VOCAB, words=SECOND)
    message = "'Mira .*' has relation annotation, 'Nils .*' has none: give the latter"
    with pytest.raises(ValueError, match=message):
        merge_docs([first, plain])
    set_relations(plain, [])
    assert readable(merge_docs([first, plain])) == OF_FIRST


def test_merging_nothing():
    with pytest.raises(ValueError, match="no documents to merge"):
        merge_docs([])


def test_merging_relations_of_another_key(first):
    set_relations(first, get_relations(first)[:1], key="other")
    merged = merge_docs([first, first], key="other")
    assert len(get_relations(merged, "other")) == 2
    assert not has_relations(merged, "relations")
    both = merge_docs([first, first])
    assert len(get_relations(both, "other")) == 2
    assert readable(both) == [*OF_FIRST, *OF_FIRST]


# Cutting


def test_a_span_as_a_document(first, second):
    whole = merge_docs([first, second])
    first_part, second_part = spans_to_docs([whole[:6], whole[6:]])
    assert readable(first_part) == readable(span_to_doc(whole[:6])) == OF_FIRST
    assert readable(second_part) == OF_SECOND
    assert [ent.text for ent in second_part.ents] == ["Nils", "Oslo"]
    assert get_relations(second_part)[0].head.start == 0
    across = span_to_doc(whole[3:10])
    assert readable(across) == OF_SECOND  # Mira lies outside
    assert has_relations(span_to_doc(whole[2:3]))
    assert readable(span_to_doc(whole[2:3])) == []
    assert not has_relations(whole[:6].as_doc())  # which is why


def test_overlapping_spans_as_documents():
    """Heads that point out of one span are still right in the next."""
    heads = [1, 1, 1, 1, 1]
    doc = Doc(VOCAB, words=SECOND, heads=heads, deps=["dep"] * 5)
    spans = [doc[2:5], doc[0:5], doc[2:5]]
    parts = list(spans_to_docs(spans))
    for span, part in zip(spans, parts, strict=True):
        expected = [token.head.i for token in span.as_doc()]
        assert [token.head.i for token in part] == expected


def test_a_span_of_a_document_without_annotation(first):
    plain = Doc(VOCAB, words=SECOND)
    assert not has_relations(span_to_doc(plain[1:4]))
    assert list(spans_to_docs([])) == []


def test_a_span_as_a_document_with_its_user_data(first):
    first.user_data["source"] = "a letter"
    assert span_to_doc(first[:5]).user_data == {}
    kept = span_to_doc(first[:5], copy_user_data=True)
    assert kept.user_data == {"source": "a letter"}
    assert readable(kept) == OF_FIRST


def test_relations_are_cut_in_the_order_they_were_set(second):
    spans = list(second.ents)
    labels = ["Z", "B", "A"]
    set_relations(second, [Relation(*spans[::-1], label) for label in labels])
    cut = span_to_doc(second[:4])
    assert [relation.label for relation in get_relations(cut)] == labels


# JSON


def test_json_there_and_back(first):
    data = json.loads(json.dumps(doc_to_json(first)))
    assert data["relations"][0] == {
        "head": {"start": 0, "end": 11, "label": "PER"},
        "tail": {"start": 17, "end": 30, "label": "ORG"},
        "label": "Left",
        "score": 0.75,
    }
    assert "spans" not in data
    restored = doc_from_json(VOCAB, data)
    assert readable(restored) == OF_FIRST
    assert [ent.text for ent in restored.ents] == ["Mira Okafor", "Kestrel Lines"]
    assert doc_to_json(restored) == data
    assert restored.text == Doc(VOCAB).from_json(data).text  # spaCy reads it, too


def test_json_of_relations_from_a_new_vocab(first):
    data = json.loads(json.dumps(doc_to_json(first)))
    assert readable(doc_from_json(spacy.blank("en").vocab, data)) == OF_FIRST


def test_json_tells_no_annotation_from_an_empty_one():
    doc = Doc(VOCAB, words=SECOND)
    assert "relations" not in doc_to_json(doc)
    assert not has_relations(doc_from_json(VOCAB, doc_to_json(doc)))
    set_relations(doc, [])
    assert doc_to_json(doc)["relations"] == []
    assert has_relations(doc_from_json(VOCAB, doc_to_json(doc)))


def test_json_keeps_other_span_groups(first):
    first.spans["mine"] = [first[0:1]]
    data = doc_to_json(first)
    assert list(data["spans"]) == ["mine"]
    restored = doc_from_json(VOCAB, data)
    assert [span.text for span in restored.spans["mine"]] == ["Mira"]
    assert readable(restored) == OF_FIRST


def test_json_of_a_group_of_that_name_without_relations():
    doc = Doc(VOCAB, words=SECOND)
    doc.spans["relations"] = [doc[0:1]]
    restored = doc_from_json(VOCAB, doc_to_json(doc))
    assert [span.text for span in restored.spans["relations"]] == ["Nils"]
    assert not has_relations(restored)


def test_json_has_plain_types(first):
    """numpy scalars, which models leave behind, are no JSON."""
    first.cats = {"letter": numpy.float32(0.5)}
    first.spans["relations"].attrs["triples"][0][3] = 1  # as another program writes it
    with pytest.raises(TypeError):
        json.dumps(first.to_json())
    data = doc_to_json(first)
    assert json.loads(json.dumps(data)) == data
    assert data["cats"] == {"letter": 0.5}
    assert [type(each["score"]) for each in data["relations"]] == [float, float]


def test_json_of_overlapping_arguments_and_knowledge_base_ids():
    doc = Doc(VOCAB, words=FIRST)
    pair = [Span(doc, 0, 1, "GIVEN"), Span(doc, 0, 2, "PER", kb_id="Q7")]
    set_relations(doc, [Relation(*pair, "Part_Of")])
    data = json.loads(json.dumps(doc_to_json(doc)))
    (relation,) = get_relations(doc_from_json(VOCAB, data))
    assert (relation.head.text, relation.head.kb_id_) == ("Mira", "")
    assert (relation.tail.text, relation.tail.kb_id_) == ("Mira Okafor", "Q7")


def test_json_with_custom_attributes_and_the_schema(first):
    if not Doc.has_extension("source"):
        Doc.set_extension("source", default=None)
    first._.source = "a letter"
    data = doc_to_json(first, underscore=["source"])
    assert data["_"] == {"source": "a letter"}
    restored = doc_from_json(VOCAB, data, validate=True)
    assert restored._.source == "a letter"
    assert readable(restored) == OF_FIRST


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"head": {"start": 0, "end": 4}, "label": "Left"}, "needs a head and a tail"),
        ("Left", "relation 'Left' of the document 'Mira .*' needs a head"),
        ({"head": {"start": "a", "end": 4}}, "needs a head and a tail"),
        ({"head": {"start": 1, "end": 4}}, "'start': 1.* does not begin and end with"),
        ({"head": {"start": 90, "end": 94}}, "'start': 90.* does not begin and end"),
    ],
)
def test_json_that_is_no_relation(first, wrong, message):
    data = doc_to_json(first)
    data["relations"] = [wrong]
    with pytest.raises(ValueError, match=message):
        doc_from_json(VOCAB, data)
