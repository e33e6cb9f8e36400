"""BiLSTMs in prediction on a CPU, whose recurrence is compiled where it can be.

PyTorch arranges all weights anew at every call, longer than a few sequences take.
"""

from types import ModuleType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..native import extension
from .layout import Ints

RECURRENCE = "layers._recurrence"  # made of `recurrence.c`


def recurrence() -> ModuleType | None:
    """The compiled recurrence; None where PyTorch serves."""
    return extension(RECURRENCE)


class Weights(NamedTuple):
    """A BiLSTM's weights as the compiled recurrence wants them.

    inputs: Of both directions, (8 * width, input_width).
    bias: Their biases, (8 * width,).
    states: (2, width, 4 * width).
    """

    inputs: Tensor
    bias: Tensor
    states: Tensor


def arranged(lstm: nn.LSTM) -> Weights:
    """The weights of a bidirectional LSTM of one layer."""
    (W_in, W, b_in, b), (V_in, V, c_in, c) = lstm.all_weights
    return Weights(
        torch.cat([W_in, V_in]).detach(),
        torch.cat([b_in + b, c_in + c]).detach(),
        torch.stack([W.T, V.T]).detach().contiguous(),
    )


def bilstm(loop: ModuleType, X: Tensor, sizes: Ints, weights: Weights) -> Tensor:
    """States of packed sequences, (n_rows, 2 * width), without a gradient.

    loop: `recurrence()`.
    X: Packed time-major, (n_rows, input_width), float32.
    sizes: Sequences at each step, (n_steps,).
    """
    gates = F.linear(X, weights.inputs, weights.bias)  # (n_rows, 8 * width)
    states = gates.new_empty((len(X), gates.shape[1] // 4))
    loop.bilstm(gates.numpy(), weights.states.numpy(), sizes, states.numpy())
    return states
