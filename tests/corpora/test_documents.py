"""What becomes of what a file says and a document cannot hold. Texts are invented."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora import documents as kinds
from spacy_attnner.corpora.alignment import trim
from spacy_attnner.corpora.complaints import Flaws
from spacy_attnner.corpora.documents import DocumentMaker, Rules
from spacy_attnner.corpora.record import Link, Mention, Record
from spacy_attnner.relations import get_relations

TEXT = "Ada's ship left Oslo, then Bergen."


@pytest.fixture
def make(nlp):
    """Make a document; returns it and what was noted."""

    def make_one(record, **rules):
        notes = []
        maker = DocumentMaker(nlp, Rules(**rules), lambda *note: notes.append(note))
        return maker.make(record), notes

    return make_one


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


@pytest.mark.parametrize(
    ("align", "found"),
    [("expand", "Bergen"), ("split", "Berg")],
)
def test_an_entity_inside_a_token(make, align, found):
    record = Record(TEXT, entities=[Mention(27, 31, "LOC")])
    doc, notes = make(record, align=align)
    assert ents(doc) == [(found, "LOC")]
    assert doc.text == TEXT
    assert [note[1] for note in notes] == [
        {**kinds.ALIGNED, "split": kinds.SPLIT}[align]
    ]


def test_contracting_takes_whole_tokens_only(make):
    record = Record(TEXT, entities=[Mention(6, 14, "X")])
    doc, notes = make(record, align="contract")
    assert ents(doc) == [("ship", "X")]
    assert notes[0][2] == "'ship lef' to 'ship'"
    with pytest.raises(
        Flaws, match=r"holds no whole token; .* --align expand or split"
    ):
        make(Record(TEXT, entities=[Mention(27, 31, "X")]), align="contract")


def test_all_flaws_of_a_record_are_told(make):
    mentions = [Mention(27, 31, "LOC", "T1", line=3), Mention(0, 99, "LOC", "T2")]
    with pytest.raises(Flaws) as caught:
        make(Record(TEXT, entities=[*mentions, Mention(1, 1, "", "T3", line=7)]))
    assert [line for line, _ in caught.value.items] == [None, 7, 7, 3]
    mentions = [Mention(27, 31, "A", line=1), Mention(28, 34, "B", line=2)]
    with pytest.raises(Flaws) as caught:
        make(Record(TEXT, entities=mentions))
    assert [line for line, _ in caught.value.items] == [1, 2]


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("in Oslo, then", (2, 9), "Oslo"),
        ("the (Oslo) fair", (4, 10), "(Oslo)"),
        ("the (Oslo) fair", (4, 9), "Oslo"),
        ("Ferry (Oslo) left", (0, 12), "Ferry (Oslo)"),
        ("in the U.S. now", (7, 12), "U.S."),
        ('said "Ada" twice', (5, 10), '"Ada"'),
        ('said "Ada" twice', (6, 10), "Ada"),
        ("and , then", (4, 5), ","),
    ],
)
def test_edges_are_trimmed(nlp, text, place, found):
    start, end = trim(nlp.make_doc(text), text, *place)
    assert text[start:end] == found


def test_trimming_is_counted(make):
    doc, notes = make(Record(TEXT, entities=[Mention(15, 22, "LOC")]), trim=True)
    assert ents(doc) == [("Oslo", "LOC")]
    assert notes == [(None, kinds.TRIMMED, "' Oslo, ' to 'Oslo'", 1)]


def test_nested_entities_and_their_relations(make):
    mentions = [Mention(0, 10, "SHIP"), Mention(0, 3, "PER"), Mention(16, 20, "LOC")]
    links = [Link(1, 0, "Owns"), Link(0, 2, "Left")]
    doc, notes = make(Record(TEXT, entities=mentions, relations=links))
    assert ents(doc) == [("Ada's ship", "SHIP"), ("Oslo", "LOC")]
    group = doc.spans[kinds.ALL_ENTITIES]
    assert [(span.text, span.label_) for span in group] == [
        ("Ada's ship", "SHIP"),
        ("Ada", "PER"),
        ("Oslo", "LOC"),
    ]
    assert [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)] == [
        ("Ada", "Owns", "Ada's ship"),
        ("Ada's ship", "Left", "Oslo"),
    ]
    assert [note[1] for note in notes] == [kinds.OVERLAP, kinds.NESTED]


def test_without_overlaps_there_is_no_group_unless_asked_for(make):
    record = Record(TEXT, entities=[Mention(16, 20, "LOC")])
    assert not make(record)[0].spans
    doc, _ = make(record, spans_key="sc")
    assert [span.text for span in doc.spans["sc"]] == ["Oslo"]


@pytest.mark.parametrize("unit", ["UTF-16 units", "bytes"])
def test_offsets_in_other_units(make, unit):
    text = "👍 naïve Ada 🚢 left Oslo"
    widths = {
        "UTF-16 units": lambda part: len(part.encode("utf-16-le")) // 2,
        "bytes": lambda part: len(part.encode("utf8")),
    }
    count = widths[unit]
    mentions = []
    for name in ("Ada", "Oslo"):
        at = text.index(name)
        start, end = count(text[:at]), count(text[: at + len(name)])
        mentions.append(Mention(start, end, "X", text=name))
    doc, notes = make(Record(text, entities=mentions))
    assert ents(doc) == [("Ada", "X"), ("Oslo", "X")]
    assert notes == [(None, kinds.UNITS.format(unit), repr(text), 2)]


@pytest.mark.parametrize(("stored", "given"), [("\r\n", "\n"), ("\n", "\r\n")])
def test_offsets_of_other_line_ends(make, stored, given):
    text = stored.join(["Ada left", "for", "Oslo"])
    at = given.join(["Ada left", "for", "Oslo"]).index("Oslo")
    doc, notes = make(Record(text, entities=[Mention(at, at + 4, "X", text="Oslo")]))
    assert ents(doc) == [("Oslo", "X")]
    assert len(notes) == 1


def test_a_text_that_no_unit_explains(make):
    with pytest.raises(
        Flaws, match=r"T1 'X' is 'Ada' \(0 to 3\), but its text is given "
    ):
        make(Record(TEXT, entities=[Mention(0, 3, "X", "T1", text="Bo")]))


def test_relations_that_alignment_makes_one(make):
    mentions = [Mention(27, 30, "A"), Mention(27, 32, "A"), Mention(16, 20, "B")]
    links = [Link(0, 1, "r"), Link(0, 2, "r"), Link(1, 2, "r")]
    doc, notes = make(Record(TEXT, entities=mentions, relations=links), align="expand")
    assert len(get_relations(doc)) == 1
    assert [note[1] for note in notes][2:] == [kinds.TWICE, kinds.MERGED, kinds.MERGED]


def test_id_and_meta_survive_the_file(make, nlp):
    meta = {"source": "invented", "page": 3, "tags": ["a"]}
    doc, _ = make(Record(TEXT, id="d1", meta=meta))
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (read,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert read.user_data[kinds.ID] == "d1"
    assert json.loads(json.dumps(read.user_data[kinds.META])) == meta
