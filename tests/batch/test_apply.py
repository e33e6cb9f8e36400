"""What is written: every row once, in order, in every format, and what failed."""

import csv
import json
import tracemalloc
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_attnner import get_confidence, get_relations
from spacy_attnner.batch import engine
from spacy_attnner.batch.annotator import Annotator, in_batches
from spacy_attnner.batch.part_files import Layout
from spacy_attnner.errors import UserError
from spacy_attnner.texts.row_readers import Row
from spacy_attnner.texts.row_stream import Part
from tests.batch.conftest import make_texts, read_jsonl
from tests.commands import invoke


@pytest.fixture
def expected(model, rows) -> list[dict]:
    """What the pipeline says of each row by itself."""
    nlp = spacy.load(model)
    return [
        {
            "doc": (doc := nlp(row["text"])),
            "entities": [
                (ent.text, ent.label_, ent.start_char, ent.end_char) for ent in doc.ents
            ],
        }
        for row in read_jsonl(rows)
    ]


def test_every_row_in_its_order(rows, tmp_path, apply, expected):
    done = apply(rows, tmp_path / "out.jsonl")
    found = read_jsonl(tmp_path / "out.jsonl")
    assert [each["id"] for each in found] == [f"r{i}" for i in range(30)]
    assert [each["text"] for each in found] == make_texts(30)
    assert found[7]["meta"] == {"year": 1997}
    assert (done.rows, done.failed, done.parts) == (30, 0, 5)
    n_relations = 0
    for record, alone in zip(found, expected, strict=True):
        doc = alone["doc"]
        ents = [
            (ent["text"], ent["label"], ent["start"], ent["end"])
            for ent in record["entities"]
        ]
        assert ents == alone["entities"]
        assert [ent["confidence"] for ent in record["entities"]] == pytest.approx(
            [get_confidence(ent) for ent in doc.ents], abs=1e-5
        )
        assert record["cats"] == pytest.approx(doc.cats, abs=1e-5)
        for relation, there in zip(
            record["relations"], get_relations(doc), strict=True
        ):
            assert relation["head"]["text"] == there.head.text
            assert relation["tail"]["start"] == there.tail.start_char
            assert relation["score"] == pytest.approx(there.score, abs=1e-5)
            n_relations += 1
    assert done.words == sum(len(alone["doc"]) for alone in expected)
    assert n_relations > 10
    assert sum(len(alone["entities"]) for alone in expected) > 10


def test_parts_together_are_the_file(rows, tmp_path, apply):
    for format in ("jsonl", "csv", "parquet", "spacy"):
        single = tmp_path / f"out.{format}"
        apply(rows, single)
        apply(rows, tmp_path / format, format=format)
        parts = sorted((tmp_path / format).glob(f"part-*.{format}"))
        assert len(parts) == 5
        assert not list((tmp_path / f"out.{format}.run").glob("part-*"))
        if format == "jsonl":
            assert b"".join(p.read_bytes() for p in parts) == single.read_bytes()
        elif format == "csv":
            lines = [part.read_bytes().splitlines(True) for part in parts]
            rest = [line for each in lines for line in each[1:]]
            assert b"".join([lines[0][0], *rest]) == single.read_bytes()
        elif format == "parquet":
            tables = pa.concat_tables(map(pq.read_table, parts))
            assert tables.equals(pq.read_table(single))
        else:
            texts = [doc.text for part in parts for doc in read_docs(part)]
            assert texts == [doc.text for doc in read_docs(single)] == make_texts(30)


def read_docs(path: Path) -> list:
    vocab = spacy.blank("en").vocab
    return list(DocBin().from_disk(path).get_docs(vocab))


