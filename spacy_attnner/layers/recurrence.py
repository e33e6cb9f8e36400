"""BiLSTMs in prediction on a CPU, whose recurrence is compiled where it can be.

PyTorch arranges all weights anew at every call, longer than a few sequences take.
"""

from types import ModuleType
from typing import NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..native import extension
from .layout import Ints

FEW = 16  # sequences; where products are slow, PyTorch's LSTM is for more of them
THREADS = 2  # of more, PyTorch's LSTM makes use
PANEL = 16  # columns of weights that a product reads at a time, as in `recurrence.c`
RECURRENCE = "layers._recurrence"  # made of `recurrence.c`


def recurrence() -> ModuleType | None:
    """The compiled recurrence; None where PyTorch serves."""
    return extension(RECURRENCE)


def is_plain(X: Tensor) -> bool:
    """Whether a tensor is float32 on the CPU, and no autocast changes that."""
    autocast = torch.is_autocast_enabled("cpu")
    return X.device.type == "cpu" and X.dtype == torch.float32 and not autocast


def recurrence_for(n: int) -> ModuleType | None:
    """The compiled recurrence where n sequences at a time are fast; else None."""
    loop = recurrence()
    if loop is None or n <= FEW:
        return loop
    return loop if loop.is_fast() and torch.get_num_threads() <= THREADS else None


class Weights(NamedTuple):
    """A BiLSTM's weights as the compiled recurrence wants them.

    inputs: Of both directions, (8 * width, input_width); in panels, (n_panels,
        input_width, PANEL), where products with those are fast.
    bias: Their biases, (8 * width,).
    states: In panels, (2, n_panels, width, PANEL); columns that are missing are zeros.
    """

    inputs: numpy.ndarray
    bias: numpy.ndarray
    states: numpy.ndarray


def arranged(lstm: nn.LSTM, loop: ModuleType) -> Weights:
    """The weights of a bidirectional LSTM of one layer."""
    (W_in, W, b_in, b), (V_in, V, c_in, c) = lstm.all_weights
    inputs = torch.cat([W_in, V_in]).detach()
    return Weights(
        (panels(inputs) if loop.is_fast() else inputs).numpy(),
        torch.cat([b_in + b, c_in + c]).detach().numpy(),
        torch.stack([panels(W), panels(V)]).numpy(),
    )


def panels(W: Tensor) -> Tensor:
    """Weights of a product, (columns, width), as (n_panels, width, PANEL)."""
    filled = F.pad(W.detach(), (0, 0, 0, -len(W) % PANEL))
    return (
        filled.view(len(filled) // PANEL, PANEL, W.shape[1])
        .transpose(1, 2)
        .contiguous()
    )


def bilstm(
    loop: ModuleType,
    X: Tensor,
    sizes: Ints,
    weights: Weights,
    rows: Ints | None = None,
) -> Tensor:
    """States of packed sequences, (n_rows, 2 * width), without a gradient.

    loop: `recurrence()`.
    X: Inputs, each once, (n_inputs, input_width), float32.
    sizes: Sequences at each step, (n_steps,).
    rows: The input of each row, packed time-major, (n_rows,); in their order if None.
    """
    rows = numpy.arange(len(X)) if rows is None else rows
    gates = _gates(loop, X, weights)
    states = numpy.empty((len(rows), gates.shape[1] // 4), dtype="float32")
    loop.bilstm(gates, rows, weights.states, sizes, states)
    return torch.from_numpy(states)


def _gates(loop: ModuleType, X: Tensor, weights: Weights) -> numpy.ndarray:
    """What inputs give to the gates of both directions, (n_inputs, 8 * width)."""
    W, b, _ = weights
    if W.ndim == 2:
        return F.linear(X, torch.from_numpy(W), torch.from_numpy(b)).numpy()
    # PyTorch arranges these weights, too, at every call
    gates = numpy.empty((len(X), len(b)), dtype="float32")
    gates[:] = b
    loop.add_product(X.contiguous().numpy(), W, gates)
    return gates
