"""Between flat batches, (n_tokens, width), and padded ones, (batch, seq_len, width)."""

import torch
from torch import Tensor

from .packing import token_positions


def padding_mask(lengths: Tensor) -> Tensor:
    """True where a token stands, shape (batch_size, seq_len)."""
    n_steps = int(lengths.max()) if len(lengths) else 0
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


def pad(X: Tensor, lengths: Tensor) -> Tensor:
    """(n_tokens, width) to (batch_size, seq_len, width), zeros elsewhere."""
    n_steps = int(lengths.max()) if len(lengths) else 0
    padded = X.new_zeros((len(lengths), n_steps, X.shape[1]))
    rows = torch.repeat_interleave(torch.arange(len(lengths), device=X.device), lengths)
    return padded.index_put((rows, token_positions(lengths)), X)


def unpad(X: Tensor, lengths: Tensor) -> Tensor:
    """(batch_size, seq_len, width) to (n_tokens, width)."""
    return X[padding_mask(lengths)]
