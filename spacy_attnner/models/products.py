"""Products of predictions, by the library that is fastest for their size."""

from typing import Any

import numpy
import torch
from thinc.api import Ops

from ..layers.recurrence import FEW, panels, recurrence_for
from .workers import one_thread_in_workers

FEW_PRODUCTS = 2**18  # of numbers; OpenBLAS takes further threads for more


def linear(ops: Ops, X: Any, W: Any, b: Any = None) -> Any:
    """X W^T + b without a gradient, (n_rows, n_columns).

    For few columns PyTorch takes a third of the time of BLIS, which Thinc has on a CPU,
    and for few rows NumPy, with one thread, a quarter of the time of PyTorch.
    """
    if not _are_plain(X, W, b):
        Y = ops.gemm(X, W, trans2=True)
    elif X.size * len(W) <= FEW_PRODUCTS:
        Y = X @ W.T
    else:
        Y = numpy.empty((len(X), len(W)), dtype="float32")
        Y[:] = 0.0 if b is None else b
        return add_product(ops, Y, X, W)
    return Y if b is None else Y + b


def add_product(ops: Ops, Y: Any, X: Any, W: Any) -> Any:
    """Y + X W^T without a gradient, (n_rows, n_columns), in place of Y.

    The package's own product of many rows takes half of the time of PyTorch's.
    """
    if not _are_plain(Y, X, W):
        Y += ops.gemm(X, W, trans2=True)
        return Y
    one_thread_in_workers()
    X, W = torch.from_numpy(X), torch.from_numpy(W)
    loop = recurrence_for(len(X)) if len(X) > FEW and X.is_contiguous() else None
    if loop is None:
        torch.from_numpy(Y).addmm_(X, W.T)
    else:
        loop.add_product(X.numpy(), panels(W).numpy(), Y)
    return Y


def _are_plain(*arrays: Any) -> bool:
    """Whether all that are given are NumPy's, and PyTorch may read them."""
    return all(
        isinstance(each, numpy.ndarray)
        and each.flags.writeable
        and each.dtype == "float32"
        for each in arrays
        if each is not None
    )
