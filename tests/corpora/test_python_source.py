"""spaCy's training data in Python source, which is read and never run."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora import spacy_tuples
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.corpora.python_source import N_LOOKED_AT, is_python
from spacy_attnner.corpora.reading import UNREAD_KEY
from spacy_attnner.corpora.recognition import Glimpse

SCRIPT = '''"""Trains "it"."""
import spacy
from nowhere import nothing

LABELS = ["PER", "LOC"]  # all
TRAIN_DATA: list = [
    # the first's quote: "
    ("Ada left Oslo.", {"entities": [(0, 3, "PER"), (9, 13, "LOC")]}),
    (
        'Bo didn\\'t '
        "sleep.",
        {"entities": [(0, 2, "PER")], "cats": {"news": 1.0}},
    ),
    ("Nothing said.", {}),
]

for text, notes in TRAIN_DATA:
    open("written", "w").write(text)
'''
PAIR = "('Ada left', {'entities': [(0, 3, 'PER')]})"
WRONG = "('Ada left', {'entities': [(0, 2, 'PER')]})"


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert a file whose format is told; what there is of each document."""

    def read_text(content, name="corpus.txt", **options):
        path, out = write(content, name), tmp_path / "out.spacy"
        summary = convert(path, out, **options)
        assert summary.format == "spacy_tuples"
        docs = DocBin().from_disk(out).get_docs(nlp.vocab)
        return [(doc.text, [(e.text, e.label_) for e in doc.ents]) for doc in docs]

    return read_text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_script(read, tmp_path, monkeypatch, end, mark):
    monkeypatch.chdir(tmp_path)
    found = read((mark + SCRIPT).replace("\n", end), "train.py")
    assert found == [
        ("Ada left Oslo.", [("Ada", "PER"), ("Oslo", "LOC")]),
        ("Bo didn't sleep.", [("Bo", "PER")]),
        ("Nothing said.", []),
    ]
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    "content",
    [
        f"[{PAIR}]",
        f"[{PAIR},]",
        f"  DATA = [\n    {PAIR},\n  ]\n",
        f"({PAIR},)",
        PAIR,
        "['Ada left', {'entities': [[0, 3, 'PER']]}]",
        "DATA = [(u'Ada left', [(0, 3, u'PER')])]",
        '[["Ada left", {"entities": [(0, 3, "PER")]}]]',
        "{'text': 'Ada left', 'entities': [(0, 3, 'PER')]}",
        "def data():\n    return [\n        " + PAIR + "\n    ]\n",
        "DATA = [('Ada left', {'spans': {'sc': [(0, 3, 'PER')]}})]\n",
    ],
)
@pytest.mark.parametrize("name", ["corpus.txt", "corpus.json", "corpus.jsonl"])
def test_ways_to_write_it(read, content, name):
    assert read(content, name) == [("Ada left", [("Ada", "PER")])]


def test_an_example_a_line(read):
    assert len(read(f"{PAIR},\n\n# the second\n{PAIR}\n")) == 2


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["A = [", f"{PAIR},", f"{WRONG},", "]"], 3, "entities[0] 'Ad' (0 to 2)"),
        (
            ["A = [", f"{PAIR},", "('x', {'entities':", "[N]})]"],
            4,
            "N would have to be computed; write its value",
        ),
        (["A = [", f"{PAIR},", "*MORE]"], 3, "*MORE would have to be"),
        (["A = [", f"{PAIR},", "None]"], 3, "'None' is no [text, {'entities': […]}]"),
        ([f"A = [{PAIR},", "('x', {'cats': {}, 'cats': {}})]"], 2, "key 'cats' is giv"),
        (
            ["", "A = [", f"{PAIR},"],
            2,
            "no Python, '[' was never closed: 'A = ['; give",
        ),
        (["A = [", f"{PAIR},", "('x', {'ent"], 3, "no Python, unterminated string"),
        (
            ["A = [", "(“Ada”, {“entities”: []})]"],
            2,
            "no Python, invalid character '“'",
        ),
        (["A = [", f"{PAIR}", f"{PAIR}]"], 2, "a comma is missing behind"),
        ([f"A = [{PAIR}]", "", f"B = [{PAIR}]"], 3, "several lists, A on line 1, B on"),
        ([f"[{PAIR}]", f"[{PAIR}]"], 2, "several lists, one on line 1, one on line 2;"),
        ([f"A = [{PAIR}]", f"A += [{PAIR}]"], 2, "is part of what has to be comp"),
        ([f"A = [{PAIR}]", f"A.append({PAIR})"], 2, "is part of what has to be comp"),
        ([f"A = clean([{PAIR}])"], 1, "or have Python save it: json.dump("),
        (
            ["A = [", "(text, {'entities': found})]"],
            1,
            "the file holds no list of texts",
        ),
    ],
)
def test_errors(read, tmp_path, lines, line, message):
    with pytest.raises(CorpusError) as caught:
        read("\n".join(lines), "train.py")
    assert str(caught.value).startswith(f"{tmp_path / 'train.py'}:{line}: ")
    assert message in str(caught.value)
    assert not (tmp_path / "out.spacy").exists()


