"""Flawed relations, format by format: made right and counted, or an error that says
where, what and the way out. All sentences are invented."""

import json

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_attnner.corpora import prodigy as flaws
from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.corpora.conll import DROPPED
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.documents import LINK_TWICE
from spacy_attnner.corpora.formats import detect_format, read_corpus
from spacy_attnner.corpora.training_data import GoldEntitiesCorpus
from spacy_attnner.relations import (
    Relation,
    get_relations,
    has_relations,
    set_relations,
)

# every document says of some of Ada, Bo and Oslo what relates them
WORDS = ["Ada", "met", "Bo", "in", "Oslo"]
PLACES = {"Ada": 0, "Bo": 2, "Oslo": 4}


def jsonl(relations, ents=tuple(PLACES)):
    names = [*ents, *PLACES]  # what is no entity gets an index past the last one
    entities = [
        {"start": PLACES[name], "end": PLACES[name] + 1, "label": "X"} for name in ents
    ]
    links = [
        {"head": names.index(head), "tail": names.index(tail), "label": label}
        for head, label, tail in relations
    ]
    return json.dumps({"tokens": WORDS, "entities": entities, "relations": links})


def prodigy(relations, ents=tuple(PLACES)):
    places = {name: " ".join(WORDS).index(name) for name in PLACES}
    spans = [
        {"start": places[name], "end": places[name] + len(name), "label": "X"}
        for name in ents
    ]
    links = [
        {"head": PLACES[head], "child": PLACES[tail], "label": label}
        for head, label, tail in relations
    ]
    example = {"text": " ".join(WORDS), "spans": spans, "relations": links}
    return json.dumps({**example, "answer": "accept"})


def columns(relations, ents=tuple(PLACES)):
    rows = ["#doc 1"]
    for i, word in enumerate(WORDS):
        found = [each for each in relations if each[0] == word]
        names = [label for _, label, _ in found] or ["N"]
        tails = [PLACES[tail] for _, _, tail in found] or [i]
        tag = "B-X" if word in ents else "O"
        rows.append(f"{i}\t{word}\t{tag}\t{names}\t{tails}")
    return "\n".join(rows)


def marked(relations, ents=("Ada", "Oslo")):
    tags = {name: f"e{i}" for i, name in enumerate(ents, 1)}
    words = [f"<{tags[w]}>{w}</{tags[w]}>" if w in tags else w for w in WORDS]
    lines = [f'1\t"{" ".join(words)}"']
    names = {"Ada": "e1", "Oslo": "e2", "Bo": "e3"}
    lines += [f"{label}({names[h]},{names[t]})" for h, label, t in relations]
    return "\n".join(lines if relations else [*lines, "Other"])


FORMATS = {
    "jsonl": jsonl,
    "prodigy": prodigy,
    "conll04": columns,
    "semeval2010": marked,
}
GOOD = ("Ada", "Live_In", "Oslo")
SELF = ("Ada", "Live_In", "Ada")
NO_ENTITY = ("Ada", "Met", "Bo")  # Bo is then left out of the entities

