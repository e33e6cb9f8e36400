import pytest
import torch
from torch import nn

from spacy_attnner.layers import sequence_encoder as encoders
from spacy_attnner.layers.sequence_encoder import SequenceEncoder

LENGTHS = [3, 0, 61, 1, 0, 11, 2]


def make_encoder(**settings):
    sizes = {"input_width": 5, "width": 14, "depth": 1, "n_heads": 7}
    encoder = SequenceEncoder(**{**sizes, "window": 13, "margin": 3, **settings})
    if encoder.gate is not None:
        nn.init.ones_(encoder.gate)
    return encoder.eval()


def test_the_lstm_reads_every_sequence_by_itself():
    encoder = make_encoder(n_heads=0, window=101)
    X = torch.randn(sum(LENGTHS), 5)
    found = encoder(X, torch.tensor(LENGTHS))
    plain = nn.LSTM(5, 7, bidirectional=True)
    plain.load_state_dict(encoder.lstms[0].state_dict())
    expected = [plain(own)[0] for own in X.split(LENGTHS) if len(own)]
    torch.testing.assert_close(found, torch.cat(expected))


def test_the_gate_starts_closed():
    plain = make_encoder(n_heads=0)
    gated = SequenceEncoder(
        input_width=5, width=14, depth=1, n_heads=2, window=13, margin=3
    ).eval()
    gated.load_state_dict(plain.state_dict(), strict=False)
    X, lengths = torch.randn(sum(LENGTHS), 5), torch.tensor(LENGTHS)
    assert torch.equal(gated(X, lengths), plain(X, lengths))


@pytest.mark.parametrize("settings", [{}, {"depth": 2, "n_heads": 0}, {"depth": 3}])
def test_batch_equals_single(settings):
    encoder = make_encoder(**settings)
    X = torch.randn(sum(LENGTHS), 5)
    together = encoder(X, torch.tensor(LENGTHS))
    assert together.shape == (sum(LENGTHS), 14)
    for own, expected in zip(X.split(LENGTHS), together.split(LENGTHS), strict=True):
        alone = encoder(own, torch.tensor([len(own)]))
        torch.testing.assert_close(alone, expected)


def test_prediction_in_pieces_is_prediction_at_once(monkeypatch):
    encoder = make_encoder()
    lengths = torch.randint(0, 29, (17,))
    X = torch.randn(int(lengths.sum()), 5)
    expected = encoder(X, lengths)
    monkeypatch.setattr(encoders, "PIECE_CPU", 3)
    torch.testing.assert_close(encoder(X, lengths), expected)
    encoder.train()  # whole, and without dropout the same
    torch.testing.assert_close(encoder(X, lengths), expected)


def test_a_token_of_a_long_sequence_sees_its_window_and_no_more():
    encoder = make_encoder()
    X = torch.randn(101, 5)
    changed = X.clone()
    changed[50] += 1.0
    lengths = torch.tensor([101])
    moved = (encoder(changed, lengths) != encoder(X, lengths)).any(1).nonzero()
    assert moved.min() >= 50 - 13
    assert moved.max() <= 50 + 13
    # at least the margin on both sides of a token reaches it
    assert {47, 48, 49, 50, 51, 52, 53} <= set(moved.flatten().tolist())


def test_a_sequence_that_fits_is_not_cut():
    encoder = make_encoder()
    X = torch.randn(13, 5)
    whole = make_encoder(window=101)
    whole.load_state_dict(encoder.state_dict())
    lengths = torch.tensor([13])
    torch.testing.assert_close(encoder(X, lengths), whole(X, lengths))


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_nothing_to_encode(lengths):
    nothing = torch.zeros(0, 5, requires_grad=True)
    found = make_encoder()(nothing, torch.tensor(lengths, dtype=torch.int64))
    assert found.shape == (0, 14)


def test_dropout_differs_between_sequences_and_runs():
    encoder = make_encoder().train()
    encoder.input_dropout.p = 0.5
    X, lengths = torch.ones(6, 5), torch.tensor([3, 3])
    first, second = encoder(X, lengths), encoder(X, lengths)
    assert not torch.equal(first, second)
    assert not torch.equal(first[:3], first[3:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 15}, "width 15 is odd"),
        ({"depth": 0}, "depth 0 is less than 1"),
        ({"n_heads": 3}, "width 14 is not divisible by n_heads 3"),
        ({"margin": 7}, "window 13 leaves no core between two margins of 7 tokens"),
    ],
)
def test_impossible_sizes(settings, message):
    with pytest.raises(ValueError, match=message):
        make_encoder(**settings)
