"""Windows of word pieces: every word once, with its context, and nothing padded."""

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_attnner.layers.piece_encoder import PieceEncoder, Pieces, like_lengths
from spacy_attnner.layers.piece_windows import cut_piece_windows
from spacy_attnner.layers.remembered import RememberedWindows

ROOM, MARGIN = 19, 4
N_PIECES, WIDTH = 31, 6


@st.composite
def documents(draw):
    """Pieces of words, words of sentences, words of documents."""
    sizes = st.lists(st.integers(1, 13), min_size=1, max_size=9)
    sentences = draw(st.lists(sizes, min_size=0, max_size=5))
    words = [sum(each) for each in sentences]
    most = ROOM - 2 * MARGIN
    counts = [draw(st.integers(1, most)) for _ in range(sum(words))]
    flat = [size for each in sentences for size in each]
    return tuple(numpy.array(x, dtype="int64") for x in (counts, flat, words))


@given(documents())
@settings(deadline=None)
def test_windows(made):
    counts, sentences, docs = made
    windows = cut_piece_windows(counts, sentences, docs, ROOM, MARGIN)
    assert (windows.lengths <= ROOM).all()
    first, end = windows.starts + windows.first, windows.starts + windows.end
    owned = [i for a, b in zip(first, end, strict=True) for i in range(a, b)]
    assert owned == list(range(counts.sum()))
    word_ends = counts.cumsum()
    assert {*end.tolist()} <= {*word_ends.tolist()}  # no word is cut
    doc_ends = word_ends[docs.cumsum() - 1] if len(docs) else docs
    for start, length, a, b in zip(
        windows.starts, windows.lengths, first, end, strict=True
    ):
        (document,) = {*numpy.searchsorted(doc_ends, [a, b - 1], side="right")}
        begins = doc_ends[document - 1] if document else 0
        assert start == max(begins, a - MARGIN) or length == doc_ends[document] - begins
        assert start + length >= min(doc_ends[document], b + MARGIN)


def test_windows_end_with_sentences():
    counts = numpy.ones(60, dtype="int64")
    sentences = numpy.array([7] * 8 + [4])
    windows = cut_piece_windows(counts, sentences, numpy.array([60]), ROOM, MARGIN)
    ends = windows.starts + windows.end
    assert {*ends.tolist()} <= {*sentences.cumsum().tolist()}


def test_margins_that_leave_no_core():
    one = numpy.array([1])
    with pytest.raises(ValueError, match="window of 8 word pieces leaves no core"):
        cut_piece_windows(one, one, one, 8, 4)


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(0, 20))
@settings(deadline=None)
def test_groups_of_like_lengths(lengths, call):
    sizes = numpy.array(lengths, dtype="int64")
    groups = list(like_lengths(sizes, call, 50))
    assert sorted(i for group in groups for i in group) == list(range(len(sizes)))
    for group in groups:
        padded = sizes[group].max() * len(group)
        assert padded - sizes[group].sum() <= call
        assert padded <= 50 or len(group) == 1