def test_all_formats_say_the_same(rows, tmp_path, apply):
    for format in ("jsonl", "csv", "parquet", "spacy"):
        apply(rows, tmp_path / f"out.{format}")
    found = read_jsonl(tmp_path / "out.jsonl")
    with (tmp_path / "out.csv").open(newline="", encoding="utf8") as file:
        cells = list(csv.DictReader(file))
    for record, row in zip(found, cells, strict=True):
        assert row["id"] == record["id"]
        for name in ("entities", "relations", "cats", "meta"):
            assert json.loads(row[name]) == record[name]
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for record, row in zip(found, table, strict=True):
        row["cats"] = {each["label"]: each["score"] for each in row["cats"]}
        row["meta"] = json.loads(row["meta"])
        assert row == record
    for record, doc in zip(found, read_docs(tmp_path / "out.spacy"), strict=True):
        assert doc.user_data["id"] == record["id"]
        assert doc.user_data["meta"] == record["meta"]
        scores = [get_confidence(ent) for ent in doc.ents]
        assert scores == [ent["confidence"] for ent in record["entities"]]
        assert len(get_relations(doc)) == len(record["relations"])


def test_ids_and_metadata_that_msgpack_does_not_know(tmp_path, apply):
    """A .spacy file has them as .jsonl has."""
    times = pa.array([0, 10**6], pa.timestamp("us"))
    table = pa.table({"text": ["Mira", "Nils"], "id": ["a", "b"], "time": times})
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in/a.parquet")
    odd = '{"text": "Oslo", "id": "c\\ud800", "note": "\\ud800", "n": NaN}\n'
    (tmp_path / "in/b.jsonl").write_text(odd)
    for format in ("jsonl", "spacy"):
        done = apply(tmp_path / "in", tmp_path / f"out.{format}")
        assert (done.rows, done.failed) == (3, 0)
    records = read_jsonl(tmp_path / "out.jsonl")
    assert records[1]["meta"] == {"time": "1970-01-01T00:00:01"}
    for record, doc in zip(records, read_docs(tmp_path / "out.spacy"), strict=True):
        assert doc.user_data["id"] == record["id"]
        assert doc.user_data["meta"] == record["meta"]


@pytest.mark.parametrize("per", ["entity", "relation"])
def test_a_row_per_entity_or_relation(per, rows, tmp_path, apply):
    apply(rows, tmp_path / "docs.jsonl")
    name = {"entity": "entities", "relation": "relations"}[per]
    pairs = [
        (record["id"], each)
        for record in read_jsonl(tmp_path / "docs.jsonl")
        for each in record[name]
    ]
    for format in ("jsonl", "csv", "parquet"):
        apply(rows, tmp_path / f"out.{format}", per=per)
    lines = read_jsonl(tmp_path / "out.jsonl")
    assert [line["id"] for line in lines] == [id for id, _ in pairs]
    for line, (_, each) in zip(lines, pairs, strict=True):
        if per == "entity":
            assert {name: line[name] for name in each} == each
        else:
            assert line["head_text"] == each["head"]["text"]
            assert line["tail_end"] == each["tail"]["end"]
        assert line["meta"]["year"] >= 1990
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [{**row, "meta": json.loads(row["meta"])} for row in table] == lines
    with (tmp_path / "out.csv").open(newline="", encoding="utf8") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [id for id, _ in pairs]


def test_fields(rows, tmp_path, apply):
    apply(rows, tmp_path / "a.jsonl", fields=("tokens", "entities"))
    record = read_jsonl(tmp_path / "a.jsonl")[1]
    assert list(record) == ["id", "entities", "tokens"]
    text = read_jsonl(rows)[1]["text"]
    assert [text[t["start"] : t["end"]] for t in record["tokens"]] == text.split(" ")
    with pytest.raises(UserError, match="there is no field 'ents'"):
        apply(rows, tmp_path / "b.jsonl", fields=("ents",))


def test_fields_that_the_pipeline_does_not_set(model, rows, tmp_path, apply):
    nlp = spacy.load(model, exclude=["attn_rel", "attn_textcat"])
    nlp.to_disk(tmp_path / "ner")
    apply(rows, tmp_path / "a.jsonl", pipeline=tmp_path / "ner")
    assert list(read_jsonl(tmp_path / "a.jsonl")[1]) == [
        *("id", "text", "entities", "meta")
    ]
    for options in ({"fields": ("cats",)}, {"per": "relation"}):
        with pytest.raises(UserError, match="no component of the pipeline sets"):
            apply(rows, tmp_path / "b.csv", pipeline=tmp_path / "ner", **options)


