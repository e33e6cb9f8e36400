"""Relations of documents whose tokens are merged or split later."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from spacy_attnner.relations import (
    Relation,
    copy_doc,
    doc_from_json,
    doc_to_json,
    get_relations,
    merge_docs,
    realign_relations,
    set_relations,
    span_to_doc,
)

VOCAB = spacy.blank("en").vocab
WORDS = ["Mira", "Okafor", "left", "Kestrel", "Lines", "for", "Bergen", "."]
SPACES = [True] * 6 + [False] * 2


@pytest.fixture
def doc():
    doc = Doc(VOCAB, words=WORDS, spaces=SPACES)
    ents = [Span(doc, 0, 2, "PER"), Span(doc, 3, 5, "ORG"), Span(doc, 6, 7, "LOC")]
    doc.ents = ents
    relations = [(0, 1, "Left", 0.75), (1, 2, "Serves", 0.5), (2, 0, "Got", 1.0)]
    set_relations(doc, [Relation(ents[h], ents[t], r, p) for h, t, r, p in relations])
    return doc


def merge(doc, *bounds):
    with doc.retokenize() as retokenizer:
        for start, end in bounds:
            retokenizer.merge(doc[start:end])


def split(doc, i, orths):
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[i], orths, heads=[(doc[i], 0)] * len(orths))


def readable(doc):
    return [
        (r.head.text, r.head.label_, r.label, r.tail.text, r.tail.label_, r.score)
        for r in get_relations(doc)
    ]


EXPECTED = [
    ("Mira Okafor", "PER", "Left", "Kestrel Lines", "ORG", 0.75),
    ("Kestrel Lines", "ORG", "Serves", "Bergen", "LOC", 0.5),
    ("Bergen", "LOC", "Got", "Mira Okafor", "PER", 1.0),
]
CHANGES = {
    "an argument merged": lambda doc: merge(doc, (0, 2)),
    "all arguments merged": lambda doc: merge(doc, (0, 2), (3, 5)),
    "another token split": lambda doc: split(doc, 2, ["le", "ft"]),
    "the first of an argument split": lambda doc: split(doc, 0, ["Mi", "ra"]),
    "the last of an argument split": lambda doc: split(doc, 6, ["Ber", "gen"]),
}


def test_why_it_is_needed(doc):
    """spaCy leaves the token indices of span groups as they were."""
    doc.spans["mine"] = SpanGroup(doc, spans=list(doc.spans["relations"]))
    merge(doc, (0, 2), (3, 5))
    group = doc.spans["mine"]
    assert [group[0].text, group[1].text] == ["Mira Okafor left", "for Bergen"]
    with pytest.raises(IndexError, match="E035"):
        group[2]


@pytest.mark.parametrize("name", CHANGES)
def test_arguments_are_found_by_their_characters(doc, name):
    CHANGES[name](doc)
    assert readable(doc) == EXPECTED
    assert [relation.head.doc for relation in get_relations(doc)] == [doc] * 3


@pytest.mark.parametrize("name", CHANGES)
def test_realigned_relations(doc, name):
    """They stand on the new tokens, for spaCy's own functions, too."""
    CHANGES[name](doc)
    assert realign_relations(doc) == 0
    texts = [span.text for span in doc.spans["relations"]]
    assert texts == ["Mira Okafor", "Kestrel Lines", "Bergen"]
    restored = next(DocBin(docs=[doc]).get_docs(VOCAB))
    assert readable(doc) == readable(doc.copy()) == readable(restored) == EXPECTED


