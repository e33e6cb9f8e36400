import pytest

from spacy_attnner.corpora import conll
from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.relations import get_relations, has_relations

from .reading_as import read_as

read_conll04 = read_as("conll04")


def make(*rows, number=1):
    """A document of "word tag [label>tail …]" rows."""
    lines = [f"#doc {number}"]
    for i, row in enumerate(rows):
        word, tag, *relations = row.split()
        names = [each.split(">")[0] for each in relations] or ["N"]
        tails = [int(each.split(">")[1]) for each in relations] or [i]
        lines.append(f"{i}\t{word}\t{tag}\t{names}\t{tails}")
    return "\n".join(lines) + "\n"


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


GOOD = ("Ada B-Peop", "Byron I-Peop Work_For>5 Live_In>3", "of O", "Oslo B-Loc")
GOOD = (*GOOD, "joined O", "Acme B-Org Based_In>3")


def test_reads_entities_and_relations(write, vocab):
    repairs = Repairs()
    first, second = read_conll04(
        write(make(*GOOD) + make("Nobody O", number=2)), vocab, repairs=repairs
    )
    assert [(e.text, e.label_) for e in first.ents] == [
        ("Ada Byron", "Peop"),
        ("Oslo", "Loc"),
        ("Acme", "Org"),
    ]
    assert triples(first) == [
        ("Ada Byron", "Work_For", "Acme"),
        ("Ada Byron", "Live_In", "Oslo"),
        ("Acme", "Based_In", "Oslo"),
    ]
    assert {r.head.label_ for r in get_relations(first)} == {"Peop", "Org"}
    assert second.has_annotation("ENT_IOB", require_complete=True)
    assert has_relations(second)
    assert triples(second) == []
    assert not repairs


def test_a_stray_inside_tag_begins_an_entity(write, vocab):
    rows = ("Ada B-Peop Live_In>4", "of O", "the O", "Far I-Loc", "North I-Loc")
    repairs = Repairs()
    (doc,) = read_conll04(write(make(*rows)), vocab, repairs=repairs)
    assert triples(doc) == [("Ada", "Live_In", "Far North")]
    assert repairs == {conll.STRAY_TAG: 2, conll.OF_STRAY: 1}
    assert "corpus.txt:5: I-Loc on 'Far North'" in repairs.notes[0]


@pytest.mark.parametrize(
    ("tail", "found", "repair"),
    [
        (2, [("Ada", "Live_In", "Far North")], conll.ATTACHED),
        (1, [], conll.DROPPED),
        (0, [], None),
    ],
)
def test_an_argument_that_ends_no_entity(write, vocab, tail, found, repair):
    rows = (f"Ada B-Peop Live_In>{tail}", "of O", "Far B-Loc", "North I-Loc")
    path, repairs = write(make(*rows)), Repairs()
    if repair is None:
        with pytest.raises(CorpusError, match=r":2: .* joins an entity to itself"):
            list(read_conll04(path, vocab))
        return
    (doc,) = read_conll04(path, vocab, repairs=repairs)
    assert triples(doc) == found
    assert repairs == {repair: 1}
    assert repairs.notes == [f"{path}:2: Live_In from token 0 to token {tail}"]


@pytest.mark.parametrize("tails", ["3 Live_In>2", "2 Live_In>3"])
def test_a_moved_argument_may_make_a_duplicate(write, vocab, tails):
    rows = (f"Ada B-Peop Live_In>{tails}", "of O", "Far B-Loc", "North I-Loc")
    repairs = Repairs()
    (doc,) = read_conll04(write(make(*rows)), vocab, repairs=repairs)
    assert triples(doc) == [("Ada", "Live_In", "Far North")]
    assert repairs[conll.MERGED] == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\tOslo\tB-Loc\t['N']", "4 columns in"),
        ("2\tOslo\tB-Loc\t['N']\t[1]", "index '2' where 1 follows"),
        ("1\t\tB-Loc\t['N']\t[1]", "no token"),
        ("1\tOslo\tU-Loc\t['N']\t[1]", "tag 'U-Loc' is none of"),
        ("1\tOslo\tB-Planet\t['N']\t[1]", "unknown label 'Planet'"),
        ("1\tOslo\tB-Loc\t['Eats']\t[0]", "unknown label 'Eats'"),
        ("1\tOslo\tB-Loc\tKill\t[0]", "relations Kill [0] are no lists"),
        ("1\tOslo\tB-Loc\t['Kill']\t[0, 1]", "do not match; write two lists"),
        ("1\tOslo\tB-Loc\t['Kill', 'N']\t[0, 1]", "do not match"),
        ("1\tOslo\tB-Loc\t['Kill']\t['0']", "are no lists"),
        ("1\tOslo\tB-Loc\t['Kill']\t[0.5]", "do not match"),
        ("1\tOslo\tB-Loc\t['Kill']\t[7]", "the document has the tokens 0 to 1"),
        ("1\tOslo\tB-Loc\t['Kill']\t[1]", "joins an entity to itself; remove it"),
    ],
)
def test_errors_name_the_line(write, vocab, row, message):
    path = write(f"#doc 1\n0\tAda\tB-Peop\t['N']\t[0]\n{row}\n")
    with pytest.raises(CorpusError) as caught:
        list(read_conll04(path, vocab, labels=["Peop", "Loc", "Kill"]))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)


def test_a_token_before_any_document_is_an_error(write, vocab):
    with pytest.raises(
        CorpusError, match=r"corpus\.txt:1: .*precedes the first `#doc`"
    ):
        list(read_conll04(write("0\tAda\tO\t['N']\t[0]\n"), vocab))


def test_a_file_without_documents_is_an_error(write, vocab):
    with pytest.raises(CorpusError, match=r"corpus\.txt:1: the file holds no document"):
        list(read_conll04(write("#doc 1\n\n"), vocab))