def test_tokens_that_are_given_are_kept(model, tmp_path, apply):
    nlp = spacy.load(model)
    words, spaces = ["Mira", "left", "Bergen", "."], [True, True, False, False]
    doc = spacy.tokens.Doc(nlp.vocab, words=words, spaces=spaces)
    DocBin(docs=[doc]).to_disk(tmp_path / "in.spacy")
    apply(tmp_path / "in.spacy", tmp_path / "out.jsonl", fields=("text", "tokens"))
    (record,) = read_jsonl(tmp_path / "out.jsonl")
    assert record["id"] == "in.spacy:1"
    assert record["text"] == "Mira left Bergen."
    assert [token["text"] for token in record["tokens"]] == words


def test_rows_that_fail(difficult, tmp_path, apply):
    """Each by itself, whatever batch it is in; the others are written."""
    pipeline, code = difficult
    texts = make_texts(30)
    texts[3] = "explode at once"
    texts[11] = "vanish"
    texts[12] = "double"
    texts[14] = "other text"
    texts[20] = "word " * 61
    path = tmp_path / "in.jsonl"
    lines = [json.dumps({"text": text, "id": i}) for i, text in enumerate(texts)]
    lines[25] = '{"text": "a\\ud800"}'
    path.write_text("\n".join(lines))
    done = apply(path, tmp_path / "out.jsonl", pipeline=pipeline, code=code)
    errors = read_jsonl(tmp_path / "out.jsonl.run/errors.jsonl")
    assert done.failed == len(errors) == 6
    assert [(each["id"], each["place"]) for each in errors] == [
        *((3, "in.jsonl:4"), (11, "in.jsonl:12"), (12, "in.jsonl:13")),
        *((14, "in.jsonl:15"), (20, "in.jsonl:21"), ("in.jsonl:26", "in.jsonl:26")),
    ]
    for each, reason in zip(
        errors,
        (
            "RuntimeError: cannot read 'explode at once'",
            "a component dropped the text",
            "a component doubled the text",
            "a component, or the tokenizer, changed the text",
            "MemoryError: too much at a time",
            r"the text holds '\ud800', half of a surrogate pair",
        ),
        strict=True,
    ):
        assert each["reason"] == reason
    ids = [record["id"] for record in read_jsonl(tmp_path / "out.jsonl")]
    assert ids == [i for i in range(30) if i not in (3, 11, 12, 14, 20, 25)]


def test_a_pipeline_that_fails_on_everything(difficult, tmp_path, apply):
    pipeline, code = difficult
    (tmp_path / "in.txt").write_text("explode\n" * 25)
    with pytest.raises(UserError, match=r"25 texts of a part, at in\.txt:1") as error:
        apply(
            *(tmp_path / "in.txt", tmp_path / "out"),
            pipeline=pipeline,
            code=code,
            part_rows=25,
        )
    assert "Mend it, then begin anew. Finished parts are kept" in error.value.way_out


