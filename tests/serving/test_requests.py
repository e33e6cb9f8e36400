"""What a service answers to requests of all kinds, good and bad."""

import json
import resource
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from spacy_attnner.serving.limits import Bounds, Limits

from .conftest import metric

MIRA = {"start": 2, "end": 6, "label": "PER", "text": "Mira"}
OSLO = {"start": 16, "end": 20, "label": "LOC", "text": "Oslo"}


def test_a_text(http):
    answer = http.post("/parse", json={"text": "😀 Mira lives in Oslo ."})
    oslo = {**OSLO, "start": 16, "end": 20}
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "text": "😀 Mira lives in Oslo .",
        "entities": [MIRA | {"confidence": 0.75}, oslo | {"confidence": 0.75}],
        "relations": [{"head": MIRA, "label": "Lives_In", "tail": oslo, "score": 0.5}],
        "cats": {"short": 0.0},
    }


def test_many_texts(http):
    texts = ["Mira", {"text": "Oslo", "id": "b"}, {"text": "", "id": 0}]
    rows = http.post("/parse", json={"texts": texts}).json()["results"]
    assert [row.get("id") for row in rows] == [None, "b", 0]
    assert [row["text"] for row in rows] == ["Mira", "Oslo", ""]
    assert [len(row["entities"]) for row in rows] == [1, 1, 0]
    assert http.post("/parse", json={"texts": []}).json() == {"results": []}


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 400, "invalid JSON"),
        (b'{"text": "a"', 400, "invalid JSON"),
        (b'{"text": "a\xff"}', 400, "byte 11 of the body, b'\\xff', is not UTF-8"),
        (b'{"text": "\xed\xa0\x80"}', 400, "is not UTF-8"),
        ('{"text": "a"}'.encode("utf-16"), 400, "is not UTF-8"),
        (b"[" * 200_000, 400, "invalid JSON"),
        (b'{"text": 1' + b"0" * 10_000 + b"}", 400, "invalid JSON"),
        (b'"a"', 422, "the body is no object"),
        (b"{}", 422, "either text or texts"),
        (b'{"text": "a", "texts": []}', 422, "either text or texts"),
        (b'{"txt": "a"}', 422, "unknown keys ['txt']"),
        (b'{"text": null}', 422, "the text is null, not a string"),
        (b'{"text": "a", "id": 1.5}', 422, "id is neither a string nor an integer"),
        (b'{"text": "a", "id": "\\ud800"}', 422, "id holds half of a surrogate"),
        (b'{"text": "a", "explain": 1}', 422, "explain is neither"),
        (b'{"texts": "a"}', 422, "texts is no list"),
        (b'{"texts": ["a"], "explain": true}', 422, "one by one"),
        (b'{"text": "ab\\ud800"}', 422, "character 2 of the text, '\\ud800', is half"),
        (b'{"text": "FAIL now"}', 500, "the pipeline fails on this text: KeyError"),
    ],
)
def test_a_bad_request(http, body, status, problem):
    answer = http.post("/parse", content=body)
    assert answer.status_code == status
    assert problem in answer.json()["error"]
    assert http.get("/health").json()["status"] == "ok"


def test_a_text_that_fails_takes_no_other_along(http):
    texts: list = [f"Mira {i}" for i in range(40)]
    texts[3], texts[17] = "FAIL", "MEMORY"
    texts[5], texts[6], texts[7] = "\ud800", 5, "a" * 100_001
    content = json.dumps({"texts": [{"text": t, "id": i} for i, t in enumerate(texts)]})
    answer = http.post("/parse", content=content)
    rows = answer.json()["results"]
    errors = {row["id"]: row["error"] for row in rows if "error" in row}
    assert set(errors) == {3, 5, 6, 7, 17}
    assert "KeyError: 'this text'" in errors[3]
    assert "MemoryError" in errors[17]
    assert errors[7].endswith(
        "has 100,001 characters, and the limit is 100,000: send it in parts"
    )
    for i, row in enumerate(rows):
        if i not in errors:
            assert row["text"] == texts[i]
            assert row["entities"][0]["text"] == "Mira"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"id": "x"}, "needs text, and may have id"),
        ({"text": "Oslo", "id": "x", "year": 1990}, "needs text, and may have id"),
        ({"text": "Oslo", "id": 1.5}, "id is neither a string nor an integer"),
        ({"text": "Oslo", "id": "\ud800"}, "id holds half of a surrogate pair"),
    ],
)
def test_an_object_that_is_no_text_takes_no_other_along(wrong, problem, http):
    content = json.dumps({"texts": ["Mira", wrong, "Nils"]})
    answer = http.post("/parse", content=content)
    first, failed, last = answer.json()["results"]
    assert (first["text"], last["text"]) == ("Mira", "Nils")
    assert problem in failed["error"]
    assert failed.get("id") == ("x" if wrong["id"] == "x" else None)


