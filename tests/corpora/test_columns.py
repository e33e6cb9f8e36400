"""Columns of tokens and tags, in the layouts of several corpora. All are invented."""

import pytest

from spacy_attnner.corpora import columns
from spacy_attnner.corpora import tags as flaws
from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.corpora.documents import ALL_ENTITIES
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.corpora.tags import decode_scheme

from .reading_as import read_as

read_columns = read_as("columns")

WORDS = ["Ada", "Byron", "met", "Bo", "Cy", "in", "Oslo", "."]
ENTS = [("Ada Byron", "PER"), ("Bo", "PER"), ("Cy", "PER"), ("Oslo", "LOC")]
SCHEMES = {
    "IOB1": "I-PER I-PER O I-PER B-PER O I-LOC O",
    "BIO": "B-PER I-PER O B-PER B-PER O B-LOC O",
    "BIOES": "B-PER E-PER O S-PER S-PER O S-LOC O",
    "BILUO": "B-PER L-PER O U-PER U-PER O U-LOC O",
}


def rows(tags, *others, sep="\t"):
    columns = zip(WORDS, *others, tags.split(), strict=True)
    return "\n".join(map(sep.join, columns)) + "\n\n"


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


@pytest.fixture
def read(write, nlp):
    """Read columns; returns the documents and the repairs."""

    def read_content(content, **options):
        repairs = Repairs()
        docs = read_columns(write(content), nlp, repairs=repairs, **options)
        return list(docs), repairs

    return read_content


@pytest.mark.parametrize("sep", ["\t", " "])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes(read, write, scheme, sep):
    content = rows(SCHEMES[scheme], sep=sep) * 2
    docs, repairs = read(content)
    assert [ents(doc) for doc in docs] == [ENTS, ENTS]
    assert not repairs
    assert detect_format(write(content)) == "columns"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_prefixes_in_lower_case(read, scheme):
    tags = [tag[0].lower() + tag[1:] for tag in SCHEMES[scheme].split()]
    docs, repairs = read(rows(" ".join(tags)), columns="token=0,tag=1")
    assert ents(docs[0]) == ENTS
    assert not repairs


def test_io_without_prefixes_has_to_be_named(read, write):
    content = rows("PER PER O PER O O LOC O")
    with pytest.raises(CorpusError, match=r":1: .* looks like none of the formats"):
        detect_format(write(content))
    with pytest.raises(CorpusError, match=r"holds tags; name them, like --columns tok"):
        read(content)
    (doc,), _ = read(content, columns="token=0,tag=1")
    assert ents(doc) == [("Ada Byron", "PER"), ("Bo", "PER"), ("Oslo", "LOC")]


@pytest.mark.parametrize(
    ("tags", "n"),
    [
        ("B-PER I-PER O I-PER O O B-LOC O", 1),  # BIO
        ("B-PER I-PER O S-PER S-PER O S-LOC O", 1),  # BIOES, not closed
        ("E-PER O O S-PER S-PER O S-LOC O", 1),
        ("B-PER E-LOC O S-PER S-PER O S-LOC O", 2),
    ],
)
def test_what_does_not_fit_the_scheme_is_repaired_and_counted(read, tags, n):
    (doc,), repairs = read(rows(tags))
    assert repairs == {flaws.UNFITTING: n}
    inside = [tag[2:] for tag in tags.split()]
    assert [token.ent_type_ for token in doc] == inside
    assert "corpus.txt:" in repairs.notes[0]


def test_germeval_s_two_columns_of_tags(read, write):
    outer = "B-ORG I-ORG O B-PER O O B-LOC O"
    inner = "B-PER O O O O O O O"
    content = "#\thttp://invented.example [2009-01-02]\n"
    for i, row in enumerate(zip(WORDS, outer.split(), inner.split(), strict=True), 1):
        content += f"{i}\t" + "\t".join(row) + "\n"
    assert detect_format(write(content)) == "columns"
    (doc,), repairs = read(content)
    assert ents(doc) == [("Ada Byron", "ORG"), ("Bo", "PER"), ("Oslo", "LOC")]
    group = [(span.text, span.label_) for span in doc.spans[ALL_ENTITIES]]
    assert ("Ada", "PER") in group
    assert sum(repairs.values()) == 1


def test_germeval_s_columns_need_no_label_in_common(read):
    content = "#\thttp://invented.example [2009-01-02]\n1\tUniversity\tB-ORG\tO\n"
    content += "2\tOslo\tI-ORG\tB-LOC\n\n1\tBo\tB-PER\tO\n"
    docs, repairs = read(content)
    assert [ents(doc) for doc in docs] == [
        [("University Oslo", "ORG")],
        [("Bo", "PER")],
    ]
    assert len(docs[0].spans[ALL_ENTITIES]) == 2
    assert columns.UNREAD not in repairs


def test_two_columns_of_tags_without_numbers(read):
    """With labels in common the second one is nested; chunks are no entities."""
    content = "Ada\tB-PER\tO\nByron\tI-PER\tO\nOslo\tB-LOC\tB-PER\nBo\tB-PER\tO\n"
    (doc,), _ = read(content)
    assert ents(doc)[:2] == [("Ada Byron", "PER"), ("Oslo", "LOC")]
    assert len(doc.spans[ALL_ENTITIES]) == 4
    (doc,), repairs = read("Ada\tB-NP\tB-PER\nslept\tB-VP\tO\n")
    assert ents(doc) == [("Ada", "PER")]
    assert repairs == {columns.UNREAD: 1}
    assert repairs.notes[0].endswith(":1: column 1, counted from 0")


