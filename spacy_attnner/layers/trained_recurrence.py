"""BiLSTMs in training on a CPU, with a backward pass of their own.

For packed sequences PyTorch multiplies for the gradient of the weights at every step,
and fills a gradient of all rows with zeros for the rows of each; here both come once.
"""

from typing import Any, NamedTuple, cast

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from .layout import Ints


class Step(NamedTuple):
    """Rows of packed sequences that are computed together.

    row, n: The first of them and how many there are.
    before, known: The first row of the step before, and for how many there is one.
    """

    row: int
    n: int
    before: int
    known: int


def steps_of(sizes: Ints, *, backward: bool) -> list[Step]:
    """The steps in the order of a direction; sizes: sequences at each, (n_steps,)."""
    starts, counts = (numpy.cumsum(sizes) - sizes).tolist(), sizes.tolist()
    steps, row, n = [], 0, 0
    for t in range(len(sizes))[:: -1 if backward else 1]:
        steps.append(Step(starts[t], counts[t], row, min(n, counts[t])))
        row, n = starts[t], counts[t]
    return steps


def trained_bilstm(lstm: nn.LSTM, X: Tensor, sizes: Ints) -> Tensor:
    """States of packed sequences, (n_rows, 2 * width), with gradients.

    lstm: Bidirectional, of one layer.
    X: Packed time-major, (n_rows, input_width), float32.
    sizes: Sequences at each step, (n_steps,), none less than at the step after it.
    """
    states = []
    for weights, backward in zip(lstm.all_weights, (False, True), strict=True):
        W_inputs, W, b_inputs, b = cast(list[Tensor], weights)
        gates = F.linear(X, W_inputs, b_inputs + b)  # (n_rows, 4 * width)
        steps = steps_of(sizes, backward=backward)
        states.append(cast(Tensor, Recurrence.apply(gates, W, steps)))
    return torch.cat(states, 1)


class Recurrence(Function):
    """One direction of an LSTM, what its inputs give to the gates known.

    Source: Hochreiter and Schmidhuber (1997); gates as PyTorch orders them: input,
    forget, cell, output.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, W: Tensor, steps: list[Step]) -> Tensor:
        """States of all rows, (n_rows, width).

        gates: (n_rows, 4 * width), without the part of the states.
        W: Weights of the states, (4 * width, width).
        """
        width = W.shape[1]
        gates = gates.clone()
        cells, states = (gates.new_empty((len(gates), width)) for _ in range(2))
        for row, n, before, known in steps:
            own, earlier = gates[row : row + n], slice(before, before + known)
            own[:known].addmm_(states[earlier], W.t())
            own[:, : 2 * width].sigmoid_()
            own[:, 2 * width : 3 * width].tanh_()
            own[:, 3 * width :].sigmoid_()
            i, f, z, o = own.split(width, 1)
            c = torch.mul(i, z, out=cells[row : row + n])
            c[:known].addcmul_(f[:known], cells[earlier])
            torch.mul(o, c.tanh(), out=states[row : row + n])
        ctx.save_for_backward(gates, cells, states, W)
        ctx.steps = steps
        return states

    @staticmethod
    def backward(ctx: Any, *d_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of the gates, (n_rows, 4 * width), and of W."""
        gates, cells, states, W = ctx.saved_tensors
        (d_states,) = (d.clone() for d in d_outputs)
        width = W.shape[1]
        rows, before = _rows_before(ctx.steps)
        d_gates, d_cells_of_states = _derivatives(gates, cells, rows, before)
        d_cells = torch.zeros_like(cells)
        for row, n, first, known in reversed(ctx.steps):
            own, earlier = slice(row, row + n), slice(first, first + known)
            d, dc = d_gates[own], d_cells[own]
            dc.addcmul_(d_states[own], d_cells_of_states[own])
            d.view(n, 4, width)[:, :3].mul_(dc[:, None])
            d[:, 3 * width :].mul_(d_states[own])
            d_states[earlier].addmm_(d[:known], W)
            forget = gates[row : row + known, width : 2 * width]
            torch.mul(dc[:known], forget, out=d_cells[earlier])
        return d_gates, d_gates[rows].t() @ states[before], None


def _rows_before(steps: list[Step]) -> tuple[Tensor, Tensor]:
    """Rows that have one of the same sequence before them, and that one."""
    rows = [numpy.arange(step.row, step.row + step.known) for step in steps]
    before = [numpy.arange(step.before, step.before + step.known) for step in steps]
    return (
        torch.from_numpy(numpy.concatenate(rows)),
        torch.from_numpy(numpy.concatenate(before)),
    )


def _derivatives(
    gates: Tensor, cells: Tensor, rows: Tensor, before: Tensor
) -> tuple[Tensor, Tensor]:
    """What a row's gates do to its cell, the last one to its state; what the cell does.

    Returns shapes (n_rows, 4 * width), before their activation, and (n_rows, width).
    """
    i, f, z, o = gates.chunk(4, 1)
    earlier = torch.zeros_like(cells).index_copy_(0, rows, cells[before])
    tanh = cells.tanh()
    slopes = [z * i * (1 - i), earlier * f * (1 - f), i * (1 - z * z)]
    d_gates = torch.cat([*slopes, tanh * o * (1 - o)], 1)
    return d_gates, o * (1 - tanh * tanh)
