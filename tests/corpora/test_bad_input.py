"""What files have that they should not, for every family of formats. Invented."""

import json
from contextlib import suppress

import pytest

from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.corpora.decoding import OTHER_ENCODING
from spacy_attnner.corpora.documents import UNITS
from spacy_attnner.corpora.formats import Corpus, detect_format
from spacy_attnner.relations import get_relations

from .test_formats_apart import SAMPLES, TEXT, WORDS, spotted, studio

TEXTUAL = {name for name, (_, content) in SAMPLES.items() if isinstance(content, str)}
NAMED = {name for name in TEXTUAL if "Ada" in SAMPLES[name][1]} - {"inception"}
ARRAYS = {name for name in TEXTUAL if SAMPLES[name][1][0] in "[{"}
ARRAYS -= {"one a line", "printed"}
SHIP = "🚢 naïve Ada left Oslo ."


@pytest.fixture
def read(write, nlp):
    """Read a content as a format; returns what the documents hold, and the repairs."""

    def read_content(content, format, **settings):
        repairs = Repairs()
        corpus = Corpus(write(content), nlp, format, repairs=repairs, **settings)
        docs = [
            (
                [token.text for token in doc],
                [(ent.text, ent.label_) for ent in doc.ents],
                [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)],
                doc.cats,
            )
            for _, doc in corpus.docs()
        ]
        return docs, repairs

    return read_content


@pytest.mark.parametrize("name", sorted(TEXTUAL))
def test_byte_order_marks_and_line_ends_change_nothing(read, name):
    format, content = SAMPLES[name]
    docs, _ = read(content, format)
    assert docs
    crlf = "\ufeff\r\n" + content.replace("\n", "\r\n") + "\r\n\r\n"
    for data in (crlf.encode(), content.encode("utf-16")):
        if name != "table" and (name != "inception" or data[0] != 0xFF):
            assert read(data, format)[0] == docs
    assert read(content.replace("\n", "\r\n").encode("utf-8-sig"), format)[0] == docs


@pytest.mark.parametrize("name", sorted(NAMED))
def test_latin_1_is_told_and_asked_for(read, name):
    format, content = SAMPLES[name]
    data = content.replace("Ada", "Zoë").encode("latin-1")
    with pytest.raises(CorpusError, match=r" is not utf-8; .* --encoding latin-1"):
        read(data, format)
    ((words, ents, *_), *_), repairs = read(data, format, encoding="latin-1")
    assert "Zoë" in words
    assert ents[0][0] == "Zoë"
    assert repairs[f"{OTHER_ENCODING} latin-1"]


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_arrays_lines_and_objects_over_several_lines(read, name):
    format, content = SAMPLES[name]
    value = json.loads(content)
    value = value[0] if isinstance(value, list) else value
    docs, _ = read(content, format)
    for twice in (
        json.dumps([value, value]),
        json.dumps([value, value], indent=2),
        f"{json.dumps(value)}\n\n{json.dumps(value)}\n",
    ):
        if format != "inception":  # a file of which is one document
            assert read(twice, format)[0] == docs * 2
    if format != "spacy_tuples":
        assert read(json.dumps(value, indent=2), format)[0] == docs


def test_an_object_that_does_not_end(read):
    broken = json.dumps({"text": TEXT, "entities": []}, indent=1)[:-2]
    with pytest.raises(
        CorpusError, match=r"txt:3: invalid JSON, .*; give one array, or"
    ):
        read(broken, "jsonl")


def pubtator(start, end):
    return f"7|t|{SHIP}\n7\t{start}\t{end}\tAda\tPER\tP1\n"


def rebel(start, end):
    ada = {"boundaries": [start, end], "surfaceform": "Ada"}
    return json.dumps({"text": SHIP, "entities": [ada], "triples": []})


def lighttag(start, end):
    span = {**spotted("x", 0, 3, "PER"), "start": start, "end": end}
    return json.dumps({"examples": [{"content": SHIP, "annotations": [span]}]})