# flaw, format, relations, and what comes of them: an error (line, message) or a repair
ERRORS = [
    (
        "jsonl",
        [NO_ENTITY],
        1,
        "tail is 3, which is no entity: the document has 2; give",
    ),
    (
        "semeval2010",
        [NO_ENTITY],
        2,
        "relation 'Met(e1,e3)' is none of LABEL(e1,e2), LA",
    ),
    (
        "jsonl",
        [GOOD, SELF],
        1,
        "relations[1] 'Live_In' from 'Ada' to 'Ada' joins an en",
    ),
    (
        "conll04",
        [GOOD, SELF],
        2,
        "Live_In from token 0 to token 0 joins an entity to i",
    ),
    (
        "semeval2010",
        [SELF],
        2,
        "'Live_In(e1,e1)' joins e1 to itself; write Live_In(e1,",
    ),
    ("semeval2010", [GOOD, GOOD], 3, "'Live_In(e1,e2)' follows the relation 'Live_In("),
    ("jsonl", [("Ada", "", "Oslo")], 1, "relations[0] label is empty; name its type"),
    ("prodigy", [("Ada", "", "Oslo")], 1, "relations[0] label is empty; name its type"),
    ("conll04", [("Ada", "", "Oslo")], 2, "relations [''] [4] do not match; write two"),
    ("semeval2010", [("Ada", "", "Oslo")], 2, "'(e1,e2)' is none of LABEL(e1,e2)"),
]
REPAIRED = [
    ("prodigy", [GOOD, NO_ENTITY], flaws.NO_SPAN),
    ("conll04", [GOOD, NO_ENTITY], DROPPED),
    ("prodigy", [GOOD, SELF], flaws.SELF),
    ("prodigy", [GOOD, GOOD], LINK_TWICE),
    ("jsonl", [GOOD, GOOD], LINK_TWICE),
    ("conll04", [GOOD, GOOD], LINK_TWICE),
]


@pytest.fixture
def read(write, nlp):
    """Read a content; returns the documents and the repairs."""

    def read_content(content):
        repairs = Repairs()
        path = write(content)
        return list(
            read_corpus(path, nlp, detect_format(path), repairs=repairs)
        ), repairs

    return read_content


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


@pytest.mark.parametrize(("name", "relations", "line", "message"), ERRORS)
def test_an_error_says_where_and_what_to_do(read, name, relations, line, message):
    with pytest.raises(CorpusError) as caught:
        read(FORMATS[name](relations, ("Ada", "Oslo")))
    assert f"corpus.txt:{line}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "relations", "repair"), REPAIRED)
def test_a_repair_keeps_what_is_right(read, name, relations, repair):
    (doc,), repairs = read(FORMATS[name](relations, ("Ada", "Oslo")))
    assert triples(doc) == [GOOD]
    assert repairs == {repair: 1}
    assert len(repairs.notes) == 1


@pytest.mark.parametrize("name", ["jsonl", "prodigy", "conll04"])
def test_two_labels_and_two_directions_of_a_pair_are_no_flaw(read, name):
    relations = [GOOD, ("Ada", "Work_In", "Oslo"), ("Oslo", "Live_In", "Ada")]
    (doc,), repairs = read(FORMATS[name](relations))
    assert triples(doc) == relations
    assert not repairs


@pytest.mark.parametrize("name", ["jsonl", "prodigy", "conll04"])
@pytest.mark.parametrize("ents", [(), ("Ada",)])
def test_documents_without_a_pair(read, name, ents):
    (doc,), repairs = read(FORMATS[name]([], ents))
    assert len(doc.ents) == len(ents)
    assert doc.has_annotation("ENT_IOB")
    assert has_relations(doc)
    assert triples(doc) == []
    assert not repairs


@pytest.mark.parametrize("name", ["jsonl", "prodigy"])
def test_a_key_given_twice_is_an_error(read, name):
    """JSON would keep the last one and pass over the first in silence."""
    content = FORMATS[name]([GOOD])[:-1] + ', "relations": []}'
    with pytest.raises(CorpusError, match=r":1: .*key 'relations' is given twice"):
        read(content)


def test_relations_without_entities(read):
    with pytest.raises(CorpusError, match="head is 0, which is no entity: the documen"):
        read('{"tokens": ["Ada"], "relations": [{"head":0, "tail":1, "label":"A"}]}')
    record = {"text": "Ada met Bo", "answer": "accept", "relations": []}
    record["relations"] = [{"head": 0, "child": 2, "label": "Met"}]
    (doc,), repairs = read(json.dumps(record))
    assert triples(doc) == []
    assert not doc.has_annotation("ENT_IOB")
    assert repairs == {flaws.NO_SPAN: 1}


