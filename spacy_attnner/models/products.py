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
    arrays = [each for each in (X, W, b) if each is not None]
    few = X.size * len(W) <= FEW_PRODUCTS
    if few and all(isinstance(x, numpy.ndarray) for x in arrays):
        Y = X @ W.T
        return Y if b is None else Y + b
    if all(isinstance(x, numpy.ndarray) and x.flags.writeable for x in arrays):
        one_thread_in_workers()
        return torch.nn.functional.linear(*map(torch.from_numpy, arrays)).numpy()
    Y = ops.gemm(X, W, trans2=True)
    return Y if b is None else Y + b
