"""The maximum over many ranges of rows at once."""

import torch
from torch import Tensor


def range_max(X: Tensor, ranges: Tensor) -> Tensor:
    """The maximum of each column over each range of rows; 0 where a range is empty.

    Every range is covered by two windows of a power of two rows, which may overlap; the
    maxima of all windows of that length are made of those of half the length (Bender
    and Farach-Colton 2000, "The LCA Problem Revisited"). Time and memory are those of
    n_rows * log(longest range) + n_ranges rows.

    X: Shape (n_rows, width). ranges: First row and end (exclusive), (n_ranges, 2).

    Returns shape (n_ranges, width).
    """
    lengths = (ranges[:, 1] - ranges[:, 0]).clamp_min(0)
    level = torch.frexp(lengths.double()).exponent - 1  # floor of log2; -1 for none
    result = X.new_zeros((len(ranges), X.shape[1]))
    highest = int(level.max()) if len(level) else -1
    windows = X  # maxima of all windows of 2 ** k rows
    for k in range(highest + 1):
        if k:
            half = 2 ** (k - 1)
            windows = torch.maximum(windows[:-half], windows[half:])
        chosen = (level == k).nonzero().squeeze(1)
        if len(chosen):
            first, end = ranges[chosen].unbind(1)
            found = torch.maximum(windows[first], windows[end - 2**k])
            result = result.index_copy(0, chosen, found)
    return result