def test_documents_that_spacy_read(doc):
    """Their groups are spaCy's own until a function of this package reads them."""
    for read in (get_relations, realign_relations):
        restored = Doc(VOCAB).from_bytes(doc.to_bytes())
        merge(restored, (0, 2), (3, 5))
        for store in (Doc.to_bytes, lambda doc: DocBin(docs=[doc])):
            with pytest.raises(IndexError, match="E035"):  # past the last token
                store(restored)
        read(restored)
        again = Doc(VOCAB).from_bytes(restored.to_bytes())
        assert readable(again) == EXPECTED


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    "transfer",
    [
        copy_doc,
        lambda doc: doc_from_json(VOCAB, doc_to_json(doc)),
        lambda doc: merge_docs([doc]),
        lambda doc: span_to_doc(doc[:]),
    ],
    ids=["copy_doc", "json", "merge_docs", "span_to_doc"],
)
def test_what_moves_relations_moves_them_then_too(doc, name, transfer):
    CHANGES[name](doc)
    assert readable(transfer(doc)) == EXPECTED


def test_an_argument_that_ends_inside_a_merged_token_takes_all_of_it(doc):
    merge(doc, (2, 4))
    company = ("left Kestrel Lines", "ORG")
    assert readable(doc) == [
        ("Mira Okafor", "PER", "Left", *company, 0.75),
        (*company, "Serves", "Bergen", "LOC", 0.5),
        EXPECTED[2],
    ]
    assert readable(copy_doc(doc)) == readable(doc.copy()) == readable(doc)
    assert realign_relations(doc) == 0
    assert readable(doc.copy()) == readable(doc)


def test_arguments_of_one_merged_token(doc):
    """Their relation is lost unless their types still tell them apart."""
    ends = [Span(doc, 0, 1, "PART"), Span(doc, 1, 2, "PART"), Span(doc, 3, 5, "ORG")]
    pairs = [
        *((0, 1, "Before", 1.0), (0, 2, "Left", 0.25)),
        *((1, 2, "Left", 0.75), (2, 1, "Lost", 0.5)),
    ]
    set_relations(doc, [Relation(ends[h], ends[t], r, p) for h, t, r, p in pairs])
    merge(doc, (0, 2))
    expected = [
        ("Mira Okafor", "PART", "Left", "Kestrel Lines", "ORG", 0.75),
        ("Kestrel Lines", "ORG", "Lost", "Mira Okafor", "PART", 0.5),
    ]
    assert readable(doc) == expected
    assert realign_relations(doc) == 2
    assert readable(doc) == expected
    other = [Span(doc, 0, 1, "PER"), Span(doc, 0, 1, "PART")]
    set_relations(doc, [Relation(*other, "Is")])
    assert readable(doc) == [("Mira Okafor", "PER", "Is", "Mira Okafor", "PART", 1.0)]


def test_nothing_to_realign(doc):
    group = doc.spans["relations"]
    assert realign_relations(doc) == 0
    assert doc.spans["relations"] is group
    assert realign_relations(Doc(VOCAB, words=WORDS)) == 0


def test_characters_that_the_text_does_not_have(doc):
    longer = Doc(VOCAB, words=[*WORDS, "So", "did", "Oslo"])
    set_relations(longer, [Relation(longer[0:2], longer[10:11], "Near")])
    doc.spans.from_bytes(longer.spans.to_bytes())
    message = r"characters 51 to 55 lies outside the document 'Mira .*42 characters"
    with pytest.raises(ValueError, match=message):
        get_relations(doc)


def test_copying_keeps_the_other_groups(doc):
    doc.spans["mine"] = [doc[3:5], doc[6:7]]
    doc.spans["mine"].attrs["scores"] = [0.5, 0.25]
    doc.spans["yours"] = [doc[0:1]]
    merge(doc, (0, 2))
    copied = copy_doc(doc, leave_out=("relations", "yours"))
    assert list(copied.spans) == ["mine"]
    assert [span.text for span in copied.spans["mine"]] == ["Kestrel Lines", "Bergen"]
    assert copied.spans["mine"].attrs == {"scores": [0.5, 0.25]}
    copied.spans["mine"].attrs["scores"].append(1.0)
    assert doc.spans["mine"].attrs == {"scores": [0.5, 0.25]}
    assert list(doc.spans) == ["relations", "mine", "yours"]
    assert readable(doc) == EXPECTED
