"""JSON values out of pieces of any length, one after the other."""

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_attnner.corpora import decoding, reading
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.json_stream import JSONStream
from spacy_attnner.corpora.reading import Source

SLOW = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def pieces(text, n):
    return (text[at : at + n] for at in range(0, len(text), n))


@SLOW
@given(st.lists(VALUES, max_size=5), st.integers(1, 30), st.sampled_from([None, 0, 2]))
def test_items_of_an_array(items, n, indent):
    stream = JSONStream(pieces(json.dumps(items, indent=indent), n))
    found = [json.loads(raw) for raw in stream.values()]
    assert repr(found) == repr(items)  # in which NaN is itself


@SLOW
@given(st.lists(st.dictionaries(st.text(), VALUES), max_size=5), st.integers(1, 30))
def test_objects_over_lines(items, n):
    text = "\n".join(json.dumps(item, indent=1) for item in items)
    stream = JSONStream(pieces(text, n))
    lines = []
    for raw, item in zip(stream.values(), items, strict=True):
        assert repr(json.loads(raw)) == repr(item)
        lines.append(stream.line)
    starts = [text.split("\n")[line - 1] for line in lines]
    assert all(line.startswith("{") for line in starts)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[{"a": 1},\n{"b" 2}]', 2, "Expecting ':' delimiter: '2}]'"),
        ('[{"a": 1}\n\n{"b": 2}]', 3, "',' or '\\]' has to follow an item, not '{'"),
        ('[{"a": 1}]\nmore', 2, "'m' follows the end of the array"),
        ('[{"a": 1},\n', 2, "the array does not end"),
        ('[{"a": 1},\n{"b": "x', 2, "Unterminated string starting at"),
    ],
)
@pytest.mark.parametrize("n", [1, 7, 100])
def test_what_is_wrong_and_where(text, line, message, n):
    stream = JSONStream(pieces(text, n))
    with pytest.raises(ValueError, match=message):
        list(stream.values())
    assert stream.line == line


def test_no_more_is_read_than_up_to_what_is_wrong():
    read = []

    def endless():
        yield '[{"a" 1}'
        for i in range(100):
            read.append(i)
            yield "x" * 100

    with pytest.raises(ValueError, match="Expecting ':' delimiter"):
        list(JSONStream(endless()).values())
    assert len(read) < 5


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_large_array_is_not_held(write, monkeypatch, end):
    """On one line, or on many."""
    for module in (reading, decoding):
        monkeypatch.setattr(module, "PIECE", 1_000)
    item = json.dumps({"text": "Ada left Oslo . " * 10})
    path = write("[" + f",{end}".join([item] * 5_000) + "]")
    assert path.stat().st_size > 800_000
    tracemalloc.start()
    n = sum(1 for _ in Source(path).values())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n == 5_000
    assert peak < 300_000


def test_a_record_longer_than_a_piece(write, monkeypatch):
    """Lines stay lines, of which a wrong one is an error of its own."""
    for module in (reading, decoding):
        monkeypatch.setattr(module, "PIECE", 10)
    pair = json.dumps(["Ada left Oslo .", {"entities": []}])
    source = Source(write(f"{pair}\n{{oops\n{pair}\n"))
    assert list(source.values()) == [pair, "{oops", pair]


def test_an_array_in_other_encodings(write):
    content = json.dumps([{"text": "Zoë"}, {"text": "Ada"}], ensure_ascii=False)
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        values = [
            json.loads(raw) for raw in Source(write(content.encode(encoding))).values()
        ]
        assert values == [{"text": "Zoë"}, {"text": "Ada"}]
    source = Source(write(content.encode("latin-1")), encoding="latin-1")
    assert json.loads(next(source.values())) == {"text": "Zoë"}
    assert source.repairs == {f"{decoding.OTHER_ENCODING} latin-1": 1}
    with pytest.raises(CorpusError, match="cannot be decoded"):
        list(Source(write(content.encode("utf-16")[:-1])).values())
