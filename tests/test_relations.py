"""How a document stores its relations. All sentences are invented."""

import json
import pickle

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_attnner.relations import (
    Relation,
    get_relations,
    has_relations,
    set_relations,
)

WORDS = ["Mira", "Okafor", "left", "Kestrel", "Lines", "for", "Bergen", "."]
ENTS = [(0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")]
TRIPLES = [(0, 1, "Left", 0.75), (0, 2, "Went_To", 1.0), (2, 0, "Got", 0.5)]


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


@pytest.fixture
def doc(vocab):
    """Without relations."""
    doc = Doc(vocab, words=WORDS)
    doc.ents = [Span(doc, *ent) for ent in ENTS]
    return doc


@pytest.fixture
def related(doc):
    ents = doc.ents
    set_relations(
        doc, [Relation(ents[h], ents[t], label, p) for h, t, label, p in TRIPLES]
    )
    return doc


def readable(doc):
    return [
        (r.head.text, r.head.label_, r.label, r.tail.text, r.tail.label_, r.score)
        for r in get_relations(doc)
    ]


EXPECTED = [
    ("Mira Okafor", "PER", "Left", "Kestrel Lines", "ORG", 0.75),
    ("Mira Okafor", "PER", "Went_To", "Bergen", "LOC", 1.0),
    ("Bergen", "LOC", "Got", "Mira Okafor", "PER", 0.5),
]


def test_what_is_set_is_got(related):
    assert readable(related) == EXPECTED
    assert all(relation.head.doc is related for relation in get_relations(related))
    assert related._.relations == get_relations(related)


STORAGE = {
    "DocBin": lambda doc: next(
        DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(doc.vocab)
    ),
    "DocBin with user data": lambda doc: next(
        DocBin(docs=[doc], store_user_data=True).get_docs(doc.vocab)
    ),
    "DocBin in another process": lambda doc: next(
        DocBin()
        .from_bytes(DocBin(docs=[doc]).to_bytes())
        .get_docs(spacy.blank("en").vocab)
    ),
    "bytes": lambda doc: Doc(doc.vocab).from_bytes(doc.to_bytes()),
    "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
    "copy": lambda doc: doc.copy(),
}


@pytest.mark.parametrize("name", STORAGE)
def test_storage(name, related):
    restored = STORAGE[name](related)
    assert restored is not related
    assert readable(restored) == EXPECTED
    set_relations(restored, [])  # the copy is its own
    assert readable(related) == EXPECTED


@pytest.mark.parametrize("name", STORAGE)
def test_no_annotation_is_not_an_empty_one(name, doc):
    assert not has_relations(doc)
    assert not has_relations(STORAGE[name](doc))
    assert get_relations(doc) == []
    assert "relations" not in doc.spans
    set_relations(doc, [])
    assert has_relations(doc)
    assert has_relations(STORAGE[name](doc))
    assert get_relations(STORAGE[name](doc)) == []


def test_a_span_group_of_that_name_without_relations(doc):
    """What a user keeps there is not read as relations, and not overwritten."""
    doc.spans["relations"] = [doc[0:2]]
    assert not has_relations(doc)
    assert get_relations(doc) == doc._.relations == []
    assert doc._.rel == {}
    message = r"doc.spans\['relations'\] of the document 'Mira .*' holds spans without"
    for setting in (lambda: set_relations(doc, []), lambda: setattr(doc._, "rel", {})):
        with pytest.raises(ValueError, match=message):
            setting()
    assert [span.text for span in doc.spans["relations"]] == ["Mira Okafor"]
    del doc.spans["relations"]
    set_relations(doc, [])
    assert has_relations(doc)


def test_an_empty_span_group_of_that_name(doc):
    doc.spans["relations"] = []
    assert not has_relations(doc)
    set_relations(doc, [Relation(doc.ents[0], doc.ents[1], "Left")])
    assert len(get_relations(doc)) == 1


@pytest.mark.parametrize(
    "triple",
    [
        *([3, 0, "Left", 1.0], [0, 3, "Left", 1.0], [-1, 0, "Left", 1.0]),
        *([0, 1, "Left"], [0, 1, "Left", 1.0, 1.0], [], "Left", None, 7, {}),
        *(["0", 1, "Left", 1.0], [0.0, 1, "Left", 1.0], [True, 0, "Left", 1.0]),
        *([0, 1, 17, 1.0], [0, 1, "Left", "high"], [0, 1, "Left", None]),
        [0, numpy.int64(1), "Left", 1.0],
    ],
    ids=repr,
)
def test_a_triple_that_is_none(related, triple):
    related.spans["relations"].attrs["triples"].append(triple)
    message = "of the document 'Mira Okafor left Kestrel Lines for Bergen .' is not"
    with pytest.raises(ValueError, match=message) as raised:
        get_relations(related)
    assert f"relation {triple!r} of" in str(raised.value)
    assert "from 0 to 2" in str(raised.value)


def test_triples_that_are_no_list(related):
    related.spans["relations"].attrs["triples"] = "none"
    with pytest.raises(ValueError, match=r"document 'Mira .*are 'none', not a list"):
        get_relations(related)


def test_a_span_that_was_taken_out_of_the_group(related):
    del related.spans["relations"][2]
    with pytest.raises(ValueError, match=r"relation \[0, 2, 'Went_To', 1.0\] of"):
        get_relations(related)


def test_relations_of_another_key(related):
    ents = related.ents
    set_relations(related, [Relation(ents[1], ents[2], "Serves")], key="other")
    (other,) = get_relations(related, key="other")
    assert (other.label, other.score) == ("Serves", 1.0)
    assert get_relations(related)[:-1] == get_relations(related, key="relations")
    assert get_relations(related)[-1] == other


def test_only_plain_values_are_stored(doc):
    ents = doc.ents
    set_relations(doc, [Relation(ents[0], ents[1], "Left", numpy.float32(0.5))])
    ((head, tail, label, score),) = doc.spans["relations"].attrs["triples"]
    assert [type(value) for value in (head, tail, label, score)] == [
        int,
        int,
        str,
        float,
    ]
    json.dumps(doc.spans["relations"].attrs)


def test_setting_replaces(related):
    ents = related.ents
    set_relations(related, [Relation(ents[1], ents[2], "Serves")])
    assert readable(related) == [
        ("Kestrel Lines", "ORG", "Serves", "Bergen", "LOC", 1.0)
    ]


def test_arguments_need_not_be_entities(doc):
    """Nor have a label, and they may overlap."""
    set_relations(doc, [Relation(doc[0:1], doc[0:2], "Part_Of")])
    assert readable(doc) == [("Mira", "", "Part_Of", "Mira Okafor", "", 1.0)]


@pytest.mark.parametrize("name", STORAGE)
def test_arguments_alike_but_for_their_label(name, doc):
    place, company = Span(doc, 3, 5, label="LOC"), Span(doc, 3, 5, label="ORG")
    set_relations(doc, [Relation(place, company, "Same_Name")])
    assert readable(STORAGE[name](doc)) == [
        ("Kestrel Lines", "LOC", "Same_Name", "Kestrel Lines", "ORG", 1.0)
    ]


@pytest.mark.parametrize("name", STORAGE)
def test_overlapping_entities_of_a_span_group(name, doc):
    person, given = Span(doc, 0, 2, label="PER"), Span(doc, 0, 1, label="GIVEN")
    crossing = Span(doc, 1, 5, label="PER")
    doc.spans["entities"] = [person, given, crossing]
    person, given, crossing = doc.spans["entities"]
    relations = [(given, person), (person, crossing), (crossing, given)]
    set_relations(doc, [Relation(*pair, "Near") for pair in relations])
    restored = STORAGE[name](doc)
    assert readable(restored) == [
        ("Mira", "GIVEN", "Near", "Mira Okafor", "PER", 1.0),
        ("Mira Okafor", "PER", "Near", "Okafor left Kestrel Lines", "PER", 1.0),
        ("Okafor left Kestrel Lines", "PER", "Near", "Mira", "GIVEN", 1.0),
    ]
    assert len(restored.spans["entities"]) == 3


def test_knowledge_base_ids_of_arguments_are_kept(doc):
    head = Span(doc, 0, 2, "PER", kb_id="Q7", span_id="mira")
    set_relations(doc, [Relation(head, doc.ents[1], "Left")])
    (relation,) = get_relations(STORAGE["DocBin in another process"](doc))
    assert (relation.head.kb_id_, relation.head.id_) == ("Q7", "mira")


def test_an_argument_of_another_document(doc):
    other = Doc(doc.vocab, words=WORDS)
    message = r"argument 'Mira' of relation 'Left' belongs to another document; .*doc\["
    with pytest.raises(ValueError, match=message):
        set_relations(doc, [Relation(other[0:1], doc[3:5], "Left")])
    assert not has_relations(doc)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda doc: (doc[0:2], doc[3:5], "Left"), "is not a Relation"),
        (lambda doc: Relation(doc[0:2], doc[3:5], ""), "label '' is not a non-empty"),
        (lambda doc: Relation(doc[0:2], doc[3:5], 17), "label 17 is not a non-empty"),  # type: ignore[arg-type]
        (
            lambda doc: Relation(doc[2:2], doc[3:5], "Left"),
            "2:2 of relation 'Left' has",
        ),
        (
            lambda doc: Relation(doc[0:2], doc[3:5], "Left", float("nan")),
            "score nan of relation 'Left' between 'Mira Okafor' and 'Kestrel Lines'",
        ),
        (lambda doc: Relation(doc[0:2], doc[3:5], "Left", "1.0"), "score '1.0' of"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_relation(doc, wrong, message):
    with pytest.raises(ValueError, match=message):
        doc._.relations = [wrong(doc)]
    assert not has_relations(doc)


def test_a_span_and_itself(doc):
    with pytest.raises(ValueError, match="'Left' joins 'Mira Okafor' to itself"):
        set_relations(doc, [Relation(doc.ents[0], doc.ents[0], "Left")])


def test_the_same_relation_twice(doc):
    head, tail, _ = doc.ents
    twice = [Relation(head, tail, "Left", 0.5), Relation(head, tail, "Left")]
    message = "'Left' between 'Mira Okafor' and 'Kestrel Lines' is given twice"
    with pytest.raises(ValueError, match=message):
        set_relations(doc, twice)
    set_relations(doc, [twice[0], Relation(tail, head, "Left")])  # the other way round
    assert len(get_relations(doc)) == 2


def test_the_shape_of_the_tutorial(related):
    """Keys are the first tokens of both arguments."""
    assert related._.rel == {
        (0, 3): {"Left": 0.75},
        (0, 6): {"Went_To": 1.0},
        (6, 0): {"Got": 0.5},
    }


def test_the_tutorial_sets_relations_too(doc, related):
    expected = related._.rel
    other = Doc(doc.vocab, words=WORDS)
    other.ents = [Span(other, *ent) for ent in ENTS]
    other._.rel = expected
    assert other._.rel == expected
    assert readable(other) == EXPECTED
    other._.rel = {(0, 3): {"Left": 1.0, "Led": 0.25}}
    assert [(r.label, r.score) for r in get_relations(other)] == [
        ("Left", 1.0),
        ("Led", 0.25),
    ]


def test_a_key_of_the_tutorial_that_starts_no_entity(doc):
    message = r"argument 1 is not the first token of an entity; .* start at \[0, 3, 6\]"
    with pytest.raises(ValueError, match=message):
        doc._.rel = {(0, 1): {"Left": 1.0}}


def test_gold_annotation_of_the_tutorial_lists_pairs_that_are_not_related(doc):
    doc._.rel = {
        (start, other): {"Left": float((start, other) == (0, 3)), "Led": 0.0}
        for start in (0, 3, 6)
        for other in (0, 3, 6)
    }
    assert readable(doc) == [("Mira Okafor", "PER", "Left", "Kestrel Lines", "ORG", 1)]


@pytest.mark.parametrize("wrong", [[], {0: {}}, {(0, 3, 6): {}}, {(0, 3): "Left"}])
def test_another_shape_than_that_of_the_tutorial(doc, wrong):
    with pytest.raises(ValueError, match=r"is not \{\(head start, tail start\): "):
        doc._.rel = wrong


def test_arguments_that_begin_together_share_an_entry_of_the_tutorial(doc):
    """The highest score is shown, whatever the order."""
    short, long, tail = Span(doc, 0, 1, "PER"), Span(doc, 0, 2, "PER"), doc.ents[1]
    both = [Relation(short, tail, "Left", 0.75), Relation(long, tail, "Left", 0.5)]
    for relations in (both, both[::-1]):
        set_relations(doc, relations)
        assert doc._.rel == {(0, 3): {"Left": 0.75}}
        assert len(doc._.relations) == 2


def test_the_attribute_sets_relations(doc):
    doc._.relations = [Relation(doc.ents[0], doc.ents[1], "Left")]
    assert [relation.label for relation in doc._.relations] == ["Left"]
    assert doc.user_data == {}  # the group is the only store


def test_relations_are_compared_by_value(related):
    assert get_relations(related) == get_relations(related)
    assert get_relations(related)[0] != get_relations(related)[1]
