import pytest
import torch
from torch import nn

from spacy_attnner.layers.dropout import LockedDropout, set_dropout


def test_one_mask_per_sequence():
    Y = LockedDropout(0.5)(torch.ones(53, 7, 11))
    assert set(Y.flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(Y, Y[:, :1].expand_as(Y))
    assert not torch.equal(Y[0], Y[1])
    assert Y.mean().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.5, False)])
def test_no_dropout(p, training):
    X = torch.randn(2, 3, 5)
    assert torch.equal(LockedDropout(p).train(training)(X), X)


def test_the_rate_reaches_every_dropout():
    inner = nn.Sequential(nn.Linear(3, 5), LockedDropout())
    module = nn.ModuleDict({"inner": inner, "dropout": nn.Dropout(0.1)})
    set_dropout(module, 0.3)
    assert inner[1].p == module["dropout"].p == 0.3


@pytest.mark.parametrize("rate", [1.0, -0.1, 7.0])
def test_impossible_rates(rate):
    with pytest.raises(ValueError, match=rf"dropout {rate} is not in \[0, 1\)"):
        set_dropout(nn.Dropout(), rate)
