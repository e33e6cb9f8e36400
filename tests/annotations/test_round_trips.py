"""What is exported comes back through convert as it was. All sentences are invented."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_attnner.annotations.exporting import LAYOUTS, export_annotations
from spacy_attnner.annotations.layouts import KINDS
from spacy_attnner.corpora.brat import PIECES
from spacy_attnner.corpora.conversion import EMPTY, convert
from spacy_attnner.corpora.documents import NESTED, OVERLAP
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.relations import get_relations, has_relations
from tests.corpora.test_formats_apart import EXAMPLES


def marked(text: str, *parts: tuple[str, str], **others) -> dict:
    """A line of our JSONL, of parts of its text and their labels."""
    entities = [
        {"start": text.index(part), "end": text.index(part) + len(part), "label": label}
        for part, label in parts
    ]
    return {"text": text, "entities": entities, "relations": [], **others}


def joined(record: dict, *links: tuple[int, int]) -> dict:
    relations = [{"head": h, "tail": t, "label": "Left"} for h, t in links]
    return {**record, "relations": relations}


PLACES = ("Ada", "PER"), ("Oslo", "LOC")
LONG = "Ada left Oslo. " * 6_666 + "Ada was here"
ANNOTATED = [
    joined(
        marked("Ada 🙂🏽 left Oslo.", *PLACES, id="a", meta={"n": [1, None]}), (0, 1)
    ),
    joined(
        marked("غادرت آدا أوسلو .", ("آدا", "PER"), ("أوسلو", "LOC"), id="b"), (1, 0)
    ),
    joined(
        marked(
            "Ada\nLovelace left\r\nNew\r\n\r\nYork ,  🇳🇴 !\r\n",
            *(("Ada\nLovelace", "PER"), ("New\r\n\r\nYork", "LOC"), ("🇳🇴", "FLAG")),
            id="c/1",
        ),
        *((0, 1), (1, 2)),
    ),
    marked("", id="d", meta={"empty": True}),
    joined(
        marked("Uni of Oslo in Oslo", ("Uni of Oslo", "ORG"), ("Oslo", "LOC"), id="e"),
        (0, 1),
    ),
    joined(marked(LONG, *PLACES, ("was here", "LOC"), id="f"), (0, 1), (2, 0)),
    marked("Nobody left .", id="g"),
]
CATEGORIES = [
    {"text": "Ada won 🙂\n", "cats": {"news": 1, "sport": 0}, "id": "a"},
    {"text": "", "cats": {"news": 0, "sport": 1}, "id": "b", "meta": {"n": 1}},
    {"text": "So dull .", "cats": {"news": 1, "sport": 0}, "id": "c"},
]
AS_TOKENS = {"conll2003", "columns", "hugging_face"}
TEXT_CATS = {"doccano", "label_studio", "prodigy", "hugging_face", "jsonl"}


def read(path: Path) -> list[Doc]:
    docs = DocBin(store_user_data=True).from_disk(path)
    return list(docs.get_docs(spacy.blank("en").vocab))


def write_spacy(records: list[dict], path: Path) -> Path:
    lines = [json.dumps(record) for record in records]
    path.with_suffix(".jsonl").write_text("\n".join(lines), encoding="utf-8")
    convert(path.with_suffix(".jsonl"), path, format="jsonl")
    return path


def through(format: str, source: Path, name: str, **settings):
    """Exported, and converted again: documents, and both summaries."""
    place = source.with_name(f"{name}-{format}")
    done = export_annotations(str(source), place, format=format, **settings)
    assert detect_format(place) == format
    summary = convert(place, source.with_name(f"{name}.spacy"))
    return read(source.with_name(f"{name}.spacy")), done, summary


def content(doc: Doc) -> dict:
    """All of a document; tokens of whitespace do not count in places."""
    at, n = [], 0
    for token in doc:
        at.append(n)
        n += not token.is_space
    at.append(n)

    def place(span):
        return at[span.start], at[span.end], span.label_

    relations = get_relations(doc)
    return {
        "text": doc.text,
        "words": [token.text for token in doc if not token.is_space],
        "ents": [place(ent) for ent in doc.ents],
        "group": sorted(map(place, doc.spans.get("all_entities", []))),
        "has_relations": has_relations(doc),
        "relations": [(place(r.head), r.label, place(r.tail)) for r in relations],
        "cats": dict(doc.cats),
        "id": doc.user_data.get("id"),
        "meta": doc.user_data.get("meta") or {},
        "annotated": bool(len(doc)) and doc.has_annotation("ENT_IOB"),
    }


def expected(doc: Doc, format: str) -> dict:
    """What a format keeps of a document."""
    found, holds = content(doc), LAYOUTS[format].holds
    if "overlaps" not in holds:
        found["group"] = []
    if "relations" not in holds:
        found |= {"relations": [], "has_relations": False}
    if format in AS_TOKENS:
        del found["text"]
    if "meta" not in holds:
        found["meta"] = {}
    if "id" not in holds:
        found["id"] = None
    if format == "brat":  # where other metadata has no place
        found["meta"] = {}
    return found


@pytest.mark.parametrize("format", LAYOUTS)
def test_annotated_documents(tmp_path, format):
    source = write_spacy(ANNOTATED, tmp_path / "a.spacy")
    docs, done, summary = through(format, source, "b")
    wanted = [expected(doc, format) for doc in read(source)]
    if format in ("conll2003", "columns"):
        wanted = [each for each in wanted if each["words"]]
    found = [content(doc) for doc in docs]
    for each in found if format in AS_TOKENS else ():
        del each["text"]
    assert found == wanted
    assert done.docs == len(ANNOTATED)
    assert set(summary.repairs) <= {PIECES, OVERLAP, NESTED, EMPTY}
    assert summary.repairs[PIECES] == (2 if format == "brat" else 0)
    again, _, _ = through(format, tmp_path / "b.spacy", "c")
    assert list(map(content, again)) == list(map(content, docs))
    assert [doc.to_bytes() for doc in again] == [doc.to_bytes() for doc in docs]


@pytest.mark.parametrize("format", sorted(TEXT_CATS))
def test_categories(tmp_path, format):
    source = write_spacy(CATEGORIES, tmp_path / "a.spacy")
    docs, done, _ = through(format, source, "b")
    found, wanted = map(content, docs), (content(doc) for doc in read(source))
    for one, other in zip(found, wanted, strict=True):
        for key in ("text", "words", "ents", "cats", "id"):
            assert one[key] == other[key], key
        assert one["meta"].items() >= other["meta"].items()
        assert not one["annotated"]
    assert not done.left_out
    again, _, _ = through(format, tmp_path / "b.spacy", "c")
    assert list(map(content, again)) == list(map(content, docs))


def test_values_of_categories_between_0_and_1(tmp_path):
    graded = {"news": 0.25, "sport": 0.625}
    source = write_spacy([{"text": "Ada won", "cats": graded}], tmp_path / "a.spacy")
    (doc,), done, _ = through("jsonl", source, "b")
    assert doc.cats == graded
    assert not done.left_out
    _, done, _ = through("doccano", source, "c")
    assert done.left_out == {KINDS["graded"]: 2, KINDS["unused"]: 1}


@pytest.mark.parametrize("format", sorted(TEXT_CATS))
def test_categories_that_apply_to_no_document(tmp_path, format):
    records = [
        {"text": "Ada won", "cats": {"news": 1, "sport": 0, "art": 0}},
        {"text": "So dull", "cats": {"news": 0, "sport": 1, "art": 0}},
    ]
    source = write_spacy(records, tmp_path / "a.spacy")
    docs, done, _ = through(format, source, "b")
    kept = "art" in docs[0].cats
    assert kept == (format in ("prodigy", "jsonl"))
    assert done.left_out == ({} if kept else {KINDS["unused"]: 1})
    assert kept or done.examples[KINDS["unused"]] == f"{source}: 'art'"


@pytest.mark.parametrize("format", LAYOUTS)
def test_what_a_tool_wrote(tmp_path, format):
    """Its own file comes back, whatever it does not say."""
    example = EXAMPLES[format]
    path = tmp_path / f"example-{format}"
    if isinstance(example, dict):
        path.mkdir()
        for name, text in example.items():
            (path / name).write_text(text)
    else:
        path.write_text(example)
    convert(path, tmp_path / "a.spacy")
    before = read(tmp_path / "a.spacy")
    after, done, _ = through(format, tmp_path / "a.spacy", "b")
    assert list(map(content, after)) == list(map(content, before))
    assert [d.to_bytes() for d in after] == [d.to_bytes() for d in before]
    assert not done.left_out


def test_other_lines_of_brat_name_the_same_annotations(tmp_path):
    """Entities are numbered anew, by their order, and what is said of them as well."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/d.txt").write_text("Ada left Oslo .\n")
    ann = "T9\tLOC 9 13\tOslo\nT2\tPER 0 3\tAda\nR7\tLeft Arg1:T2 Arg2:T9\n"
    ann += "A1\tNegated R7\nA2\tMood T2 bold\nN1\tReference T9 Wiki:1\tOslo, town\n"
    ann += "#1\tAnnotatorNotes T9\tsure of it?\nA3\tOf E1\n"
    (tmp_path / "in/d.ann").write_text(ann)
    convert(tmp_path / "in", tmp_path / "a.spacy")
    _, done, _ = through("brat", tmp_path / "a.spacy", "b")
    assert (tmp_path / "b-brat/d.ann").read_text() == (
        "T1\tPER 0 3\tAda\nT2\tLOC 9 13\tOslo\nR1\tLeft Arg1:T1 Arg2:T2\n"
        "A1\tNegated R1\nA2\tMood T1 bold\nN1\tReference T2 Wiki:1\tOslo, town\n"
        "#1\tAnnotatorNotes T2\tsure of it?\n"
    )
    assert list(done.left_out.values()) == [1]  # of an event
    assert (tmp_path / "b-brat/annotation.conf").read_text() == (
        "[entities]\nLOC\nPER\n[relations]\nLeft\tArg1:PER, Arg2:LOC\n"
        "[events]\n[attributes]\n"
    )


