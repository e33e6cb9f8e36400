"""What data sets of papers have beside the plain layout. All sentences are invented."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.docred import OTHER_NAME
from spacy_attnner.corpora.light_tag import NOWHERE, WRONG
from spacy_attnner.corpora.reading import UNREAD_KEY
from spacy_attnner.corpora.trees import NEUTRAL
from spacy_attnner.relations import get_relations

from .test_formats_apart import EXAMPLES

SENTENCES = [["Ada", "left"], ["Bo", "slept"]]
DYGIE = {"doc_key": "d", "sentences": SENTENCES, "ner": [[], [[2, 2, "PER"]]]}
GLINER = {"tokenized_text": ["Ada", "left"], "ner": [[0, 0, "PER"]], "id": "g"}
SPERT = {
    "tokens": ["Ada", "left"],
    "orig_id": 1,
    "entities": [{"type": "PER", "start": 0, "end": 1}],
}
DOCRED = {
    "title": "t",
    "sents": [["Ada", "left", "Mr.", "Cy"]],
    "vertexSet": [
        [{"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}],
        [{"name": "Mr.Cy", "sent_id": 0, "pos": [2, 4], "type": "PER"}],
    ],
}
COLUMNS = {"head": [0], "tail": [1], "relation_id": ["P1"], "relation_text": ["leave"]}
PUBTATOR = """1|t|Aspirin and ulcers.
1|a|More.
1\t0\t7\tAspirin\tChemical\tMESH:D1
1\t12\t18\tulcers\tDisease\tMESH:D2
1\tAssociate\tChemical|MESH:D1\tDisease|MESH:D2
"""
CONLLU = """# text = Ada goes to Oslo
1\tAda\t_\tX\t_\t_\t0\t_\t_\tNER=B-PER
2-3\tgoesto\t_\t_\t_\t_\t_\t_\t_\tNER=B-PER
2\tgoes\t_\tX\t_\t_\t0\t_\t_\t_
2.1\tthen\t_\tX\t_\t_\t_\t_\t_\tNER=B-PER
3\tto\t_\tX\t_\t_\t0\t_\t_\t_
4\tOslo\t_\tX\t_\t_\t0\t_\t_\tNER=B-LOC