def test_what_is_nested_too_deeply_is_an_error(read):
    with pytest.raises(CorpusError, match="leave the list alone in the file"):
        read(f"A = [{PAIR}]\nB = {'+'.join('1' * 3000)}\n")


def test_rejects_have_the_lines_of_the_example(read, tmp_path):
    wrong = "(  # naïve\n  'ö', {'entities': [(0, 2,\n 'X')]})"
    rejects = tmp_path / "wrong.jsonl"
    assert len(read(f"A = [{PAIR}, {wrong}, {PAIR}]", rejects=rejects)) == 2
    (found,) = map(json.loads, rejects.read_text("utf8").splitlines())
    assert (found["line"], found["record"]) == (1, wrong)


def test_other_encodings(read):
    content = "A = [\n('Zoë', {'entities': [(0, 3, 'PER')]})]".encode("latin-1")
    with pytest.raises(CorpusError, match=r"txt:2: b'\\xeb' is not utf-8; save"):
        read(content)
    assert read(content, encoding="latin-1") == [("Zoë", [("Zoë", "PER")])]


def test_what_is_left_out_is_counted(write, tmp_path):
    links = "('Ada left', {'entities': [], 'links': {(0, 3): {'Q7259': 1.0}}})"
    summary = convert(write(f"A = [{links}]"), tmp_path / "out.spacy")
    assert summary.repairs == {UNREAD_KEY.format("links"): 1}
    groups = (
        "('Ada left', {'spans': {'a': [(0, 3, 'X')], 'b': [(0, 8, 'Y')], 'c': []}})"
    )
    summary = convert(write(f"A = [{groups}]"), tmp_path / "out.spacy")
    assert summary.repairs[spacy_tuples.GROUPS] == 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"text": "it\'s (so) # None", "entities": []}\n', "jsonl"),
        ('["it\'s", {"entities": [[0, 2, "X"]]}]\n', "spacy_tuples"),
        ('{"text": "a \\"b", "spans": [], "answer": "accept"}\n', "prodigy"),
    ],
)
def test_json_is_not_taken_for_it(write, content, name):
    assert detect_format(write(content)) == name


def test_json_is_not_taken_for_it_where_a_look_at_it_ends(write):
    begin = "[\"it's "
    begin += "a" * (N_LOOKED_AT - len(begin) - 1)
    content = f'{begin}\\n", {{"entities": [[0, 2, "X"]]}}]\n'
    assert content[N_LOOKED_AT - 1] == "\\"
    assert not is_python(Glimpse(write(content)))


@pytest.mark.parametrize(
    "content", ["{'text': 'Ada', 'labels': ['a']}\n", '{"text": "Ada"} (so)\n']
)
def test_json_with_flaws_is_told_as_such(write, content):
    with pytest.raises(CorpusError, match="invalid JSON") as caught:
        detect_format(write(content))
    way_out = "it with json.dumps" if content[1] == "'" else "one object a line"
    assert f"write {way_out}" in str(caught.value)