def label_studio(start, end):
    result = studio(0, 3, "PER", "a")
    result["value"] |= {"start": start, "end": end}
    return json.dumps({"data": {"text": SHIP}, "annotations": [{"result": [result]}]})


@pytest.mark.parametrize("unit", ["UTF-16 units", "bytes"])
@pytest.mark.parametrize(
    ("format", "make"),
    [
        ("pubtator", pubtator),
        ("rebel", rebel),
        ("light_tag", lighttag),
        ("label_studio", label_studio),
    ],
)
def test_offsets_in_other_units_are_told_by_the_text(read, format, make, unit):
    before = SHIP[: SHIP.index("Ada")]
    start = len(before.encode()) if unit == "bytes" else len(before) + 1
    ((_, ents, *_),), repairs = read(make(start, start + 3), format)
    assert [text for text, _ in ents] == ["Ada"]
    assert repairs == {UNITS.format(unit): 1}


@pytest.mark.parametrize("name", ["Zoe\u0301", "👩\u200d🚀", "Ada\ufe0f", "🏳️\u200d🌈"])
def test_marks_and_emoji_at_the_edges_of_spans(read, name):
    text = f"Then {name} left ."
    whole = {"start": 5, "end": 5 + len(name), "label": "PER"}
    record = {"text": text, "entities": [whole]}
    ((_, ents, *_),), _ = read(json.dumps(record), "jsonl")
    assert ents == [(name, "PER")]
    if name[-1] in "🚀🌈":  # a token of its own
        return
    record["entities"] = [{**whole, "end": 4 + len(name)}]  # without the last mark
    with pytest.raises(
        CorpusError, match=r"does not begin and end with a token|holds no"
    ):
        read(json.dumps(record), "jsonl")
    ((_, ents, *_),), _ = read(json.dumps(record), "jsonl", align="expand")
    assert ents == [(name, "PER")]


@pytest.mark.parametrize(
    ("format", "record"),
    [
        ("jsonl", {"text": TEXT, "entities": [{"start": 3, "end": 3, "label": "A"}]}),
        (
            "jsonl",
            {"tokens": WORDS, "entities": [{"start": 1, "end": 1, "label": "A"}]},
        ),
        ("doccano", {"text": TEXT, "label": [[3, 3, "A"]]}),
        ("gliner", {"tokenized_text": WORDS, "ner": [[1, 0, "A"]]}),
        ("spert", {"tokens": WORDS, "entities": [{"type": "A", "start": 1, "end": 1}]}),
        ("spacy_tuples", [TEXT, {"entities": [[3, 3, "A"]]}]),
    ],
)
def test_spans_without_length(read, format, record):
    with pytest.raises(CorpusError, match=r":1: .* spans \d to \d, out of range"):
        read(json.dumps(record), format)


def test_ids_that_are_given_twice(read):
    span = {"id": 7, "label": "A", "start_offset": 0, "end_offset": 3}
    record = {"text": TEXT, "entities": [span, {**span, "end_offset": 8}]}
    with pytest.raises(
        CorpusError, match=r"entities\[1\] id is 7, which is given twice"
    ):
        read(json.dumps(record), "doccano")
    spans = [spotted("x", 0, 3, "PER"), spotted("x", 9, 13, "LOC")]
    job = {"examples": [{"content": TEXT, "annotations": spans}]}
    with pytest.raises(
        CorpusError, match=r"annotations\[1\]: a span of its tagged_tok"
    ):
        read(json.dumps(job), "light_tag")


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("jsonl", '{"text": "Ada", "cats": {"a": NaN}}'),
        (
            "jsonl",
            '{"text": "Ada", "entities": [{"start": NaN, "end": 3, "label": "A"}]}',
        ),
        ("spacy_tuples", '["Ada", {"cats": {"a": NaN}}]'),
        ("hugging_face", '{"text": "Ada", "label": NaN}'),
        ("gliner", '{"tokenized_text": ["Ada"], "ner": [[NaN, 0, "A"]]}'),
        ("doccano", '{"text": "Ada", "label": [[0, NaN, "A"]]}'),
    ],
)
def test_nan_is_no_number(read, format, content):
    with pytest.raises(CorpusError, match=r":1: .*nan"):
        read(content, format)


