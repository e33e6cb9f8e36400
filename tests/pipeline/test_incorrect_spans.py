"""`incorrect_spans_key`: spans that are known not to be entities."""

import math

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.pipeline.biluo import incorrect_paths

KEY = "wrong"
LABELS = {"PER": 0, "ORG": 1}


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner", {"incorrect_spans_key": KEY})


def example_of(nlp, text, wrong):
    """A document without annotation but for the spans that are none."""
    reference = nlp.make_doc(text)
    reference.spans[KEY] = [Span(reference, *span) for span in wrong]
    return Example(nlp.make_doc(text), reference)


def test_paths_by_hand():
    nlp = spacy.blank("en")
    wrong = [(0, 1, "PER"), (1, 4, "ORG"), (2, 4), (0, 1, "SHIP")]
    paths = incorrect_paths(example_of(nlp, "a b c d", wrong), KEY, LABELS)
    rest = list(range(9))
    assert [[numpy.flatnonzero(row).tolist() for row in path] for path in paths] == [
        [[4], rest, rest, rest],
        [rest, [5], [6], [7]],
        [rest, rest, [1, 5], [3, 7]],
    ]
    example = example_of(nlp, "a b", [])
    assert incorrect_paths(example, KEY, LABELS) == []
    assert incorrect_paths(example, "another", LABELS) == []


def test_spans_on_other_tokens():
    nlp = spacy.blank("en")
    example = example_of(nlp, "Mira Okafor left", [(0, 2, "PER"), (1, 2, "PER")])
    example = Example(
        Doc(nlp.vocab, words=["Mira", "Oka", "for left"], spaces=[True, False, False]),
        example.reference,
    )
    assert incorrect_paths(example, KEY, LABELS) == []  # neither aligns
    example.predicted = Doc(nlp.vocab, words=["Mira", "Oka", "for", "left"])
    example = Example(
        Doc(
            nlp.vocab,
            words=["Mira", "Oka", "for", "left"],
            spaces=[True, False, True, False],
        ),
        example.reference,
    )
    paths = incorrect_paths(example, KEY, LABELS)
    assert [[len(numpy.flatnonzero(row)) for row in path] for path in paths] == [
        [1, 1, 1, 9],
        [9, 1, 1, 9],
    ]


def test_the_loss_is_that_of_the_confidence(ner):
    nlp = ner.trained(steps=25)
    pipe = nlp.get_pipe("attn_ner")
    for text, *_ in ner.sentences:
        doc = nlp(text)
        for ent in doc.ents:
            example = example_of(nlp, text, [(ent.start, ent.end, ent.label_)])
            scores = pipe.model.predict([example.predicted])
            loss, _ = pipe.get_loss([example], scores)
            assert loss == pytest.approx(-math.log(1 - ent._.confidence), abs=0.01)


def test_wrong_entities_are_unlearnt(ner):
    """Nothing else is annotated, and the other entities stay."""
    nlp = ner.blank()
    examples = ner.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    ner.train(nlp, examples, 60, sgd)
    text = ner.sentences[0][0]  # Mira Okafor works for Kestrel Lines in Bergen .
    assert (7, 8, "LOC") in ner.found(nlp(text))
    batch = [example_of(nlp, text, [(7, 8, "LOC")]), *ner.examples(nlp)[1:]]
    for _ in range(120):
        losses = nlp.update(batch, sgd=sgd)
    assert losses["attn_ner"] < 0.05
    found = ner.found(nlp(text))
    assert (7, 8, "LOC") not in found
    assert {(0, 2, "PER"), (4, 6, "ORG")} <= found.keys()


@pytest.mark.parametrize("settings", [{}, {"incorrect_spans_key": "another"}])
def test_without_the_key_nothing_is_read(make_task, settings):
    task = make_task("attn_ner", settings)
    nlp = task.trained(steps=5)
    pipe = nlp.get_pipe("attn_ner")
    example = example_of(nlp, task.sentences[0][0], [(0, 2, "PER")])
    loss, gradient = pipe.get_loss([example], pipe.model.predict([example.predicted]))
    assert loss == pytest.approx(0.0, abs=1e-9)
    assert abs(gradient[0]).max() < 1e-9


def test_empty_documents(ner):
    nlp = ner.trained(steps=2)
    batch = [example_of(nlp, "", []), *ner.examples(nlp)]
    assert nlp.update(batch)["attn_ner"] > 0.0