def test_sentences_and_unknown_spaces(tmp_path):
    """Columns have both, and so has our own format."""
    record = {
        "tokens": ["Ada", "left", ".", "Oslo", "slept", "."],
        "sent_starts": [True, False, False, True, False, False],
        "entities": [{"start": 0, "end": 1, "label": "PER"}],
    }
    source = write_spacy([record, {**record, "entities": []}], tmp_path / "a.spacy")
    before = read(source)
    for format in ("jsonl", "conll2003", "columns"):
        after, done, _ = through(format, source, "b")
        assert [doc.to_bytes() for doc in after] == [doc.to_bytes() for doc in before]
        assert not done.left_out
    lines = (tmp_path / "b-conll2003").read_text().splitlines()
    # other tools read a chunk of every other third column
    assert lines[:3] == ["-DOCSTART- -X- O O", "", "Ada -X- O B-PER"]
    for format in ("brat", "doccano", "label_studio", "prodigy"):
        (doc, _), done, _ = through(format, source, "b")
        assert doc.text == "Ada left . Oslo slept ."
        assert sorted(done.left_out.values()) == [2, 2]


@pytest.mark.parametrize("scheme", ["bio", "bioes", "biluo"])
def test_schemes_of_tags(tmp_path, scheme):
    tokens = ["Ada", "B.", "Lovelace", "Ada", "B.", "x", "Ada", "Ada"]
    spans = [(0, 3, "PER"), (3, 5, "PER"), (6, 7, "PER"), (7, 8, "LOC")]
    entities = [{"start": s, "end": e, "label": label} for s, e, label in spans]
    record = {"tokens": tokens, "entities": entities}
    source = write_spacy([record] * 2, tmp_path / "a.spacy")
    docs, _done, summary = through("columns", source, "b", scheme=scheme)
    for doc in docs:
        assert [(e.start, e.end, e.label_) for e in doc.ents] == spans
    assert not summary.repairs
    tags = (tmp_path / "b-columns").read_text().splitlines()[1].split("\t")
    assert tags == ["Ada", "B-PER"]
    assert "S-LOC" in (tmp_path / "b-columns").read_text() or scheme != "bioes"
