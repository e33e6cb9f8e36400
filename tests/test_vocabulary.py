"""Words that are met and forgotten leave nothing behind."""

import spacy
from spacy.attrs import NORM

from spacy_attnner import vocabulary
from spacy_attnner.vocabulary import forgetting

TEXTS = [f"We can't see word{i} in Bergen, 'cause it's n{i}." for i in range(60)]


def make_nlp():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "LOC", "pattern": "Bergen"},
            {"label": "WE", "pattern": [{"NORM": "we"}, {"NORM": "ca"}]},
        ]
    )
    return nlp


def found(nlp, texts=TEXTS):
    return [
        [(t.text, t.norm_, t.lower_, t.shape_, t.ent_type_, t.is_stop) for t in doc]
        for doc in nlp.pipe(texts)
    ]


def test_tables_begin_anew(monkeypatch):
    nlp = make_nlp()
    expected = found(make_nlp())
    strings = set(nlp.vocab.strings)
    norm = nlp.vocab.lex_attr_getters[NORM]
    monkeypatch.setattr(vocabulary, "NEW_WORDS", 100)
    lengths = []
    for _ in range(3):
        for i in range(0, len(TEXTS), 10):
            with forgetting(nlp):
                assert found(nlp, TEXTS[i : i + 10]) == expected[i : i + 10]
            lengths.append(len(nlp.vocab))
    assert lengths.count(0) > 3
    assert max(lengths) <= 100
    assert set(nlp.vocab.strings) == strings
    assert nlp.vocab.lex_attr_getters[NORM] is norm
    assert found(nlp) == expected


def test_words_that_are_met_again_stay(monkeypatch):
    nlp = make_nlp()
    with forgetting(nlp):
        found(nlp)
    assert len(nlp.vocab) > 100  # below NEW_WORDS nothing is made anew


def test_lexemes_outside_of_a_zone(monkeypatch):
    """Documents from before keep their words."""
    nlp = make_nlp()
    doc = nlp("Ada left Bergen for word3 .")
    monkeypatch.setattr(vocabulary, "NEW_WORDS", 1)
    with forgetting(nlp):
        found(nlp)
    assert [t.lower_ for t in doc] == [t.lower_ for t in nlp(doc.text)]
    assert doc[0].lower_ == "ada"
    assert doc.to_bytes() == nlp(doc.text).to_bytes()