@pytest.mark.parametrize("score", [1.0, 0.25])
def test_one_relation_with_two_scores(nlp, score):
    """No format has scores, but documents do: whoever set both has to choose."""
    doc = nlp.make_doc("Ada met Bo")
    twice = [Relation(doc[0:1], doc[2:3], "Met", each) for each in (1.0, score)]
    message = "relation 'Met' between 'Ada' and 'Bo' is given twice"
    with pytest.raises(ValueError, match=message):
        set_relations(doc, twice)
    with pytest.raises(ValueError, match=message):
        doc._.relations = twice
    assert not has_relations(doc)


MODEL = {
    "@architectures": "spacy-attnner.EntityPairAttention.v1",
    "hidden": 10,
    "n_heads": 2,
    "tok2vec": {
        "@architectures": "spacy-attnner.AttentionEncoder.v1",
        "width": 14,
        "n_heads": 2,
        "embed": {
            "@architectures": "spacy-attnner.WordEmbed.v1",
            "vector_width": 0,
            "word_width": 7,
            "word_rows": 101,
        },
    },
}


@pytest.fixture
def pipeline():
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_rel", config={"model": MODEL})
    return nlp


@pytest.fixture
def examples(write, tmp_path, pipeline):
    """Convert files of one format and read them for training."""

    def make(*contents):
        docs = []
        for content in contents:
            convert(write(content), tmp_path / "one.spacy")
            stored = DocBin().from_disk(tmp_path / "one.spacy")
            docs += stored.get_docs(pipeline.vocab)
        DocBin(docs=docs).to_disk(tmp_path / "all.spacy")
        return list(GoldEntitiesCorpus(tmp_path / "all.spacy")(pipeline))

    return make


@pytest.mark.parametrize("name", FORMATS)
def test_a_label_that_initialization_did_not_see(examples, pipeline, name):
    known = examples(FORMATS[name]([GOOD]))
    unknown = examples(FORMATS[name]([("Oslo", "Kill", "Ada")]))
    sgd = pipeline.initialize(lambda: known)
    message = (
        r"relation 'Kill' from 'Oslo' to 'Ada' has a label that 'attn_rel' does not "
        r"know; it knows \['Live_In'\]: correct the annotation, or call add_label\('Ki"
    )
    with pytest.raises(ValueError, match=message):
        pipeline.update([*known, *unknown], sgd=sgd)
    scores = pipeline.evaluate(unknown)  # in a development set it is a miss
    assert (scores["rel_r"], scores["rel_f"]) == (0.0, 0.0)
    pipeline.get_pipe("attn_rel").add_label("Kill")
    losses = pipeline.update(unknown, sgd=sgd)
    assert losses["attn_rel"] > 0


@pytest.mark.parametrize("name", ["jsonl", "prodigy", "conll04"])
def test_documents_without_a_pair_take_part_in_training(examples, pipeline, name):
    make = FORMATS[name]
    found = examples(make([], ()), make([], ("Ada",)), make([GOOD]))
    sgd = pipeline.initialize(lambda: found)
    assert pipeline.update(found, sgd=sgd)["attn_rel"] > 0
    assert pipeline.update(found[:2], sgd=sgd)["attn_rel"] == 0
    for example in found[:2]:
        doc = pipeline(example.predicted)
        assert has_relations(doc)
        assert triples(doc) == []


def test_relations_of_what_the_component_is_not_given(examples, pipeline):
    """Gold arguments that `predicted` lacks are misses and no error."""
    found = examples(jsonl([GOOD]))
    sgd = pipeline.initialize(lambda: found)
    bare = [Example(pipeline.make_doc("Ada met Bo in Oslo"), found[0].reference)]
    assert pipeline.update(bare, sgd=sgd)["attn_rel"] > 0  # given the gold entities
    bare[0].predicted.set_ents([], default="outside")
    assert pipeline.update(bare, sgd=sgd)["attn_rel"] == 0
    assert pipeline.evaluate(bare)["rel_r"] == 0.0