class Mixer(nn.Module):
    """Vectors that know all pieces of their sequence, and their place in it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.pieces = nn.Embedding(N_PIECES, WIDTH)
        self.positions = nn.Embedding(64, WIDTH)
        self.calls = []

    def get_input_embeddings(self):
        return self.pieces

    def forward(self, inputs_embeds, attention_mask):
        self.calls.append(attention_mask)
        X = inputs_embeds + self.positions.weight[: inputs_embeds.shape[1]]
        X = X * attention_mask[..., None]
        return (X + X.sum(1, keepdim=True).tanh(),)


def make_encoder(pooling="mean"):
    return PieceEncoder(
        Mixer(),
        prefix=[1],
        suffix=[2, 3],
        padding=0,
        window=ROOM + 3,
        margin=MARGIN,
        pooling=pooling,
        width=WIDTH,
    )


def make_pieces(counts, sentences, docs, seed=5):
    ids = numpy.random.default_rng(seed).integers(4, N_PIECES, counts.sum())
    return Pieces(ids, counts, sentences, docs)


def by_hand(encoder, pieces):
    """One window at a time, one word at a time."""
    windows = cut_piece_windows(
        pieces.counts, pieces.sentences, pieces.documents, ROOM, MARGIN
    )
    rows = {}
    for start, length, first, end in zip(
        windows.starts, windows.lengths, windows.first, windows.end, strict=True
    ):
        ids = [1, *pieces.ids[start : start + length].tolist(), 2, 3]
        E = encoder.encoder.pieces(torch.tensor([ids]))
        (H,) = encoder.encoder(E, torch.ones((1, len(ids))))
        rows |= {start + i: H[0, 1 + i] for i in range(first, end)}
    ends = pieces.counts.cumsum()
    words = [
        torch.stack([rows[i] for i in range(end - n, end)])
        for end, n in zip(ends, pieces.counts, strict=True)
    ]
    if encoder.pooling == "first":
        return torch.stack([word[0] for word in words])
    return torch.stack([word.mean(0) for word in words])


@pytest.mark.parametrize("pooling", ["mean", "first"])
@given(made=documents().filter(lambda made: len(made[0])))
@settings(deadline=None, max_examples=30)
def test_equals_one_window_at_a_time(pooling, made):
    encoder, pieces = make_encoder(pooling), make_pieces(*made)
    torch.testing.assert_close(encoder(pieces), by_hand(encoder, pieces))


def test_words_do_not_depend_on_the_batch():
    encoder = make_encoder()
    docs = numpy.array([3, 40, 1, 12])
    counts = numpy.random.default_rng(0).integers(1, 4, docs.sum())
    pieces = make_pieces(counts, docs, docs)
    together = encoder(pieces).split(docs.tolist())
    begins = 0
    for n_words, expected in zip(docs.tolist(), together, strict=True):
        end = begins + n_words
        first = counts[:begins].sum()
        ids = pieces.ids[first : first + counts[begins:end].sum()]
        n = numpy.array([n_words])
        alone = encoder(Pieces(ids, counts[begins:end], n, n))
        torch.testing.assert_close(alone, expected)
        begins = end


def test_training_looks_pieces_up_once():
    """Gradients of look-ups are as large as the table, whatever is looked up."""
    encoder = make_encoder()
    docs = numpy.array([3, 40, 1, 12])
    pieces = make_pieces(numpy.ones(56, dtype="int64"), docs, docs)
    looked_up = []
    table = encoder.encoder.pieces
    table.register_forward_hook(lambda *args: looked_up.append(args))
    trained = encoder(pieces)
    assert len(looked_up) == 1 < len(encoder.encoder.calls)
    with torch.no_grad():
        torch.testing.assert_close(encoder(pieces), trained)
    gradients = []
    for Y in (trained, by_hand(encoder, pieces)):
        Y.square().sum().backward()
        gradients.append(table.weight.grad)
        table.weight.grad = None
    torch.testing.assert_close(*gradients)


def test_hardly_anything_is_padding():
    encoder = make_encoder()
    docs = numpy.random.default_rng(1).integers(1, ROOM, 200)
    ones = numpy.ones(docs.sum(), dtype="int64")
    with torch.no_grad():
        encoder(make_pieces(ones, docs, docs))
    masks = encoder.encoder.calls
    assert sum((~mask).sum() for mask in masks) < 0.1 * ones.sum()
    assert len(masks) < 40


def test_a_frozen_encoder_is_asked_once():
    docs = numpy.array([3, 40, 1, 12])
    counts = numpy.random.default_rng(0).integers(1, 4, docs.sum())
    pieces = make_pieces(counts, docs, docs)
    encoder = make_encoder().eval()
    expected = encoder(pieces).detach()
    encoder.frozen = True
    encoder.encoder.calls.clear()
    for _ in range(3):
        Y = encoder(pieces)
        assert not Y.requires_grad
        torch.testing.assert_close(Y, expected)
        n_calls, encoder.encoder.calls = len(encoder.encoder.calls), []
    assert n_calls == 0
    other = make_pieces(counts, docs, docs, seed=6)
    for _ in range(2):  # a prediction is not remembered
        with torch.no_grad():
            encoder(other)
        assert encoder.encoder.calls
        encoder.encoder.calls.clear()


def test_what_is_remembered_is_bounded():
    encoder = make_encoder().eval()
    encoder.frozen = True
    encoder._remembered = RememberedWindows(most=30)
    docs = numpy.array([3, 4, 5, 6])
    pieces = make_pieces(numpy.ones(18, dtype="int64"), docs, docs)
    expected = encoder(pieces)
    torch.testing.assert_close(encoder(pieces), expected)
    held = sum(vectors.numel() for vectors in encoder._remembered._vectors.values())
    assert 30 <= held < 30 + 6 * WIDTH
