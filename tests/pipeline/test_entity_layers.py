"""`set_ents = false`: a second layer of entities, by other guidelines."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.relations import Relation, get_relations, set_relations

from .conftest import ENCODER, MODELS

KEY = "other"
WORDS = ["Mira", "Holt", "of", "Norvik", "Energy", "left", "Bergen"]


def make_reference(vocab, *, ents=True, layer=True):
    """In `doc.ents` a person and a place; in the layer the whole phrase, too."""
    doc = Doc(vocab, words=WORDS)
    if ents:
        doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 6, 7, "LOC")]
    if layer:
        doc.spans[KEY] = [Span(doc, 0, 5, "Who"), Span(doc, 6, 7, "Where")]
        triple = Relation(doc.spans[KEY][0], doc.spans[KEY][1], "Left")
        set_relations(doc, [triple])
    return doc


@pytest.fixture(scope="module")
def trained():
    """Two layers and relations in the second, over one encoder, each from documents
    of its own."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": ENCODER})
    listener = {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": ENCODER["width"],
        "upstream": "tok2vec",
    }
    ner = {**MODELS["attn_ner"], "tok2vec": listener}
    nlp.add_pipe("attn_ner", config={"model": ner})
    layer = {"model": ner, "set_ents": False, "spans_key": KEY}
    nlp.add_pipe("attn_ner", name="layer", config=layer)
    rel = {
        "model": {**MODELS["attn_rel"], "tok2vec": listener},
        "get_candidates": {
            "@misc": "spacy-attnner.CandidatePairs.v1",
            "spans_key": KEY,
        },
    }
    nlp.add_pipe("attn_rel", config=rel)
    examples = [
        Example(Doc(nlp.vocab, words=WORDS), make_reference(nlp.vocab, **parts))
        for parts in ({"layer": False}, {"ents": False})
    ]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.02
    for _ in range(40):
        nlp.update(examples, sgd=sgd, annotates=["tok2vec", "layer"])
    return nlp


def test_each_layer_learns_its_own(trained):
    assert trained.get_pipe("attn_ner").labels == ("LOC", "PER")
    assert trained.get_pipe("layer").labels == ("Where", "Who")
    (doc,) = trained.pipe([Doc(trained.vocab, words=WORDS)])
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Mira Holt", "PER"),
        ("Bergen", "LOC"),
    ]
    assert [(s.text, s.label_) for s in doc.spans[KEY]] == [
        ("Mira Holt of Norvik Energy", "Who"),
        ("Bergen", "Where"),
    ]
    (relation,) = get_relations(doc)
    assert relation.head.text == "Mira Holt of Norvik Energy"
    assert all(span._.confidence > 0.5 for span in [*doc.ents, *doc.spans[KEY]])


def test_it_survives_on_disk(trained, tmp_path):
    trained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    docs = [nlp(Doc(nlp.vocab, words=WORDS)) for nlp in (trained, loaded)]
    for key in (KEY, "attn_ner"):
        one, other = ([(s.text, s.label_) for s in doc.spans[key]] for doc in docs)
        assert one == other


def test_entities_that_are_there_stay(trained):
    doc = Doc(trained.vocab, words=WORDS)
    doc.ents = [Span(doc, 3, 5, "ORG")]
    for name in ("tok2vec", "layer"):
        doc = trained.get_pipe(name)(doc)
    assert [ent.label_ for ent in doc.ents] == ["ORG"]
    assert len(doc.spans[KEY]) == 2


def test_spans_of_the_layer_that_are_there_stay(trained):
    """Those that it is given, as gold ones in a training, are certain."""
    layer = trained.get_pipe("layer")
    given = Doc(trained.vocab, words=WORDS)
    given.spans[KEY] = [Span(given, 2, 4, "Who")]
    layer.overwrite = False
    try:
        doc = layer(trained.get_pipe("tok2vec")(given.copy()))
        first = [(s.text, s.label_, s._.confidence) for s in doc.spans[KEY]]
        again = layer(trained.get_pipe("tok2vec")(doc))
    finally:
        layer.overwrite = True
    assert [each[:2] for each in first] == [("of Norvik", "Who"), ("Bergen", "Where")]
    assert first[0][2] == 1.0 > first[1][2]
    assert [(s.text, s.label_, s._.confidence) for s in again.spans[KEY]] == first


def test_it_calibrates_on_its_layer(trained):
    nlp = trained
    examples = [Example(Doc(nlp.vocab, words=WORDS), make_reference(nlp.vocab))]
    result = nlp.get_pipe("layer").calibrate(examples, margin=0.0)
    assert (result.n_entities, result.accuracy) == (2, 1.0)


def test_spans_that_overlap(trained):
    reference = make_reference(trained.vocab)
    reference.spans[KEY] = [Span(reference, 0, 3, "Who"), Span(reference, 2, 4, "Who")]
    example = Example(Doc(trained.vocab, words=WORDS), reference)
    with pytest.raises(ValueError, match=r"'Mira Holt of' and 'of Norvik' .* overlap"):
        trained.get_pipe("layer").view(example)
