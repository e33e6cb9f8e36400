"""Relations in user data, as spaCy's tutorial keeps them. Invented sentences."""

import json

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example

from spacy_attnner import Relation, get_rel, get_relations, has_relations, set_relations
from spacy_attnner.corpora.training_data import GoldEntitiesCorpus
from spacy_attnner.export.write import export_relations
from spacy_attnner.relations import add_relations, doc_to_json, spans_to_docs
from spacy_attnner.report.run import read_annotated
from spacy_attnner.scoring import score_relations

KEY = ("._.", "rel", None, None)  # where spaCy keeps `doc._.rel`
NLP = spacy.blank("en")
# text, entities, relations (head, label, tail) by the numbers of entities
SENTENCES = [
    (
        "Mira Okafor works for Kestrel Lines in Bergen .",
        [(0, 2, "PER"), (4, 6, "ORG"), (7, 8, "LOC")],
        [(0, "Works_For", 1), (1, "Based_In", 2)],
    ),
    (
        "Tom Lind works for Halden Bank .",
        [(0, 2, "PER"), (4, 6, "ORG")],
        [(0, "Works_For", 1)],
    ),
    ("Tom Lind met Mira Okafor .", [(0, 2, "PER"), (3, 5, "PER")], []),
    ("Rain stayed .", [], []),
]
LABELS = ["Based_In", "Works_For"]


def tutorial_doc(text, ents, relations):
    """As the tutorial's `parse_data.py`: every pair, also with itself, every label."""
    doc = NLP.make_doc(text)
    doc.set_ents([Span(doc, *ent) for ent in ents], default="outside")
    starts = [start for start, _, _ in ents]
    rel = {(i, j): dict.fromkeys(LABELS, 0.0) for i in starts for j in starts}
    for head, label, tail in relations:
        rel[starts[head], starts[tail]][label] = 1.0
    doc.user_data[KEY] = rel
    return doc


def found(doc):
    return {(r.head.text, r.label, r.tail.text, r.score) for r in get_relations(doc)}


FIRST = {
    ("Mira Okafor", "Works_For", "Kestrel Lines", 1.0),
    ("Kestrel Lines", "Based_In", "Bergen", 1.0),
}


@pytest.fixture
def docs():
    return [tutorial_doc(*sentence) for sentence in SENTENCES]


@pytest.fixture
def corpus(docs, tmp_path):
    path = tmp_path / "train.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def test_relations_of_a_stored_document(corpus):
    docs = list(DocBin().from_disk(corpus).get_docs(NLP.vocab))
    assert found(docs[0]) == FIRST
    assert [has_relations(doc) for doc in docs] == [True] * 4  # annotated: none
    assert [len(get_relations(doc)) for doc in docs] == [2, 1, 0, 0]
    assert get_rel(docs[1]) == {(0, 4): {"Works_For": 1.0}}
    assert len(doc_to_json(docs[0])["relations"]) == 2
    (part,) = spans_to_docs([docs[0][:6]])
    assert found(part) == {("Mira Okafor", "Works_For", "Kestrel Lines", 1.0)}


def test_relations_in_span_groups_go_before(docs):
    doc = docs[0]
    person, firm, _ = doc.ents
    set_relations(doc, [Relation(firm, person, "Hired")])
    assert found(doc) == {("Kestrel Lines", "Hired", "Mira Okafor", 1.0)}
    set_relations(doc, [])
    assert found(doc) == set()
    del doc.spans["relations"]
    assert found(doc) == FIRST


@pytest.mark.parametrize("theirs", [None, [], "kin", 0.5, {"cousin": "Tom"}])
def test_an_attribute_of_that_name_that_is_none(docs, theirs):
    """Others use the name, too: what has no pairs is no relation annotation."""
    docs[0].user_data[KEY] = theirs
    assert not has_relations(docs[0])
    assert get_relations(docs[0]) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {(0, 1): {"Works_For": 1.0}},
            "argument 1 is not the first token of",
        ),
        ({(0, 99): {"Works_For": 1.0}}, r"argument 99 .* start at \[0, 4, 7\]"),
        ({(0, "4"): {"Works_For": 1.0}}, "argument 4 is not the first"),
        ({(0, (4,)): {"Works_For": 1.0}}, r"argument \(4,\) is not the first"),
        ({(0, 4, 7): {"Works_For": 1.0}}, "is not {.head start, tail start.: "),
        ({0: {"Works_For": 1.0}}, "is not {.head start, tail start.: "),
        ({(0, 4): "Works_For"}, "is not {.head start, tail start.: "),
        ({(0, 4): {"Works_For": "yes"}}, "score 'yes' of relation 'Works_For'"),
        ({(0, 4): {"Works_For": float("nan")}}, "score nan of relation 'Works_For'"),
        ({(0, 4): {3: 1.0}}, "relation label 3 is not a non-empty string"),
        ({(0, 0): {"Works_For": 1.0}}, "'Works_For' joins 'Mira Okafor' to itself"),
    ],
)
def test_malformed_relations_are_an_error_that_names_the_text(docs, wrong, message):
    docs[0].user_data[KEY] = wrong
    assert has_relations(docs[0])
    with pytest.raises(ValueError, match=rf"rel of 'Mira Okafor works .*{message}"):
        get_relations(docs[0])


