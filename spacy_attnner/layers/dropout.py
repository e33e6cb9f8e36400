"""Dropout that is locked over the tokens of a sequence, and setting its rate."""

import torch
from torch import Tensor, nn


class LockedDropout(nn.Module):
    """Variational dropout: one mask per sequence, shared by all of its tokens.

    Source: Gal and Ghahramani (2016), "A Theoretically Grounded Application of Dropout
    in Recurrent Neural Networks".

    p: Probability of dropping a feature, in [0, 1).
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(
        self, X: Tensor, sequences: Tensor | None = None, n_sequences: int = 0
    ) -> Tensor:
        """Drop features of X, (n_tokens, width), in training.

        sequences: The sequence that each token is of, (n_tokens,).
        n_sequences: How many there are.
        """
        if not self.training or self.p == 0.0 or sequences is None:
            return X
        keep = torch.empty(
            (n_sequences, X.shape[1]), dtype=X.dtype, device=X.device
        ).bernoulli_(1.0 - self.p)
        return X * (keep / (1.0 - self.p))[sequences]


def set_dropout(module: nn.Module, rate: float) -> None:
    """Set the rate of every dropout inside a module.

    What is inside of one with a true `keeps_dropout` stays as it is.
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"dropout {rate} is not in [0, 1)")
    if getattr(module, "keeps_dropout", False):
        return
    if isinstance(module, (nn.Dropout, LockedDropout)):
        module.p = rate
    for child in module.children():
        set_dropout(child, rate)
