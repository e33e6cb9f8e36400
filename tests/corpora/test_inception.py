"""INCEpTION's exports, written by cassis. Sentences are invented."""

import cassis
import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora import inception
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import detect_format

from .test_formats_apart import cas

SHIP = "🚢 Ada left Oslo ."
ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
TOKEN = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Token"


@pytest.fixture
def read(tmp_path, nlp):
    """Convert what is there; returns the documents and the summary."""

    def read_path(path, **settings):
        out = tmp_path / "out.spacy"
        summary = convert(path, out, **settings)
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary

    return read_path


def found(doc):
    return [(ent.text, ent.label_) for ent in doc.ents], [
        (r.head.text, r.label, r.tail.text) for r in doc._.relations
    ]


def with_layer(name, *features):
    """A document with one more layer, and the layer."""
    made = cas(SHIP)
    layer = made.typesystem.create_type(name, "uima.tcas.Annotation")
    for feature in features:
        made.typesystem.create_feature(layer, feature, "uima.cas.String")
    return made, layer


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_folder_of_exports(read, tmp_path, bom):
    """Other files are passed over; the type system may lie in a folder above."""
    place = tmp_path / "project"
    (place / "annotation").mkdir(parents=True)
    made = cas(SHIP)
    (place / "TypeSystem.xml").write_text(made.typesystem.to_xml())
    (place / "exportedproject.json").write_text('{"name": "ships"}')
    (place / "annotation" / "b.xmi").write_text(made.to_xmi())
    (place / "a.json").write_bytes(bom + made.to_json().encode())
    assert detect_format(place) == "inception"
    docs, summary = read(place)
    assert [doc.user_data["id"] for doc in docs] == ["a", "annotation/b"]
    for doc in docs:
        assert doc.text == SHIP
        ents = [("Ada", "PER"), ("Oslo", "LOC")]
        assert found(doc) == (ents, [("Ada", "Left", "Oslo")])
    assert not summary.repairs


def test_each_document_of_a_project_is_read_once(read, tmp_path):
    """As it was curated, else as the first of its users annotated it."""
    place = tmp_path / "project"
    made = cas(SHIP)
    for name in (
        *("annotation/a.txt/INITIAL_CAS", "annotation/a.txt/bo"),
        *("annotation/b.txt/INITIAL_CAS", "annotation/b.txt/cy"),
        *("annotation/b.txt/bo", "annotation/c.txt/INITIAL_CAS"),
        "curation/a.txt/CURATION_USER",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.xmi").write_text(made.to_xmi())
    (place / "TypeSystem.xml").write_text(made.typesystem.to_xml())
    docs, summary = read(place)
    assert [doc.user_data["id"] for doc in docs] == [
        "annotation/b.txt/bo",
        "curation/a.txt/CURATION_USER",
    ]
    assert summary.repairs == {
        inception.CURATED: 2,
        inception.UNTOUCHED: 2,
        inception.FURTHER: 1,
    }
    alone, _ = read(place / "annotation" / "b.txt" / "cy.xmi")
    assert len(alone) == 1


def test_named_entities_and_the_tokens_beside_them(read, write):
    made = cas(SHIP)
    types = made.typesystem
    made.add(types.get_type(ENTITY)(begin=6, end=10, value="MOVE", identifier="Q1"))
    made.add(types.get_type(ENTITY)(begin=0, end=1))
    made.add_all(types.get_type(TOKEN)(begin=i, end=i + 1) for i in (2, 7))
    (doc,), summary = read(write(made.to_json()))
    assert found(doc)[0] == [
        ("🚢", "NamedEntity"),
        ("Ada", "PER"),
        ("left", "MOVE"),
        ("Oslo", "LOC"),
    ]
    assert summary.repairs == {inception.NO_LABEL: 1, inception.FEATURE: 1}


def with_sentences(text, *sentences):
    made = cas(text)
    kind = made.typesystem.get_type(SENTENCE)
    for sentence in sentences:
        at = text.index(sentence)
        made.add(kind(begin=at, end=at + len(sentence)))
    return made


@pytest.mark.parametrize("align", ["strict", "split"])
def test_sentences_are_kept(read, write, align):
    """Text of none, such as a title, is one of its own."""
    text = "A  title\n🚢 Ada left Oslo.\n\nNobody-stayed there . Nobody else"
    made = with_sentences(text, "🚢 Ada left Oslo.", "Nobody-stayed there .")
    span = made.typesystem.get_type("custom.Span")
    at = text.index("stayed")
    if align == "split":
        made.add(span(begin=at - 1, end=at + 4, label="PART"))
    (doc,), summary = read(write(made.to_json()), align=align)
    assert doc.text == text
    assert [sent.text.strip() for sent in doc.sents] == [
        "A  title",
        "🚢 Ada left Oslo.",
        "Nobody-stayed there .",
        "Nobody else",
    ]
    assert summary.sentences == 4
    assert ("Ada", "PER") in found(doc)[0]


def test_a_document_without_sentences_has_none(read, write):
    (doc,), _ = read(write(cas(SHIP).to_json()))
    assert not doc.has_annotation("SENT_START")


def test_the_feature_of_the_label(read, write):
    made, layer = with_layer("webanno.custom.Ship", "kind")
    made.add(layer(begin=0, end=1, kind="STEAM"))
    (doc,), _ = read(write(made.to_json()))
    assert found(doc)[0][0] == ("🚢", "STEAM")
    made, layer = with_layer("webanno.custom.Ship", "kind", "flag")
    made.add(layer(begin=0, end=1, kind="STEAM", flag="NO"))
    path = write(made.to_json())
    with pytest.raises(
        CorpusError, match=r"layer Ship has the features kind, flag; na"
    ):
        read(path)
    (doc,), summary = read(path, label_column="flag")
    assert found(doc)[0][0] == ("🚢", "NO")
    assert summary.repairs == {inception.FEATURE: 1}


def test_a_relation_of_tokens(read, write):
    """It is that of the entity which stands there; else it is left out and counted."""
    made = cas(SHIP)
    token, join = (made.typesystem.get_type(n) for n in (TOKEN, "custom.Relation"))
    oslo, left = token(begin=11, end=15), token(begin=6, end=10)
    (ada, _) = made.select("custom.Span")
    for end in (oslo, left):
        made.add(end)
        made.add(join(begin=2, end=5, Governor=end, Dependent=ada, label="Of"))
    (doc,), summary = read(write(made.to_json()))
    assert set(found(doc)[1]) == {("Ada", "Left", "Oslo"), ("Oslo", "Of", "Ada")}
    assert summary.repairs == {inception.NO_SPAN: 1}


def test_files_that_cannot_be_read(read, tmp_path, write):
    place = tmp_path / "export"
    place.mkdir()
    made = cas()
    (place / "a.xmi").write_text(made.to_xmi())
    with pytest.raises(
        CorpusError, match=r"a\.xmi:1: there is no TypeSystem\.xml beside"
    ):
        read(place)
    (place / "TypeSystem.xml").write_text(made.typesystem.to_xml())
    (place / "b.xmi").write_text(made.to_xmi()[:-30])
    with pytest.raises(
        CorpusError, match=r"b\.xmi:1: no UIMA CAS, XMLSyntaxError: .*anew"
    ):
        read(place)
    with pytest.raises(CorpusError, match=r":1: no UIMA CAS, .* export it anew, as"):
        read(write("{}"), format="inception")
    empty = cassis.Cas(made.typesystem)
    with pytest.raises(CorpusError, match=r":1: the document holds no text"):
        read(write(empty.to_json()), format="inception")