def with_odd_values(value):
    """A value of JSON with each of its parts replaced by what cannot be there."""
    yield from (None, 7, "x", [], {}, [1], [["x"]])
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: odd} for odd in with_odd_values(part))
    if isinstance(value, list):
        for i, part in enumerate(value):
            for odd in with_odd_values(part):
                yield [*value[:i], odd, *value[i + 1 :]]


@pytest.mark.parametrize("name", sorted(ARRAYS - {"inception"}))
def test_values_of_other_types_are_told(read, name):
    format, content = SAMPLES[name]
    for value in with_odd_values(json.loads(content)):
        with suppress(CorpusError):  # anything else is an error of the reader's
            read(json.dumps(value), format)


@pytest.mark.parametrize("label", [1, True, 0.5, [1, 2], [None], {"a": 1}])
def test_labels_of_another_format_are_no_doccano_s(read, label):
    with pytest.raises(CorpusError, match=r":1: "):
        read(json.dumps({"text": TEXT, "label": label}), "doccano")


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        (
            "jsonl",
            '{"texte": "Ada", "entités": []}',
            "unknown key 'entités', 'texte' in",
        ),
        (
            "hugging_face",
            '{"Text": "Ada", "Klasse": 1}',
            r"the keys are \['Klasse', 'T",
        ),
        ("spert", '{"jetons": ["Ada"]}', "entities is None; give a list"),
        (
            "gliner",
            '{"texto": ["Ada"], "ner": []}',
            "tokenized_text is None; give a list",
        ),
        (
            "label_studio",
            '{"daten": {"text": "Ada"}}',
            r"a task of the keys \['daten'\] has neither",
        ),
        (
            "table",
            "texte,classe\nAda,a\n",
            "no column text or sentence among texte, cla",
        ),
    ],
)
def test_keys_in_another_language(read, format, content, message):
    with pytest.raises(CorpusError, match=f":1: {message}"):
        read(content, format)


def test_a_file_in_another_language_is_not_taken_for_something_else(write):
    assert detect_format(write('{"texte": "Ada"}\n')) == "jsonl"
    with pytest.raises(CorpusError, match="looks like none of the formats"):
        detect_format(write("texte,classe\nAda,a\n"))


@pytest.mark.parametrize(
    ("format", "record"),
    [
        ("jsonl", {"tokens": ["Ada\tB", "a\fb"], "entities": []}),
        ("hugging_face", {"tokens": ["Ada\tB", "a\fb"], "ner_tags": ["O", "O"]}),
        ("gliner", {"tokenized_text": ["Ada\tB", "a\fb"], "ner": []}),
        ("spert", {"tokens": ["Ada\tB", "a\fb"], "entities": [], "relations": []}),
        ("docred", {"sents": [["Ada\tB", "a\fb"]], "vertexSet": []}),
        ("dygie", {"doc_key": "d", "sentences": [["Ada\tB", "a\fb"]]}),
    ],
)
def test_tabs_and_form_feeds_stay_in_tokens(read, format, record):
    ((words, *_),), _ = read(json.dumps(record), format)
    assert words == ["Ada\tB", "a\fb"]


@pytest.mark.parametrize(
    ("format", "content", "n_words"),
    [
        ("columns", "Ada\tB-PER\n\n\na\fb\tO\n\nOslo\tB-LOC\n", [1, 1, 1]),
        ("conll04", "#doc 1\n0\tAda\tO\t['N']\t[0]\n\n1\tB\tO\t['N']\t[1]\n", [2]),
        ("pubtator", "7|t|Ada\n\n7|a|left\n\n7\t0\t3\tAda\tPER\tP1\n", [2]),
        ("fasttext", "__label__a Ada\fleft\n\n\n__label__b Bo\n", [3, 1]),
    ],
)
def test_empty_lines_and_form_feeds_of_lines(read, format, content, n_words):
    docs, _ = read(content, format)
    assert [len(words) for words, *_ in docs] == n_words
