"""From spaCy's entity annotation to the tags that each token may have."""

import re

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_attnner.crf.chain import biluo_chain
from spacy_attnner.crf.loss import path_loss
from spacy_attnner.pipeline.biluo import KINDS, allowed_tags, drop_broken

LABELS = {"PER": 0, "A-B": 1}
VALID = re.compile(r"(O |U-(\S+) |B-(\S+) (I-\3 )*L-\3 )*")
TAGS = [None, "-", "", "B-", "O"] + [f"{k}-{label}" for k in KINDS for label in LABELS]


def allowed_array(tags):
    allowed = numpy.zeros((len(tags), 9), dtype=bool)
    for i, tag in enumerate(tags):
        if tag is None:
            allowed[i] = True
        elif tag == "O":
            allowed[i, 0] = True
        else:
            allowed[i, 4 * LABELS[tag[2:]] + KINDS[tag[0]]] = True
    return torch.from_numpy(allowed)


@given(st.lists(st.sampled_from(TAGS), max_size=11))
def test_whatever_comes_in_some_path_is_left(tags):
    kept = drop_broken(tags)
    assert len(kept) == len(tags)
    chain = biluo_chain(torch.zeros(9, 9), torch.zeros(9), torch.zeros(9))
    lengths, emissions = torch.tensor([len(tags)]), torch.zeros(len(tags), 9)
    result = path_loss(emissions, chain, lengths, allowed_array(kept))
    assert result.loss.isfinite().all()
    for before, after in zip(tags, kept, strict=True):
        assert after is None or after == before or (before == "B-" and after == "O")


@given(st.lists(st.sampled_from(TAGS[4:]), max_size=11))
def test_sound_annotation_is_kept(tags):
    if VALID.fullmatch("".join(tag + " " for tag in tags)):
        assert drop_broken(tags) == tags


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (["B-PER", "L-PER", "O"], ["B-PER", "L-PER", "O"]),
        (["-", "O", "B-", ""], [None, "O", "O", None]),
        (["O", "I-PER", "L-PER", "O"], ["O", None, None, "O"]),
        (["O", "B-PER", "I-PER", "O"], ["O", None, None, "O"]),
        (["B-PER", "U-PER"], [None, "U-PER"]),
        (["B-PER", "L-A-B", "U-PER"], [None, None, "U-PER"]),
        (["L-PER", "B-PER"], [None, None]),
        (["B-PER", None, "L-PER"], ["B-PER", None, "L-PER"]),
        (["B-PER", None, "L-A-B"], [None, None, None]),
        (["B-PER", None, None, "L-A-B"], ["B-PER", None, None, "L-A-B"]),
        (["B-PER", None, "O"], ["B-PER", None, "O"]),
        (["B-PER", None], ["B-PER", None]),
        ([None, "L-PER"], [None, "L-PER"]),
        ([], []),
    ],
)
def test_by_hand(tags, kept):
    assert drop_broken(tags) == kept


WORDS = ["Mira", "Okafor", "left", "Tromsø"]


def make_example(*, tokens=WORDS, ents=(), **settings):
    vocab = Vocab()
    reference = Doc(vocab, words=WORDS)
    spans = [Span(reference, *ent) for ent in ents]
    reference.set_ents(spans, **settings)
    pairs = zip(tokens, [*tokens[1:], ""], strict=True)
    spaces = [a + b != "Okafor" for a, b in pairs]
    return Example(Doc(vocab, words=tokens, spaces=spaces), reference)


def tags_of(example):
    allowed = allowed_tags(example, LABELS, "attn_ner")
    return [numpy.flatnonzero(row).tolist() for row in allowed]


ALL = list(range(9))


def test_entities_and_what_is_outside():
    example = make_example(ents=[(0, 2, "PER"), (3, 4, "A-B")])
    assert tags_of(example) == [[1], [3], [0], [8]]


def test_missing_is_not_outside():
    example = make_example(ents=[(0, 2, "PER")], default="missing")
    assert tags_of(example) == [[1], [3], ALL, ALL]
    reference = Doc(Vocab(), words=WORDS)  # never annotated
    example = Example(Doc(reference.vocab, words=WORDS), reference)
    assert tags_of(example) == [ALL] * 4


def test_blocked_is_outside():
    example = make_example(ents=[(3, 4, "PER")])
    example.reference.set_ents([], blocked=[example.reference[0:2]], default="outside")
    assert tags_of(example) == [[0]] * 4


def test_other_tokens():
    """An entity that the predicted tokens cut in pieces, or join with a neighbour."""
    cut = make_example(
        tokens=["Mira", "Oka", "for", "left", "Tromsø"], ents=[(0, 2, "PER")]
    )
    assert tags_of(cut) == [[1], [2], [3], [0], [0]]
    joined = make_example(
        tokens=["Mira Okafor", "left", "Tromsø"], ents=[(1, 2, "PER")]
    )
    assert tags_of(joined)[0] == ALL
    assert tags_of(joined)[1:] == [[0], [0]]


def test_an_unknown_label():
    example = make_example(ents=[(0, 2, "SHIP")])
    message = (
        r"entity 'Mira Okafor' has the label 'SHIP', which 'attn_ner' does not know; "
        r"it knows \['A-B', 'PER'\]: .* call add_label\('SHIP'\)"
    )
    with pytest.raises(ValueError, match=message):
        tags_of(example)
