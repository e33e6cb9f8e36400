import pytest
import torch
from torch import nn

from spacy_attnner.layers.dropout import LockedDropout, set_dropout


def test_one_mask_per_sequence():
    sequences = torch.arange(7 * 53) % 53
    Y = LockedDropout(0.5)(torch.ones(7 * 53, 11), sequences, 53)
    assert set(Y.flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(Y, Y[:53].repeat(7, 1))
    assert not torch.equal(Y[0], Y[1])
    assert Y.mean().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.5, False)])
def test_no_dropout(p, training):
    X, sequences = torch.randn(3, 5), torch.tensor([0, 1, 1])
    assert torch.equal(LockedDropout(p).train(training)(X, sequences, 2), X)


def test_the_rate_reaches_every_dropout():
    inner = nn.Sequential(nn.Linear(3, 5), LockedDropout())
    module = nn.ModuleDict({"inner": inner, "dropout": nn.Dropout(0.1)})
    set_dropout(module, 0.3)
    assert inner[1].p == module["dropout"].p == 0.3


def test_what_was_pretrained_keeps_its_dropout():
    pretrained = nn.Sequential(nn.Sequential(nn.Dropout(0.1)))
    pretrained.keeps_dropout = True
    module = nn.ModuleList([nn.Dropout(0.2), pretrained])
    set_dropout(module, 0.3)
    assert [module[0].p, pretrained[0][0].p] == [0.3, 0.1]


@pytest.mark.parametrize("rate", [1.0, -0.1, 7.0])
def test_impossible_rates(rate):
    with pytest.raises(ValueError, match=rf"dropout {rate} is not in \[0, 1\)"):
        set_dropout(nn.Dropout(), rate)
