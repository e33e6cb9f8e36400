"""`EntityEmbed.v1`: what the encoder is told of entities."""

import numpy
import pytest
from spacy.tokens import Span


@pytest.fixture
def embed(trained):
    """Embeds a document."""

    def embed_with(doc, **changes):
        (found,) = trained("EntityEmbed", **changes).predict([doc])
        return found

    return embed_with


def numbers(X):
    """Equal rows get equal numbers, in the order of their first ones."""
    rows = [row.tobytes() for row in X]
    return [rows.index(row) for row in rows]


def test_a_word_outside_begins_or_goes_on(blank, embed):
    doc = blank("Mira Okafor met Tom Lind in Bergen .")
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 3, 5, "PER"), Span(doc, 6, 7, "LOC")]
    assert numbers(embed(doc)) == [0, 1, 2, 0, 1, 2, 6, 2]
    assert numbers(embed(doc, types=False)) == [0, 1, 2, 0, 1, 2, 0, 2]


def test_entities_of_a_span_group(blank, embed):
    doc = blank("Mira Okafor met Tom Lind .")
    doc.ents = [Span(doc, 0, 2, "PER")]
    doc.spans["mine"] = [Span(doc, 3, 5, "PER")]
    assert numbers(embed(doc, spans_key="mine")) == [0, 0, 0, 3, 4, 0]
    assert numbers(embed(doc, spans_key="other")) == [0] * 6


def test_of_spans_that_overlap_the_last_one_counts(blank, embed):
    doc = blank("Mira Okafor met Tom Lind .")
    doc.spans["mine"] = [Span(doc, 0, 5, "A"), Span(doc, 1, 3, "B")]
    assert numbers(embed(doc, spans_key="mine")) == [0, 1, 2, 3, 3, 5]


def test_an_encoder_that_knows_the_entities(blank, build, configs):
    """Without them it cannot tell one pair's sentence from another's."""
    entities = configs["EntityEmbed"]
    for settings, same in (({"entities": entities}, False), ({}, True)):
        model = build(configs["AttentionEncoder"], **settings)
        model.initialize(X=[blank("Rain .")])
        found = []
        for start in (0, 3):
            doc = blank("Mira Okafor met Tom Lind .")
            doc.ents = [Span(doc, start, start + 2, "PER")]
            found.append(model.predict([doc])[0])
        assert numpy.array_equal(*found) == same