"""


@pytest.fixture
def read(write, tmp_path, nlp):
    """The documents of a file, and the summary."""

    def convert_it(content, **options):
        text = content if isinstance(content, str) else json.dumps(content)
        out = tmp_path / "out.spacy"
        summary = convert(write(text), out, **options)
        docs = DocBin(store_user_data=True).from_disk(out).get_docs(nlp.vocab)
        return list(docs), summary

    return convert_it


@pytest.mark.parametrize(
    ("record", "keys", "empty"),
    [
        (DYGIE, {"predicted_ner": [[[0, 0, "X"]], []], "clusters": [[[0, 0]]]}, "x"),
        (GLINER, {"ner_negatives": ["LOC"]}, "ner_labels"),
        (SPERT, {"ltokens": ["Once"], "dep": ["a", "b"]}, "rtokens"),
        (DOCRED, {"wiki": {"a": 1}}, "predictions"),
        (json.loads(EXAMPLES["rebel"]), {"sections": ["a"]}, "sentences"),
    ],
)
def test_keys_that_are_not_read_are_counted(read, record, keys, empty):
    _, summary = read({**record, **keys, empty: [[], []]})
    assert summary.repairs == {UNREAD_KEY.format(key): 1 for key in keys}


def test_the_id_of_gliner_is_kept(read):
    (doc,), _ = read(GLINER)
    assert doc.user_data["id"] == "g"


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"ner": [[], [[0, 0, "PER"]]]}, r"ner \[0, 0\] is not in its sentence, tok"),
        (
            {
                "ner": [[[0, 0, "A"], [1, 1, "B"]], []],
                "relations": [[], [[0, 0, 1, 1]]],
            },
            r"relations holds \[0, 0, 1, 1\]; write 4",
        ),
        (
            {
                "ner": [[[0, 0, "A"], [1, 1, "B"]], []],
                "relations": [[], [[0, 0, 1, 1, "R"]]],
            },
            r"relations \[0, 0, 1, 1\] is not in its sentence, tokens 2 to 3",
        ),
        (
            {"sentences": [["Ada", ""], ["Bo", "slept"]]},
            r"sentences\[0\]\[1\] is empty",
        ),
        ({"doc_key": ["d"]}, r"id is \['d'\]; give a string or a number"),
        ({"sentences": None}, "sentences is None; give a list"),
    ],
)
def test_what_dygie_s_documents_cannot_be(read, change, flaw):
    with pytest.raises(CorpusError, match=flaw):
        read({**DYGIE, **change})


def test_docred_with_relations_as_columns(read):
    (doc,), summary = read({**DOCRED, "labels": COLUMNS})
    (relation,) = get_relations(doc)
    assert (relation.head.text, relation.label) == ("Ada", "leave")
    assert relation.tail.text == "Mr. Cy"
    assert not summary.repairs
    with pytest.raises(CorpusError, match="labels has columns of different lengths"):
        read({**DOCRED, "labels": {**COLUMNS, "tail": []}})


def test_docred_s_names_and_relations_to_itself(read):
    vertices = [*DOCRED["vertexSet"], [{**DOCRED["vertexSet"][0][0], "name": "Bo"}]]
    _, summary = read({**DOCRED, "vertexSet": vertices})
    assert summary.repairs[OTHER_NAME] == 1
    twice = [[{**DOCRED["vertexSet"][i][0], "type": "PER"} for i in (0, 1)]]
    labels = [{"h": 0, "t": 0, "r": "x"}]
    with pytest.raises(CorpusError, match="joins entity 0 to itself"):
        read({**DOCRED, "vertexSet": twice, "labels": labels})


def test_pubtator3_s_relations(read):
    (doc,), summary = read(PUBTATOR)
    (relation,) = get_relations(doc)
    assert (relation.head.text, relation.tail.text) == ("Aspirin", "ulcers")
    assert not summary.repairs


def test_a_second_abstract_is_no_part_of_pubtator_s_text(read):
    with pytest.raises(CorpusError, match=r":3: '1\|a\|Again.' follows the text of 1"):
        read(PUBTATOR.replace("More.\n", "More.\n1|a|Again.\n"))


def test_words_of_several_tokens_do_not_end_a_sentence(read):
    for text in (CONLLU, f"# global.columns = ID FORM NER\n{plus(CONLLU)}"):
        (doc,), summary = read(text)
        assert [token.text for token in doc] == ["Ada", "goes", "to", "Oslo"]
        assert [ent.text for ent in doc.ents] == ["Ada", "Oslo"]
        assert summary.sentences == 1


def plus(text):
    """The same as CoNLL-U Plus, with fewer columns."""
    rows = (line.split("\t") for line in text.splitlines())
    return "".join(
        f"{row[0]}\t{row[1]}\t{row[-1].removeprefix('NER=')}\n" if row[1:] else "\n"
        for row in rows
        if row[0][:1] != "#"
    )


@pytest.mark.parametrize("inner", ["O", "B-ORG"])
def test_numbered_tokens_are_not_taken_for_words(read, inner):
    """GermEval's columns without the lines before each sentence."""
    rows = "1\tAda\tB-PER\tO", "2\tleft\tO\tO", f"3\tOslo\tB-LOC\t{inner}"
    (doc,), summary = read("\n".join(rows) + "\n")
    assert summary.format == "columns"
    assert [ent.text for ent in doc.ents] == ["Ada", "Oslo"]


def test_neutral_sentences_are_counted(read):
    trees = "(3 (2 so) (4 fine))\n(2 (2 a) (2 film))\n"
    assert read(trees)[1].repairs == {NEUTRAL: 1}
    assert read(trees, phrases=True)[1].repairs == {NEUTRAL: 4}
    assert not read(trees, fine=True)[1].repairs


def test_light_tag_s_classes_and_unknown_spans(read):
    job = json.loads(EXAMPLES["light_tag"])
    job["examples"][0]["classifications"] = [{"classname": "news", "correct": False}]
    job["relations"][-1]["tagged_token_id"] = "nowhere"
    (doc,), summary = read(job)
    assert not doc.cats
    assert summary.repairs == {WRONG: 1, NOWHERE: 1}
    del job["examples"][0]["content"]
    with pytest.raises(CorpusError, match="content is None; give a string"):
        read(job)
