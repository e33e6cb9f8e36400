"""What a frozen encoder said of its windows, so that it is asked once."""

import numpy
import torch
from torch import Tensor

from .layout import Ints, Windows

MOST_VALUES = 2**27  # half a GiB in float32


class RememberedWindows:
    """Vectors of words by the pieces that they were computed from.

    Filled in updates, of which there are many over the same documents, and looked up in
    predictions, too. What is full stays as it is.
    """

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._vectors: dict[bytes, Tensor] = {}
        self._most = most
        self._held = 0

    def keys(self, ids: Ints, windows: Windows) -> list[bytes]:
        """What tells each window from others: its pieces, and which of them it owns."""
        rows = zip(
            *(windows.starts, windows.lengths, windows.first, windows.end), strict=True
        )
        return [
            ids[start : start + length].tobytes() + bytes(f"|{first}|{end}", "ascii")
            for start, length, first, end in rows
        ]

    def unknown(self, keys: list[bytes]) -> Ints:
        """Which windows are not known, (n_unknown,)."""
        return numpy.array(
            [i for i, key in enumerate(keys) if key not in self._vectors], dtype="int64"
        )

    def exchange(
        self, keys: list[bytes], spans: list[tuple[int, int]], Y: Tensor
    ) -> None:
        """Write known windows' words into Y, (n_words, width), and learn the others.

        spans: First word and end of each window's words.
        """
        learn = torch.is_grad_enabled()  # an update, though nothing here learns
        for key, (first, end) in zip(keys, spans, strict=True):
            known = self._vectors.get(key)
            if known is not None:
                Y[first:end] = known
            elif learn and self._held < self._most:
                self._vectors[key] = Y[first:end].detach().clone()
                self._held += (end - first) * Y.shape[1]
