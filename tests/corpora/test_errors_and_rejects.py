"""All that is wrong is told in one run, or put aside; encodings, arrays, shares."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import zipfile
from collections import Counter

import pytest
import zstandard
from spacy.tokens import DocBin

from spacy_attnner.corpora import decoding, storing
from spacy_attnner.corpora.complaints import CorpusError, CorpusErrors
from spacy_attnner.corpora.conversion import SAME_ID, convert
from spacy_attnner.corpora.documents import TRIMMED, TWICE
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.corpora.splitting import parse_shares
from spacy_attnner.errors import UserError

GOOD = {"text": "Ada left Oslo.", "entities": [{"start": 9, "end": 13, "label": "LOC"}]}
BAD = {"text": "Ada left Oslo.", "entities": [{"start": 9, "end": 12, "label": "LOC"}]}
WORSE = {**BAD, "entities": [*BAD["entities"], {"start": 0, "end": 2, "label": "PER"}]}


def lines(*records):
    return "".join(f"{json.dumps(record)}\n" for record in records)


def read(path, nlp):
    return list(DocBin().from_disk(path).get_docs(nlp.vocab))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.spacy"


def test_all_errors_are_told_at_once(write, out):
    path = write(lines(GOOD, BAD, GOOD, WORSE) + "{\n")
    with pytest.raises(CorpusErrors) as caught:
        convert(path, out, format="jsonl")
    assert caught.value.n_errors == 4
    assert caught.value.n_records == 3
    told = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in told[:4]] == [
        f"{path}:{line}" for line in (2, 4, 4, 5)
    ]
    assert told[4].startswith("4 errors in 3 records; correct them, or have --rejects")
    assert not out.exists()


def test_repairs_of_rejected_records_do_not_count(write, out, tmp_path):
    ragged = [{"start": 8, "end": 13, "label": "LOC"}, *GOOD["entities"]]  # twice
    fine, wrong = ({**each, "entities": ragged} for each in (GOOD, BAD))
    wrong["entities"] = [*ragged, {"start": 0, "end": 99, "label": "PER"}]
    path = write(lines(wrong, fine, wrong))
    summary = convert(path, out, trim=True, rejects=tmp_path / "rejects.jsonl")
    assert summary.repairs == {TRIMMED: 1, TWICE: 1}
    assert [note.split(": ")[0] for note in summary.repairs.notes] == [f"{path}:2"] * 2
    assert summary.rejected == 2


def test_repairs_of_a_reader_do_not_count_in_rejected_records(write, out, tmp_path):
    good = {"doc_key": "a", "sentences": [["Ada"]], "ner": [[[0, 0, "PER"]]]}
    good["clusters"] = [[[0, 0], [0, 0]]]
    path = write(lines({**good, "ner": [[[0, 9, "PER"]]]}, good, {**good, "ner": 1}))
    summary = convert(path, out, rejects=tmp_path / "rejects.jsonl")
    assert list(summary.repairs.values()) == [1]
    assert summary.rejected == 2


def test_twenty_errors_are_shown(write, out):
    with pytest.raises(CorpusErrors) as caught:
        convert(write(lines(*[BAD] * 30)), out)
    told = str(caught.value).splitlines()
    assert len(told) == 22
    assert told[20] == "… and 10 more errors"


def test_rejects_are_written_and_left_out(write, out, tmp_path, nlp):
    rejects = tmp_path / "rejects.jsonl"
    path = write(lines(GOOD, WORSE, GOOD) + "{oops\n")
    summary = convert(path, out, format="jsonl", rejects=rejects)
    assert (summary.docs, summary.rejected) == (2, 2)
    assert f"rejected 2 records: see {rejects}" in summary.lines()
    assert len(read(out, nlp)) == 2
    first, second = map(json.loads, rejects.read_text().splitlines())
    assert json.loads(first["record"]) == WORSE
    assert (first["line"], len(first["errors"])) == (2, 2)
    assert second["record"] == "{oops"


def test_where_all_is_rejected_nothing_is_written(write, out, tmp_path):
    with pytest.raises(CorpusErrors):
        convert(write(lines(BAD, BAD)), out, rejects=tmp_path / "rejects.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt"]
    with pytest.raises(UserError, match="holds the corpus"):
        convert(write(lines(GOOD)), out, rejects=tmp_path / "corpus.txt")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_byte_order_marks(write, out, nlp, encoding):
    content = json.dumps({**GOOD, "text": "Zoë left Oslo."}, ensure_ascii=False)
    summary = convert(write((content + "\r\n" + content).encode(encoding)), out)
    assert summary.entities == {"LOC": 2}
    assert read(out, nlp)[0].text == "Zoë left Oslo."
    assert summary.repairs == ({} if "8" in encoding else {decoding.WIDE: 1})


def test_another_encoding_is_asked_for_and_counted(write, out, nlp):
    path = write("1 caf\xe9 joy\n0 a bore\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r":1: .* is not utf-8; .* --encoding lati"):
        convert(path, out)
    summary = convert(path, out, encoding="latin-1")
    assert summary.repairs == {f"{decoding.OTHER_ENCODING} latin-1": 1}
    assert [token.text for token in read(out, nlp)[0]] == ["café", "joy"]
    with pytest.raises(CorpusError, match="there is no encoding 'lattin'; give one"):
        convert(path, out, encoding="lattin")


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
PACK["zst"] = zstandard.compress


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("array", [False, True])
def test_compressed_files(write, out, ending, array):
    """Of any format, told by what is in them, with the lines that they have there."""
    content = json.dumps([GOOD, BAD], indent=1) if array else lines(GOOD, BAD)
    path = write(PACK[ending](content.encode()), f"a.jsonl.{ending}")
    with pytest.raises(CorpusError, match=r": entities\[0\] 'Osl'") as caught:
        convert(path, out)
    assert caught.value.line == (12 if array else 2)
    assert convert(path, out, align="expand").entities == {"LOC": 2}
    columns = write(PACK[ending](b"Ada\tB-PER\nleft\tO\n"), f"a.tsv.{ending}")
    assert convert(columns, out).format == "columns"


@pytest.mark.parametrize("ending", PACK)
def test_compressed_files_that_are_cut_off(write, out, ending):
    content = lines(*({**GOOD, "id": i, "meta": {"x": str(i**9)}} for i in range(999)))
    packed = PACK[ending](content.encode())
    path = write(packed[: len(packed) // 2], f"a.jsonl.{ending}")
    for format in (None, "jsonl", "label_studio"):
        with pytest.raises(CorpusError, match=r"the file cannot be read: .*; check it"):
            convert(path, out, format=format)
    assert not out.exists()


def test_pickles_are_not_read(write, out):
    path = write(pickle.dumps([("Ada left.", {"entities": [(0, 3, "PER")]})]))
    with pytest.raises(CorpusError, match="is a pickle, which may run anything; save"):
        convert(path, out)


def test_archives_are_to_be_unpacked(write, out):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.jsonl", lines(GOOD))
    for format in (None, "jsonl", "label_studio"):
        with pytest.raises(CorpusError, match="an archive; unpack it first, with unz"):
            convert(write(packed.getvalue(), "a.jsonl"), out, format=format)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(pack, out, monkeypatch, tmp_path):
    """It is read more than once: to tell the format, and to deal its shares."""

    def pipe(content):
        raw = io.BytesIO(pack(content.encode()))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw))

    pipe("text,label\nAda won,sport\nOslo fell,news\n")
    summary = convert("-", tmp_path / "split", split="50/50")
    assert summary.format == "table"
    assert summary.parts == {"train": 1, "dev": 1}
    pipe(lines(GOOD, BAD, WORSE))
    with pytest.raises(CorpusError) as caught:
        convert("-", out)
    assert str(caught.value).startswith("(stdin):2: entities[0] 'Osl'")
    pipe(lines(GOOD, BAD))
    convert("-", out, rejects=tmp_path / "wrong.jsonl")
    rejected = json.loads((tmp_path / "wrong.jsonl").read_text())
    assert rejected["file"] == "(stdin)"
    pipe("")
    with pytest.raises(CorpusError, match=r"^\(stdin\):1: the file is empty"):
        convert("-", out)


def test_a_pipe_is_not_read_twice(out, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorpusError, match="is a pipe or a device; pipe it into -"):
        convert(tmp_path / "pipe", out)


def test_utf16_without_a_mark(write, out):
    content = lines(GOOD).encode("utf-16-le")
    with pytest.raises(CorpusError, match=r":1: .*zero bytes.* --encoding utf-16-le"):
        convert(write(content), out, format="jsonl")
    assert convert(write(content), out, format="jsonl", encoding="utf-16-le").docs == 1


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_where_lines_are_expected(write, out, indent):
    path = write(json.dumps([GOOD, GOOD], indent=indent))
    assert detect_format(path) == "jsonl"
    assert convert(path, out).docs == 2
    content = json.dumps([GOOD, BAD], indent=1)
    line = content[: content.index("{", 3)].count("\n")
    with pytest.raises(CorpusError, match=r"corpus\.txt:\d+: entities\[0\] 'Osl'") as e:
        convert(write(content), out)
    assert (e.value.line or 0) >= line
    with pytest.raises(CorpusError, match=r": invalid JSON, .*; give one array, or"):
        convert(write(f"[{json.dumps(GOOD)},\n"), out, format="jsonl")


def test_form_feeds_and_tabs_are_of_the_text(write, out, nlp):
    convert(write(json.dumps({"text": "Ada\fleft\tOslo\u2028now"})), out)
    assert read(out, nlp)[0].text == "Ada\fleft\tOslo\u2028now"


def test_an_option_of_another_format(write, out):
    with pytest.raises(CorpusError, match="--fine says nothing of jsonl, but of trec"):
        convert(write(lines(GOOD)), out, fine=True)


@pytest.mark.parametrize(
    ("content", "options", "format"),
    [
        ("review,mood\nAda won,glad\n", ("text_column", "label_column"), "table"),
        ("O\twhat\nB-ACTOR\tada\n", ("columns",), "columns"),
        ("Ada\tperson-actor\nleft\tO\n", ("columns",), "columns"),
    ],
)
def test_options_tell_the_format(write, out, content, options, format):
    values = {"text_column": "review", "label_column": "mood"}
    values["columns"] = "token=1,tag=0" if content[0] == "O" else "token=0,tag=1"
    with pytest.raises(CorpusError, match="looks like none of the formats"):
        convert(write(content), out)
    summary = convert(write(content), out, **{name: values[name] for name in options})
    assert summary.format == format


def test_options_of_several_formats(write, out):
    with pytest.raises(CorpusError, match="may be trec or sst_trees; name it with"):
        convert(write("once upon\n"), out, fine=True)


def test_a_folder_of_parts(write, tmp_path, nlp, monkeypatch):
    monkeypatch.setattr(storing, "PART_TOKENS", 8)
    folder = tmp_path / "parts"
    convert(write(lines(*[GOOD] * 5)), folder)
    assert len(list(folder.iterdir())) == 3
    convert(write(lines(*[{**GOOD, "id": i} for i in range(4)])), folder)
    paths = sorted(folder.iterdir())
    assert [path.name for path in paths] == ["part-00001.spacy", "part-00002.spacy"]
    docs = [doc for path in paths for doc in read(path, nlp)]
    assert [doc.user_data["id"] for doc in docs] == [0, 1, 2, 3]
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match=r"holds other things: letter\.txt"):
        convert(write(lines(GOOD)), folder)


def test_a_number_that_the_file_cannot_hold(write, out):
    content = lines({**GOOD, "meta": {"n": 2**80}})
    with pytest.raises(CorpusError, match="holds a whole number of more than 64 bits"):
        convert(write(content), out)


def corpus_of(n):
    """Documents of three topics, ten of a rare one, two of each author."""
    for i in range(n):
        topic = "rare" if i % 10 == 0 else ("a", "b")[i % 2]
        yield {"text": f"t{i}", "cats": {topic: 1}, "meta": {"author": i // 2}, "id": i}


def shares(folder, nlp):
    return {path.stem: read(path, nlp) for path in folder.glob("*.spacy")}


def test_shares_by_label_are_the_same_each_time(write, tmp_path, nlp):
    path = write(lines(*corpus_of(100)))
    found = []
    for seed in (0, 0, 1):
        summary = convert(path, tmp_path / "split", split="80/10/10", seed=seed)
        parts = shares(tmp_path / "split", nlp)
        assert {name: len(docs) for name, docs in parts.items()} == {
            "train": 80,
            "dev": 10,
            "test": 10,
        }
        assert summary.parts == {"train": 80, "dev": 10, "test": 10}
        assert "train 80, dev 10, test 10" in summary.lines()
        counts = {
            name: Counter(label for doc in docs for label in doc.cats)
            for name, docs in parts.items()
        }
        assert counts["dev"]["rare"] == counts["test"]["rare"] == 1
        assert abs(counts["dev"]["a"] - 5) <= 1
        found.append([doc.user_data["id"] for doc in parts["dev"]])
    assert found[0] == found[1] != found[2]


def test_an_array_on_one_line_is_dealt(write, tmp_path, nlp):
    records = [{k: v for k, v in each.items() if k != "id"} for each in corpus_of(20)]
    convert(write(json.dumps(records)), tmp_path / "split", split="70/30")
    parts = shares(tmp_path / "split", nlp)
    assert {name: len(docs) for name, docs in parts.items()} == {"train": 14, "dev": 6}


def test_groups_stay_together(write, tmp_path, nlp):
    path = write(lines(*corpus_of(60)))
    convert(path, tmp_path / "split", split="2/1", group_key="author")
    parts = shares(tmp_path / "split", nlp)
    authors = [{d.user_data["meta"]["author"] for d in docs} for docs in parts.values()]
    assert len(authors) == 2
    assert not authors[0] & authors[1]
    with pytest.raises(CorpusError, match="--group-key year: no record has this key"):
        convert(path, tmp_path / "split", split="2/1", group_key="year")
    with pytest.raises(CorpusError, match="--group-key author goes with --split"):
        convert(path, tmp_path / "out.spacy", group_key="author")


def test_ids_that_several_documents_have_are_counted(write, out):
    names = ["a", 1, "a", "1", None, None, "a"]
    records = [{"text": "Ada left .", "id": name} for name in names]
    records = [{k: v for k, v in each.items() if v is not None} for each in records]
    summary = convert(write(lines(*records)), out)
    assert summary.docs == 7
    assert summary.repairs == {SAME_ID: 2}
    assert summary.repairs.notes[0].endswith(":3: id 'a'")


def test_phrases_of_a_sentence_stay_together(write, tmp_path, nlp):
    trees = "".join(f"(3 (2 w{i}) (4 x{i}))\n" for i in range(20))
    convert(write(trees), tmp_path / "split", split="70/30", phrases=True)
    parts = shares(tmp_path / "split", nlp)
    numbers = [{doc[0].text[1:] for doc in docs} for docs in parts.values()]
    assert not numbers[0] & numbers[1]


def test_shares_that_cannot_be(write, tmp_path):
    for wrong in ("80", "80/x", "80/0/20", "1/1/1/1"):
        with pytest.raises(ValueError, match="are no shares; give those of train, dev"):
            parse_shares(wrong)
    path = write(lines(GOOD, GOOD))
    with pytest.raises(CorpusError, match="no document is left for it: 2 records are"):
        convert(path, tmp_path / "split", split="80/10/10")
    with pytest.raises(CorpusError, match="give a folder for --split"):
        convert(path, tmp_path / "out.spacy", split="80/20")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["corpus.txt"]
