"""Character convolution over distinct words."""

import sys
from collections.abc import Sequence
from typing import cast

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layout import Ints

N_DIRECT = 384  # code points with a row of their own: Latin, with its extensions
N_HASHED = 128  # rows that all other code points share
N_CHARACTERS = 1 + N_DIRECT + N_HASHED  # row 0 is padding
CODE_POINTS = f"utf-32-{sys.byteorder[0]}e"  # four bytes each, in the machine's order
# Words encoded at once in prediction
PIECE_CPU = 512
PIECE_GPU = 2**15


def code_points(words: Sequence[str], max_length: int) -> tuple[Ints, Ints]:
    """The characters of words; of a long one, its two halves' ends.

    Found for all words at once, which takes no longer than to look them up: nothing is
    kept of a word that may be seen once.

    Returns code points, int64, shape (n_words, most characters of a word), 0 behind a
    word's end, and the number of characters of each, shape (n_words,).
    """
    head = max_length // 2
    words = [
        w if len(w) <= max_length else w[:head] + w[len(w) - (max_length - head) :]
        for w in words
    ]
    lengths = numpy.array([len(word) for word in words], dtype="int64")
    longest = max(1, int(lengths.max())) if words else 1
    codes = numpy.zeros((len(words), longest), dtype="int64")
    text = "".join(words).encode(CODE_POINTS, "surrogatepass")
    if text:
        inside = numpy.arange(longest) < lengths[:, None]
        codes[inside] = numpy.frombuffer(text, dtype="int32")
    return codes, lengths


def character_ids(words: Sequence[str], max_length: int) -> Ints:
    """Embedding rows of words' characters.

    Returns int64, shape (n_words, most characters of a word), 0 behind a word's end.
    """
    codes, lengths = code_points(words, max_length)
    ids = numpy.where(codes < N_DIRECT, 1 + codes, 1 + N_DIRECT + codes % N_HASHED)
    ids[numpy.arange(codes.shape[1]) >= lengths[:, None]] = 0
    return ids


class CharacterCNN(nn.Module):
    """Character embedding, one convolution, max over positions.

    Source: Ma and Hovy (2016), "End-to-end Sequence Labeling via Bi-directional
    LSTM-CNNs-CRF".

    embed_width: Width of a character's embedding.
    width: Number of filters, the output width.
    kernel_size: Characters that a filter sees; odd.
    """

    def __init__(self, *, embed_width: int, width: int, kernel_size: int) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size} is not odd")
        self.width = width
        self.embed = nn.Embedding(N_CHARACTERS, embed_width, padding_idx=0)
        nn.init.uniform_(self.embed.weight, -0.3, 0.3)
        with torch.no_grad():
            self.embed.weight[0] = 0.0
        self.dropout = nn.Dropout(0.0)
        self.filters = nn.Conv1d(
            embed_width, width, kernel_size, padding=kernel_size // 2
        )

    def forward(self, characters: Tensor, words: Tensor) -> Tensor:
        """Encode every distinct word once and copy it to its tokens.

        characters: Rows of `character_ids`, 0 for padding, (n_words, max_length).
        words: The word of every token, shape (n_tokens,).

        Returns shape (n_tokens, width).
        """
        X = self.dropout(self.embed(characters)).transpose(1, 2)  # (n_words, E, L)
        Y = self.filters(X).transpose(1, 2)  # (n_words, L, width)
        return _highest(Y, characters)[words]

    def tables(self) -> Tensor:
        """What every character adds to the filters at each place that they see.

        Shape (kernel_size, N_CHARACTERS, width). A convolution is a sum of these; that
        takes far less than to multiply every character of a text anew.
        """
        return torch.einsum("ce,wek->kcw", self.embed.weight, self.filters.weight)

    def encode(self, words: Sequence[str], max_length: int, tables: Tensor) -> Tensor:
        """Encode words in prediction on a CPU, those of like lengths together.

        tables: Of the same weights.

        Returns shape (n_words, width).
        """
        order = list(range(len(words)))
        size = PIECE_CPU
        if len(words) > size:
            order.sort(key=lambda i: len(words[i]))
        Y = tables.new_empty((len(words), self.width))
        for i in range(0, len(words), size):
            piece = order[i : i + size]
            ids = character_ids([words[j] for j in piece], max_length)
            place = slice(i, i + size) if len(words) <= size else piece
            Y[place] = self._add_up(torch.from_numpy(ids), tables)
        return Y

    def encode_there(self, characters: Tensor, tables: Tensor) -> Tensor:
        """`encode`, of `character_ids` that are on a device, (n_words, L)."""
        pieces = characters.split(PIECE_GPU)
        return torch.cat([self._add_up(piece, tables) for piece in pieces])

    def _add_up(self, characters: Tensor, tables: Tensor) -> Tensor:
        n = len(tables)
        padded = F.pad(characters, (n // 2, n // 2))
        length = characters.shape[1]
        Y = F.embedding(padded[:, :length], tables[0])  # (n_words, L, width)
        for k in range(1, n):
            Y += F.embedding(padded[:, k : k + length], tables[k])
        return _highest(Y, characters) + cast(Tensor, self.filters.bias)


def _highest(Y: Tensor, characters: Tensor) -> Tensor:
    """Maximum over the characters of each word, (n_words, width); of none their sum."""
    nothing = characters == 0  # (n_words, L)
    nothing[:, 0] = False
    return Y.masked_fill(nothing[..., None], torch.finfo(Y.dtype).min).amax(1)
