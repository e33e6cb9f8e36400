"""Products of predictions, by the library that is fastest for their size."""

from typing import Any

import numpy
import torch
from thinc.api import Ops

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
        one_thread_in_workers()
        arrays = [torch.from_numpy(each) for each in (X, W, b) if each is not None]
        return torch.nn.functional.linear(*arrays).numpy()
    return Y if b is None else Y + b


def add_product(ops: Ops, Y: Any, X: Any, W: Any) -> Any:
    """Y + X W^T without a gradient, (n_rows, n_columns), in place of Y."""
    if _are_plain(Y, X, W):
        one_thread_in_workers()
        torch.from_numpy(Y).addmm_(torch.from_numpy(X), torch.from_numpy(W).T)
    else:
        Y += ops.gemm(X, W, trans2=True)
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
