import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_attnner.corpora import documents, semeval
from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.corpora.semeval import read_marked_text
from spacy_attnner.relations import get_relations, has_relations

from .reading_as import read_as

read_semeval2010 = read_as("semeval2010")

FLOOD = "The <e1>flood</e1> was caused by days of <e2>rain</e2>."
OVEN = "The <e1>bread</e1> lay beside the <e2>bread oven</e2>."
GOOD = (
    f'8001\t"{FLOOD}"\nCause-Effect(e2,e1)\nComment: (e1,e2) the other day\n\n'
    f'8002\t"{OVEN}"\nOther\nComment:\n\n'
)


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


@pytest.fixture
def read(write, nlp):
    """Read the content of a file; returns the documents and the repairs."""

    def read_content(content, **settings):
        repairs = Repairs()
        docs = read_semeval2010(write(content), nlp, repairs=repairs, **settings)
        return list(docs), repairs

    return read_content


def test_entities_and_directed_relations(read):
    (first, second), repairs = read(GOOD)
    assert first.text == "The flood was caused by days of rain."
    assert ents(first) == [("flood", "ENTITY"), ("rain", "ENTITY")]
    assert triples(first) == [("rain", "Cause-Effect", "flood")]
    assert ents(second) == [("bread", "ENTITY"), ("bread oven", "ENTITY")]
    assert has_relations(second)
    assert triples(second) == []
    assert not repairs


def test_tokens_outside_the_pair_are_missing_not_negative(read):
    doc = read(GOOD)[0][0]
    assert [token.ent_iob_ for token in doc] == ["", "B", *[""] * 5, "B", ""]


def test_the_other_direction(read):
    (doc,), _ = read(f'1\t"{FLOOD}"\nEffect-Cause( e1, e2 )')
    assert triples(doc) == [("flood", "Effect-Cause", "rain")]


def test_the_second_entity_may_come_first(read):
    (doc,), _ = read('7 "A <e2>lid</e2> of a <e1>jar</e1>"\nComponent-Whole(e2,e1)')
    assert triples(doc) == [("lid", "Component-Whole", "jar")]


def test_without_relation_lines_relations_are_not_annotated(read):
    docs, _ = read(f'1\t"{FLOOD}"\n2\t"{OVEN}"\nComment: no answer\n')
    assert [has_relations(doc) for doc in docs] == [False, False]
    assert [len(doc.ents) for doc in docs] == [2, 2]


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("\n", "\n\n"),
        GOOD.replace("Comment: (e1,e2) the other day\n", ""),
        GOOD.replace("\n", " \n"),
    ],
)
def test_line_ends_blank_lines_and_comments_do_not_matter(read, content):
    expected = [doc.to_json() for doc in read(GOOD)[0]]
    docs, repairs = read(content)
    assert [doc.to_json() for doc in docs] == expected
    assert [triples(doc) for doc in docs] == [triples(doc) for doc in read(GOOD)[0]]
    assert not repairs


def test_quotes_inside_the_sentence_stay(read):
    (doc,), _ = read('1\t""Bake," said the <e1>miller</e1>, "a <e2>loaf</e2>!""\nOther')
    assert doc.text == '"Bake," said the miller, "a loaf!"'
    assert ents(doc) == [("miller", "ENTITY"), ("loaf", "ENTITY")]


def test_html_references_are_decoded_before_anything_is_counted(read):
    sentence = "Q&A at <e1>Ferry &amp; Sons</e1> cost 5 &lt; 6 &#8364; a <e2>head</e2>"
    (doc,), repairs = read(f'1\t"{sentence} &notreal; &para"\nOther')
    assert doc.text == "Q&A at Ferry & Sons cost 5 < 6 € a head &notreal; &para"
    assert ents(doc) == [("Ferry & Sons", "ENTITY"), ("head", "ENTITY")]
    assert repairs == {semeval.DECODED: 2}
    assert "corpus.txt:1: 'Ferry &amp; Sons'" in repairs.notes[0]


@pytest.mark.parametrize(
    ("sentence", "words", "within"),
    [
        ("the<e1>oven</e1> of a <e2>baker</e2>", "the oven of a baker", "theoven"),
        ("<e1>oven</e1>less <e2>baker</e2>", "oven less baker", "ovenless"),
        ("an <e1>oven</e1><e2>baker</e2>", "an oven baker", "ovenbaker"),
        ("non-<e1>oven</e1> <e2>baker</e2>s", "non - oven baker s", "bakers"),
    ],
)
def test_a_token_that_holds_more_than_the_entity_is_split(
    read, sentence, words, within
):
    (doc,), repairs = read(f'1\t"{sentence}"\nMade-Of(e1,e2)')
    assert [token.text for token in doc] == words.split()
    assert ents(doc) == [("oven", "ENTITY"), ("baker", "ENTITY")]
    assert triples(doc) == [("oven", "Made-Of", "baker")]
    assert set(repairs) == {documents.SPLIT}
    assert f"in {within!r}" in repairs.notes[0]