@pytest.mark.parametrize("reader", [Corpus, GoldEntitiesCorpus])
@pytest.mark.parametrize("gold_preproc", [False, True])
def test_references_of_training_corpora_have_them(corpus, reader, gold_preproc):
    examples = list(reader(corpus, gold_preproc=gold_preproc)(NLP))
    assert found(examples[0].reference) == FIRST
    scores = score_relations(examples)
    assert (scores["rel_r"], len(scores["rel_f_per_type"])) == (0.0, 2)


def test_a_component_is_trained_and_scored_with_them(corpus):
    nlp = spacy.blank("en")
    embed = {"@architectures": "spacy-attnner.WordEmbed.v1"}
    embed |= {"vector_width": 0, "word_width": 16, "word_rows": 200}
    tok2vec = {"@architectures": "spacy-attnner.AttentionEncoder.v1", "width": 16}
    tok2vec |= {"n_heads": 0, "embed": embed}
    model = {"@architectures": "spacy-attnner.EntityPairAttention.v1", "hidden": 16}
    model |= {"n_heads": 2, "type_width": 4, "distance_width": 4, "tok2vec": tok2vec}
    pipe = nlp.add_pipe("attn_rel", config={"model": model})
    examples = list(GoldEntitiesCorpus(corpus)(nlp))
    sgd = nlp.initialize(lambda: examples)
    assert pipe.labels == tuple(LABELS)
    assert pipe.cfg["types"] == [["ORG", "LOC"], ["PER", "ORG"]]
    sgd.learn_rate = 0.02
    losses = [nlp.update(examples, sgd=sgd)["attn_rel"] for _ in range(40)]
    assert losses[-1] < losses[0] / 4
    scores = nlp.evaluate(list(GoldEntitiesCorpus(corpus)(nlp)))
    assert (scores["rel_f"], scores["rel_gold_ents_f"]) == (1.0, 1.0)


def test_what_is_there_stays_with_what_is_added(docs):
    """Predictions do not hide relations in user data without `overwrite`."""
    person, firm, place = docs[0].ents
    new = [Relation(person, firm, "Works_For", 0.5), Relation(person, place, "In", 0.5)]
    add_relations(docs[0], new)
    assert found(docs[0]) == FIRST | {("Mira Okafor", "In", "Bergen", 0.5)}


def test_commands_read_such_files(corpus, tmp_path):
    examples = read_annotated(NLP, corpus)
    assert [len(example.reference.ents) for example in examples] == [3, 2, 2, 0]
    nlp = spacy.blank("en")
    nlp.add_pipe("test_tutorial_relate")
    nlp.to_disk(tmp_path / "model")
    output = tmp_path / "out.jsonl"
    written = export_relations(str(tmp_path / "model"), corpus, output)
    assert (written.documents, written.triples) == (4, 4)
    first = json.loads(output.read_text("utf-8").splitlines()[0])
    assert first["label"] == "Begins"  # predicted; the annotation is left behind


@spacy.Language.component("test_tutorial_relate", assigns=["doc._.relations"])
def relate(doc: Doc) -> Doc:
    set_relations(doc, [Relation(doc[0:1], doc[1:2], "Begins")])
    return doc


def test_an_example_of_both_is_compared_by_entities(docs):
    """`predicted` may have other tokens than the reference with the user data."""
    predicted = NLP.make_doc(SENTENCES[0][0])
    with predicted.retokenize() as retokenizer:
        retokenizer.merge(predicted[0:2])
    ents = [Span(predicted, 0, 1, "PER"), Span(predicted, 3, 5, "ORG")]
    set_relations(predicted, [Relation(*ents, "Works_For", 0.75)])
    scores = score_relations([Example(predicted, docs[0])])
    assert (scores["rel_p"], scores["rel_r"]) == (1.0, 0.5)