@pytest.mark.parametrize("bounds", [{"queue_texts": 2}, {"queue_chars": 11}])
def test_more_texts_than_the_queue_ever_holds(bounds, serve):
    client = serve(bounds=Bounds(**bounds))
    assert client.post("/parse", json={"texts": ["Mira"] * 2}).status_code == 200
    answer = client.post("/parse", json={"texts": ["Mira"] * 3})
    assert answer.status_code == 413
    assert "3 texts of 12 characters, and the queue holds" in answer.json()["error"]


def test_more_texts_than_a_request_may_have(serve):
    client = serve(limits=Limits(texts=3))
    assert client.post("/parse", json={"texts": ["a"] * 3}).status_code == 200
    answer = client.post("/parse", json={"texts": ["a"] * 4})
    assert answer.status_code == 413
    assert "4 texts, and a request may have 3" in answer.json()["error"]


def test_a_text_of_50_mb(http):
    answer = http.post("/parse", json={"text": "Mira " * 10_000_000})
    assert answer.status_code == 413
    assert "longer than 10,000,000 bytes" in answer.json()["error"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_request_of_100_mb(http, declared):
    """It is refused, and never held."""
    part = b"a" * 1_000_000

    def body() -> Iterator[bytes]:
        for _ in range(100):
            yield part

    headers = {"content-length": "100000000"} if declared else {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = http.post("/parse", content=body(), headers=headers)
    assert answer.status_code == 413
    assert "longer than 10,000,000 bytes" in answer.json()["error"]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    assert grown < 50_000
    assert http.post("/parse", json={"text": "Mira"}).status_code == 200


def test_a_body_that_never_ends(http, monkeypatch):
    monkeypatch.setattr("spacy_attnner.serving.request.BODY_SECONDS", 0.2)

    def body() -> Iterator[bytes]:
        yield b"{"
        time.sleep(0.8)

    answer = http.post("/parse", content=body())
    assert answer.status_code == 408
    assert "did not arrive" in answer.json()["error"]


def test_what_else_there_is(http):
    assert http.get("/nowhere").status_code == 404
    assert "GET /nowhere" in http.get("/nowhere").json()["error"]
    assert http.get("/parse").status_code == 405
    assert http.get("/parse").headers["allow"] == "POST"
    assert http.head("/health").status_code == 200
    health = http.get("/health").json()
    assert health == {"status": "ok", "model": "made up", "waiting_texts": 0}


def test_nothing_is_sent_to_a_collector(http, monkeypatch):
    """Of the providers of OpenTelemetry that some package has made for all."""
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    in_memory = f"{export.__name__}.in_memory_span_exporter"
    exporter = pytest.importorskip(in_memory).InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    provider.get_tracer("test").start_span("made here").end()
    assert http.post("/parse", json={"text": "Mira"}).status_code == 200
    assert [span.name for span in exporter.get_finished_spans()] == ["made here"]


def test_metrics(serve):
    client = serve()
    client.post("/parse", json={"texts": ["Mira", "FAIL", 5]})
    client.post("/parse", json={"text": 5})
    assert "version=" in client.get("/metrics").headers["content-type"]
    expected = {
        'attn_requests_total{status="200"}': 1,
        'attn_requests_total{status="422"}': 1,
        'attn_texts_total{outcome="read"}': 1,
        'attn_texts_total{outcome="failed"}': 1,
        'attn_texts_total{outcome="refused"}': 2,
        "attn_batch_texts_sum": 2,
        "attn_batch_texts_count": 1,
        "attn_waiting_texts": 0,
        "attn_waiting_characters": 0,
    }
    assert {name: metric(client, name) for name in expected} == expected


def test_openapi_says_what_there_is(http):
    schema = http.get("/openapi.json").json()
    assert set(schema["paths"]) == {"/parse", "/health", "/metrics"}
    parse = schema["paths"]["/parse"]["post"]
    content = parse["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        if not example["value"].get("explain"):
            assert http.post("/parse", json=example["value"]).status_code == 200
    assert {"200", "413", "422", "429", "500"} <= set(parse["responses"])
    rows = schema["components"]["schemas"]
    row = http.post("/parse", json={"text": "Mira in Oslo", "id": 1}).json()
    assert set(row) <= set(rows["Row"]["properties"])
    assert set(row["entities"][0]) <= set(rows["Entity"]["properties"])
    assert set(row["relations"][0]) == set(rows["RelationRow"]["properties"])


def test_many_clients_at_once(serve):
    client = serve()
    found: dict[int, dict] = {}

    def ask(i: int) -> None:
        with httpx.Client(base_url=client.base_url, timeout=30) as own:
            for n in range(5):
                text = f"Mira {i} {n} Oslo"
                row = own.post("/parse", json={"text": text, "id": i}).json()
                assert row["text"] == text
                found[i] = row

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(16))
    assert all(found[i]["id"] == i for i in found)
    assert metric(client, "attn_batch_texts_sum") == 80
    assert metric(client, "attn_batch_texts_count") < 80