def test_conllu_with_entities_in_misc(read, write):
    lines = ["# newdoc id = d1", "# sent_id = s1", "# text = Ada's in Oslo."]
    lines.append("1-2\tAda's\t_\t_\t_\t_\t_\t_\t_\t_")
    for i, (word, misc) in enumerate(
        [("Ada", "NER=B-PER"), ("'s", "NER=O"), ("in", "_")], 1
    ):
        lines.append(f"{i}\t{word}\t{word}\tX\t_\t_\t0\troot\t_\t{misc}")
    lines.append("4\tOslo\tOslo\tX\t_\t_\t0\troot\t_\tSpaceAfter=No|NER=B-LOC")
    lines.append("5\t.\t.\tX\t_\t_\t0\troot\t_\t_")
    content = "\n".join(lines) + "\n\n"
    assert detect_format(write(content)) == "columns"
    doc = read(content + content.replace("d1", "d2"))[0][0]
    assert doc.text == "Ada 's in Oslo. "
    assert ents(doc) == [("Ada", "PER"), ("Oslo", "LOC")]
    assert doc.user_data["id"] == "d1"


def test_conllu_plus_names_its_columns(read, write):
    content = "# global.columns = ID FORM NE UPOS\n"
    content += "1\tAda\tB-PER\tX\n2\tslept\tO\tX\n"
    assert detect_format(write(content)) == "columns"
    assert ents(read(content)[0][0]) == [("Ada", "PER")]


@pytest.mark.parametrize("named", [{}, {"columns": "token=0,tag=1"}])
def test_biobert_s_tags_without_labels(read, write, named):
    content = "Aspirin\tB\nled\tO\nto\tO\nstomach\tB\nulcers\tI\n\nNo\tO\n"
    assert detect_format(write(content)) == "columns"
    docs, _ = read(content, **named)
    assert ents(docs[0]) == [("Aspirin", "ENTITY"), ("stomach ulcers", "ENTITY")]
    docs, _ = read(content, entity_label="Disease", **named)
    assert ents(docs[0])[0] == ("Aspirin", "Disease")


def test_misc_is_read_as_such_if_it_is_named(read):
    row = "Ada\tAda\tX\t_\t_\t0\troot\t_\tstart_char=0|end_char=3|NER=S-PER\n"
    (doc,), _ = read(f"1\t{row}", columns="token=1,tag=9")
    assert ents(doc) == [("Ada", "PER")]


def test_stanza_s_conllu(read, write):
    content = "# text = Ada\n# sent_id = 0\n"
    content += "1\tAda\t_\tX\t_\t_\t0\troot\t_\tstart_char=0|end_char=3|ner=S-PER\n"
    assert detect_format(write(content)) == "columns"
    (doc,), _ = read(content)
    assert ents(doc) == [("Ada", "PER")]


def test_the_middle_of_bmes(read, write):
    content = "Ada\tB-PER\nB.\tM-PER\nByron\tE-PER\nmet\tO\nBo\tS-PER\n"
    assert detect_format(write(content)) == "columns"
    (doc,), repairs = read(content)
    assert ents(doc) == [("Ada B. Byron", "PER"), ("Bo", "PER")]
    assert not repairs


def test_multiconer_s_ids_are_comments(read, write):
    content = "# id 52-9d\tdomain=en\nada _ _ B-PER\nslept _ _ O\n\n"
    content += "# id 7a\tdomain=en\noslo _ _ B-LOC\n"
    assert detect_format(write(content)) == "columns"
    docs, repairs = read(content)
    assert [ents(doc) for doc in docs] == [[("ada", "PER")], [("oslo", "LOC")]]
    assert not repairs


def test_documents(read):
    content = "-DOCSTART-\tO\n\n" + rows(SCHEMES["BIO"]) * 2
    content += "-DOCSTART-\tO\n\n" + rows(SCHEMES["BIO"])
    docs, _ = read(content)
    assert [len(list(doc.sents)) for doc in docs] == [2, 1]


def test_a_word_may_be_a_number_sign(read):
    (doc,), _ = read("#\tO\nOslo\tB-LOC\n")
    assert [token.text for token in doc] == ["#", "Oslo"]


@pytest.mark.parametrize(
    ("columns", "found"),
    [("token=0,tag=1", "A"), ("token=0,tag=-1", "B"), ("tag=2", "B")],
)
def test_columns_that_are_named(read, columns, found):
    (doc,), _ = read("Ada\tB-A\tB-B\nslept\tO\tO\n", columns=columns)
    assert [label for _, label in ents(doc)] == [found]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Oslo\tx\tB-LOC", "3 columns in 'Oslo\\tx\\tB-LOC'; write 2, as in the other"),
        ("\tB-LOC", "no token in '\\tB-LOC'; fill column 0"),
        ("Oslo\tLOC", "tag 'LOC' is none of O, B-TYPE, I-TYPE"),
    ],
)
def test_errors_name_the_line(read, line, message):
    content = rows(SCHEMES["BIO"]) + f"in\tO\n{line}\nnow\tO\n"
    with pytest.raises(CorpusError) as caught:
        read(content)
    assert "corpus.txt:11: " in str(caught.value)
    assert message in str(caught.value)


def test_columns_that_are_not_there(read):
    with pytest.raises(
        CorpusError, match=r"'tag=2' is none of the 2 columns; write to"
    ):
        read(rows(SCHEMES["BIO"]), columns="token=0,tag=2")


def test_the_longest_run_of_one_type_is_one_entity():
    tags = [("B", "A"), ("I", "A"), ("I", "B"), ("", ""), ("I", "B")]
    found = decode_scheme(tags, 10, True, False)
    assert [each[:3] for each in found] == [(10, 12, "A"), (12, 13, "B"), (14, 15, "B")]
    assert [each.flaws for each in found] == [(), (12,), (14,)]
