"""Components that merge or split tokens, anywhere in a pipeline. Invented sentences."""

import os

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_attnner import get_confidence, get_relations

TEXTS = [
    "Mira Okafor works for Kestrel Lines in Bergen .",
    "Tom Lind lives in Stavanger . Halden Bank opened an office in Tromsø last May .",
    "Rain and fog stayed over the coast .",
    "",
]


@Language.component("test_merge_pairs")
def merge_pairs(doc: Doc) -> Doc:
    """Every two tokens are one, but where that cuts an entity: there spaCy's merging
    can leave invalid entities, which it then refuses to read (E093)."""
    with doc.retokenize() as retokenizer:
        for i in range(0, len(doc) - 1, 2):
            first, second = doc[i], doc[i + 1]
            if first.ent_type == second.ent_type and second.ent_iob != 3:
                retokenizer.merge(doc[i : i + 2])
    return doc


@Language.component("test_split_all")
def split_all(doc: Doc) -> Doc:
    """Every token of several letters is two."""
    with doc.retokenize() as retokenizer:
        for token in doc:
            if len(token) > 1:
                parts = [token.text[:1], token.text[1:]]
                retokenizer.split(token, parts, heads=[(token, 0)] * 2)
    return doc


CHANGES = {
    "merge_entities": {},
    "token_splitter": {"min_length": 7, "split_length": 3},
    "test_merge_pairs": {},
    "test_split_all": {},
}


@pytest.fixture
def make_pipeline(make_task, _trained):
    """`make_pipeline(names, overwrite)`: trained components and those in between."""
    for name in ("attn_ner", "attn_rel"):
        if name not in _trained:
            _trained[name] = make_task(name).trained()

    def make(*names: str) -> Language:
        nlp = spacy.blank("en")
        for name in names:
            if name in _trained:
                nlp.add_pipe(name, source=_trained[name])
            else:
                nlp.add_pipe(name, config=CHANGES[name])
        return nlp

    return make


def entities(doc):
    return {
        (ent.start_char, ent.end_char, ent.label_, get_confidence(ent))
        for ent in doc.ents
    }


def relations(doc):
    return {
        (r.head.start_char, r.head.end_char, r.label, r.tail.start_char, r.score)
        for r in get_relations(doc)
    }


def everything(doc):
    return entities(doc), relations(doc)


@pytest.mark.parametrize("change", ["merge_entities", "token_splitter"])
def test_entities_and_relations_are_those_without_it(make_pipeline, change):
    plain = list(make_pipeline("attn_ner", "attn_rel").pipe(TEXTS))
    docs = list(make_pipeline("attn_ner", "attn_rel", change).pipe(TEXTS))
    assert list(map(everything, docs)) == list(map(everything, plain))
    assert any(map(relations, docs))
    assert [len(doc) for doc in docs] != [len(doc) for doc in plain]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", [1, 2])
def test_nothing_breaks_and_all_is_read_back(make_pipeline, change, place):
    names = ["attn_ner", "attn_rel"]
    nlp = make_pipeline(*names[:place], change, *names[place:])
    docs = list(nlp.pipe(TEXTS))
    expected = list(map(everything, docs))
    stored = DocBin(docs=docs).get_docs(nlp.vocab)
    assert list(map(everything, stored)) == expected
    for doc, found in zip(docs, expected, strict=True):
        assert everything(doc.copy()) == found
        assert everything(Doc(nlp.vocab).from_bytes(doc.to_bytes())) == found
        doc.to_json()


@pytest.mark.parametrize("change", CHANGES)
def test_documents_that_come_with_groups_of_an_earlier_pass(make_pipeline, change):
    """What spaCy reads from bytes does not follow its tokens by itself."""
    nlp = make_pipeline("attn_ner", "attn_rel", change)
    first = make_pipeline("attn_ner", "attn_rel")
    given = DocBin(docs=list(first.pipe(TEXTS)))
    for doc in nlp.pipe(given.get_docs(nlp.vocab)):
        again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
        assert everything(again) == everything(doc)
    for only in ("attn_ner", "attn_rel"):  # does not read what the other one wrote
        nlp = make_pipeline(only, change)
        for doc in nlp.pipe(given.get_docs(nlp.vocab)):
            assert len(doc.copy()) == len(doc)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_two_processes(make_pipeline):
    nlp = make_pipeline("attn_ner", "merge_entities", "attn_rel", "token_splitter")
    expected = [everything(doc) for doc in nlp.pipe(TEXTS, batch_size=2)]
    found = [everything(d) for d in nlp.pipe(TEXTS, batch_size=2, n_process=2)]
    assert found == expected


def test_confidences_of_merged_entities_count_in_relations(make_pipeline, monkeypatch):
    """Their scores are the probability times both confidences, as without merging."""
    nlp = make_pipeline("attn_ner", "merge_entities", "attn_rel")
    pipe = nlp.get_pipe("attn_rel")
    monkeypatch.setattr(pipe, "cfg", {**pipe.cfg, "threshold": 0.0})
    doc = nlp.make_doc(TEXTS[0])
    for name, component in nlp.pipeline:
        if name == "attn_rel":
            scores = {}
            for counted in (False, True):
                pipe.cfg["entity_confidence"] = counted
                scores[counted] = {
                    (r.head.text, r.tail.text, r.label): r
                    for r in get_relations(component(doc))
                }
        doc = component(doc)
    assert scores[True].keys() == scores[False].keys() != set()
    for key, relation in scores[True].items():
        sure = get_confidence(relation.head) * get_confidence(relation.tail)
        assert 0.0 < sure < 1.0
        assert relation.score == pytest.approx(
            scores[False][key].score * sure, abs=2e-6
        )