def test_a_gpu_that_fails_stops_the_run(rows, tmp_path, apply, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("CUDA error: device-side assert triggered")

    apply(rows, tmp_path / "sound.jsonl")  # the pipeline is loaded
    monkeypatch.setattr(spacy.language.Language, "pipe", fail)
    with pytest.raises(UserError, match="the GPU failed: RuntimeError: CUDA error"):
        apply(rows, tmp_path / "out.jsonl")


def test_a_text_of_50_mb(tmp_path, apply):
    path = tmp_path / "in.jsonl"
    long = json.dumps({"text": "long " * 10_000_000, "id": "long"})
    path.write_text(f'{{"text": "Mira left"}}\n{long}\n{{"text": "Nils left"}}\n')
    done = apply(path, tmp_path / "out.jsonl")
    assert (done.rows, done.failed) == (3, 1)
    assert done.examples == (
        "in.jsonl:2: the text has 50,000,000 characters, and the pipeline takes "
        "1,000,000: split it, or raise --max-length",
    )
    found = [record["text"] for record in read_jsonl(tmp_path / "out.jsonl")]
    assert found == ["Mira left", "Nils left"]


def test_a_text_that_the_pipeline_would_not_take(tmp_path, apply):
    (tmp_path / "in.txt").write_text("word " * 250_000 + "\nMira left\n")
    for output in ("own.jsonl", "raised.jsonl"):
        longest = {"max_length": 2_000_000} if output == "raised.jsonl" else {}
        apply(tmp_path / "in.txt", tmp_path / output, **longest)
    assert len(read_jsonl(tmp_path / "own.jsonl")) == 1
    assert len(read_jsonl(tmp_path / "raised.jsonl")) == 2
    with pytest.raises(UserError, match="--max-length was null and is 9"):
        apply(tmp_path / "in.txt", tmp_path / "own.jsonl", resume=True, max_length=9)


def test_metadata_does_not_nest(tmp_path, apply):
    """Keys of an object `meta` stand beside the others, where that loses nothing."""
    given = [
        {"text": "Mira", "id": "a", "meta": {"year": 1990}},
        {"text": "Nils", "id": "b", "page": 2, "meta": {"year": 1991}},
        {"text": "Oslo", "id": "c", "year": 1, "meta": {"year": 1992}},
        {"text": "rain", "id": "d", "meta": None},
    ]
    meta = [
        {"year": 1990},
        {"page": 2, "year": 1991},
        {"year": 1, "meta": {"year": 1992}},
        {"meta": None},
    ]
    lines = "".join(json.dumps(each) + "\n" for each in given)
    (tmp_path / "in.jsonl").write_text(lines)
    for format in ("jsonl", "csv", "parquet", "spacy"):
        apply(tmp_path / "in.jsonl", tmp_path / f"out.{format}")
    assert [each["meta"] for each in read_jsonl(tmp_path / "out.jsonl")] == meta
    found = read_docs(tmp_path / "out.spacy")
    assert [doc.user_data["meta"] for doc in found] == meta
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [json.loads(each["meta"]) for each in table] == meta
    apply(tmp_path / "in.jsonl", tmp_path / "fields.jsonl", fields=("text", "meta"))
    apply(tmp_path / "fields.jsonl", tmp_path / "again.jsonl")
    assert [each["meta"] for each in read_jsonl(tmp_path / "again.jsonl")] == meta


def test_a_number_that_a_spacy_file_cannot_hold(tmp_path, apply):
    """It is the row that fails, and the others are what spaCy itself would store."""
    lines = [{"text": "Mira", "n": 2**64}, {"text": "Nils left Oslo", "n": 1}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = apply(tmp_path / "in.jsonl", tmp_path / "out.spacy")
    assert "in.jsonl:1: id or meta of 'Mira' holds a whole number" in done.examples[0]
    (doc,) = read_docs(tmp_path / "out.spacy")
    own = DocBin(docs=[doc], store_user_data=True).to_bytes()
    assert (tmp_path / "out.spacy").read_bytes() == own


def test_nothing_to_read(tmp_path, apply):
    (tmp_path / "in.jsonl").write_text("\n\n")
    with pytest.raises(UserError, match="there is no text in"):
        apply(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    (tmp_path / "in.txt").write_text("\n\n")
    assert apply(tmp_path / "in.txt", tmp_path / "out.jsonl", overwrite=True).rows == 2


def test_precision(rows, tmp_path, apply, monkeypatch):
    for precision in ("fp32", "bf16"):
        apply(rows, tmp_path / f"{precision}.jsonl", precision=precision)
    apply(rows, tmp_path / "own.jsonl")
    own = (tmp_path / "own.jsonl").read_bytes()
    assert (tmp_path / "fp32.jsonl").read_bytes() == own
    half = read_jsonl(tmp_path / "bf16.jsonl")
    for a, b in zip(read_jsonl(tmp_path / "own.jsonl"), half, strict=True):
        assert a["cats"] == pytest.approx(b["cats"], abs=0.02)
    mixed = []
    monkeypatch.setattr(engine, "set_mixed_precision", lambda _, on: mixed.append(on))
    apply(rows, tmp_path / "out.jsonl", precision="bf16")
    assert mixed == [True] * 3


def test_memory_does_not_grow_with_the_rows(tmp_path, apply):
    def peak(n: int) -> int:
        (tmp_path / "in.txt").write_text("\n".join(make_texts(n)))
        tracemalloc.reset_peak()
        apply(tmp_path / "in.txt", tmp_path / "out.jsonl", overwrite=True, part_rows=20)
        return tracemalloc.get_traced_memory()[1]

    peak(20)
    tracemalloc.start()
    try:
        short, long = peak(60), peak(600)
    finally:
        tracemalloc.stop()
    assert long < 1.2 * short  # ten times as many


def test_batches_of_a_budget():
    lengths = [(6, 0), (1, 1), (3, 1), (5, 4), (0, 5), (2, 9), (4, 30)]
    batches = list(in_batches(lengths, 10))
    assert batches == [[6, 1, 3, 5], [0], [2], [4]]
    assert list(in_batches([], 10)) == []


@Language.component("test_apply_waits")
def wait_for_the_tokenizer(doc: Doc) -> Doc:
    """What reads the shortest text waits until another one is tokenized."""
    if doc.text == "a":
        assert LONGER_TOKENIZED.wait(30)
    return doc


LONGER_TOKENIZED = Event()


def test_the_next_batch_is_tokenized_meanwhile(tmp_path):
    class Tokenizer:
        def __call__(self, text: str) -> Doc:
            if len(text) > 1:
                LONGER_TOKENIZED.set()
            return Doc(nlp.vocab, text.split())

    nlp = spacy.blank("en")
    nlp.tokenizer = Tokenizer()
    nlp.add_pipe("test_apply_waits")
    annotate = Annotator(nlp, Layout("jsonl", ("text",)), 1, tmp_path)
    rows = [Row(f"a.txt:{i}", i, text) for i, text in enumerate(["ccc", "a", "bb"])]
    part = Part(0, (0, 3), rows, "", 0)
    assert annotate(part).failures == []
    assert annotate(part).words == 3


def test_tables_of_words_are_made_anew(tmp_path, apply, monkeypatch):
    source = tmp_path / "in.txt"
    source.write_text("\n".join(make_texts(40)))
    apply(source, tmp_path / "one.jsonl")
    monkeypatch.setattr("spacy_attnner.vocabulary.NEW_WORDS", 10)
    apply(source, tmp_path / "some.jsonl")
    assert (tmp_path / "some.jsonl").read_bytes() == (
        tmp_path / "one.jsonl"
    ).read_bytes()


def test_the_command(model, rows, tmp_path):
    args = [str(model), str(rows), str(tmp_path / "out.jsonl")]
    result = invoke("apply", args)
    assert result.exit_code == 0, result.output
    assert "Wrote 30 of 30 rows" in result.output
    with rows.open("a") as file:
        file.write("{\n")
    again = invoke("apply", [*args, "--overwrite", "--fields", "entities, cats"])
    assert again.exit_code == 3
    said = " ".join(again.output.split())
    assert "rows.jsonl:31: invalid JSON" in said
    assert "1 rows failed: see" in said
    assert list(read_jsonl(tmp_path / "out.jsonl")[0]) == ["id", "entities", "cats"]
    once_more = invoke("apply", [*args, "--resume", "--fields", "entities,cats"])
    assert once_more.exit_code == 3
    said = " ".join(once_more.output.split())
    assert "was complete already: 30 of 31 rows; nothing was changed" in said
    assert invoke("apply", args).exit_code == 1
    for wrong in (["-p", "0"], ["--resume", "--overwrite"]):
        assert invoke("apply", [*args, *wrong]).exit_code == 2