def test_spaces_inside_the_tags_are_moved_out(read):
    sentence = '" <e1> Bo </e1> of<e2> the Ferries</e2>sang . "'
    (doc,), repairs = read(f"3\t{sentence}\nper:member_of(e1,e2)")
    assert doc.text == "Bo of the Ferriessang ."
    assert ents(doc) == [("Bo", "ENTITY"), ("the Ferries", "ENTITY")]
    assert triples(doc) == [("Bo", "per:member_of", "the Ferries")]
    assert repairs == {semeval.SPACES: 2, documents.SPLIT: 1}


def test_the_label_of_the_entities(read):
    labels = ["THING", "Cause-Effect"]
    docs, _ = read(GOOD, entity_label="THING", labels=labels)
    assert {label for doc in docs for _, label in ents(doc)} == {"THING"}


BEFORE = f'1\t"{OVEN}"\nOther\n\n'


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ("2\tThe <e1>oven</e1> of <e2>Bo</e2>\nOther", 4, "is not in double quotes; a"),
        ('2\t"\nOther', 4, "'\"' is not in double quotes; add them"),
        ('2\t"The <e1>oven</e1> of Bo"\nOther', 4, "are <e1> </e1>; mark one entity"),
        ('2\t"The oven of Bo"\nOther', 4, "the tags of '\"The oven of Bo\"' are none"),
        ('2\t"<e1>a <e2>b</e2></e1>"\nOther', 4, "neither inside the other"),
        ('2\t"<e1>a</e1> <e1>b</e1> <e2>c</e2>"', 4, "<e1> </e1> <e1> </e1> <e2>"),
        ('2\t"<e1>a</e2> <e2>b</e1>"', 4, "are <e1> </e2> <e2> </e1>; mark one"),
        ('2\t"<e1>a</e1> <e2> </e2>"', 4, "nothing is in <e2></e2>; mark a word"),
        ('2\t"<e1>&nbsp;</e1> <e2>b</e2>"', 4, "nothing is in <e1></e1>; mark a word"),
        (f'2\t"{OVEN}"\nMade-Of', 5, "relation 'Made-Of' is none of LABEL(e1,e2), LA"),
        (f'2\t"{OVEN}"\nMade-Of(e1,e3)', 5, "'Made-Of(e1,e3)' is none of"),
        (f'2\t"{OVEN}"\n(e1,e2)', 5, "'(e1,e2)' is none of"),
        (f'2\t"{OVEN}"\nOther(e1,e2)', 5, "'Other(e1,e2)' is none of LABEL(e1,e2)"),
        (f'2\t"{OVEN}"\nMade-Of(e2,e2)', 5, "joins e2 to itself; write Made-Of(e1,e"),
        (f'2\t"{OVEN}"\nEats(e1,e2)', 5, "unknown label 'Eats'; the labels given are"),
        (
            f'2\t"{OVEN}"\nMade-Of(e1,e2)\nMade-Of(e2,e1)',
            6,
            "'Made-Of(e2,e1)' follows the relation 'Made-Of(e1,e2)'; a sentence has o",
        ),
        (f'2\t"{OVEN}"\nOther\nwithout a comment sign', 6, "follows the relation 'Ot"),
        (f'"{OVEN}"\nOther', 4, "follows the relation 'Other'; a sentence has one"),
    ],
)
def test_errors_name_the_line(write, nlp, lines, line, message):
    path = write(BEFORE + lines)
    with pytest.raises(CorpusError) as caught:
        list(read_semeval2010(path, nlp, labels=["ENTITY", "Made-Of"]))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_other_errors(write, nlp):
    path = write("Other\n" + GOOD)
    with pytest.raises(CorpusError, match=r":1: 'Other' precedes the first sentence; "):
        list(read_semeval2010(path, nlp))
    with pytest.raises(CorpusError, match=r":1: the file holds no document"):
        list(read_semeval2010(write("\n"), nlp))
    path = write(GOOD)
    with pytest.raises(CorpusError, match=r":1: unknown label 'ENTITY'; the labels"):
        list(read_semeval2010(path, nlp, labels=["Cause-Effect"]))
    with pytest.raises(CorpusError, match=r":1: entity label is empty; name its type"):
        list(read_semeval2010(path, nlp, entity_label=""))
    path = write(GOOD.encode() + b'8003\t"caf\xe9')
    with pytest.raises(CorpusError, match=r":9: .* is not utf-8; save the file as"):
        list(read_semeval2010(path, nlp))


PART = st.text("ab &;\"</e1'.-é", max_size=8)


@settings(deadline=None)
@given(parts=st.tuples(PART, PART, PART, PART, PART), flip=st.booleans())
def test_entities_stand_where_the_tags_did(nlp, parts, flip):
    before, one, between, two, after = parts
    if not one.strip() or not two.strip():
        return
    first, second = ("e2", "e1") if flip else ("e1", "e2")
    sentence = f"{before}<{first}>{one}</{first}>{between}<{second}>{two}</{second}>"
    marked = read_marked_text(f'"{sentence}{after}"', lambda kind, detail: None)
    found = [marked.text[start:end] for start, end in marked.places.values()]
    assert found == [one.strip(), two.strip()]
    assert list(marked.places) == [first, second]
    squeezed = "".join("".join(parts).split())
    assert "".join(marked.text.split()) == squeezed
    assert marked.text == marked.text.strip()
