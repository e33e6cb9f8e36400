"""Character convolution over distinct words."""

import sys
from collections.abc import Sequence

import torch
from torch import Tensor, nn

N_DIRECT = 384  # code points with a row of their own: Latin, with its extensions
N_HASHED = 128  # rows that all other code points share
N_CHARACTERS = 1 + N_DIRECT + N_HASHED  # row 0 is padding
CODE_POINTS = f"utf-32-{sys.byteorder[0]}e"  # four bytes each, in the machine's order
# Words encoded at once in prediction
PIECE_CPU = 512
PIECE_GPU = 2**15


def character_ids(words: Sequence[str], max_length: int) -> Tensor:
    """Embedding rows of words' characters; of a long word, its two halves' ends.

    Computed for all words at once, which takes no longer than to look them up: nothing
    is kept of a word that may be seen once.

    Returns int64, shape (n_words, most characters of a word), 0 behind a word's end.
    """
    head = max_length // 2
    words = [
        w if len(w) <= max_length else w[:head] + w[len(w) - (max_length - head) :]
        for w in words
    ]
    lengths = torch.tensor([len(word) for word in words], dtype=torch.int64)
    longest = max(1, int(lengths.max())) if words else 1
    rows = torch.zeros((len(words), longest), dtype=torch.int64)
    text = "".join(words).encode(CODE_POINTS, "surrogatepass")
    if text:
        codes = torch.frombuffer(bytearray(text), dtype=torch.int32).long()
        hashed = 1 + N_DIRECT + codes % N_HASHED
        ids = torch.where(codes < N_DIRECT, 1 + codes, hashed)
        rows[torch.arange(longest) < lengths[:, None]] = ids
    return rows


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

    def forward(self, characters: Tensor, words: Tensor | None = None) -> Tensor:
        """Encode every distinct word once and copy it to its tokens.

        characters: Rows of `character_ids`, 0 for padding, (n_words, max_length).
        words: The word of every token, shape (n_tokens,); the words as they are if None.

        Returns shape (n_tokens, width).
        """
        Y = self._encode(characters)
        return Y if words is None else Y[words]

    def encode_in_pieces(self, words: Sequence[str], max_length: int) -> Tensor:
        """Encode words in prediction; on a CPU those of like lengths together.

        Returns shape (n_words, width).
        """
        weight = self.filters.weight
        order = list(range(len(words)))
        size = PIECE_GPU if weight.is_cuda else PIECE_CPU
        if len(words) > size and not weight.is_cuda:
            order.sort(key=lambda i: len(words[i]))
        Y = weight.new_empty((len(words), self.width))
        for i in range(0, len(words), size):
            piece = order[i : i + size]
            rows = character_ids([words[j] for j in piece], max_length)
            place = slice(i, i + size) if weight.is_cuda else piece
            Y[place] = self._encode(rows.to(weight.device)).to(Y.dtype)
        return Y

    def _encode(self, characters: Tensor) -> Tensor:
        X = self.dropout(self.embed(characters)).transpose(1, 2)  # (n_words, E, L)
        Y = self.filters(X)  # (n_words, width, L)
        padding = (characters == 0)[:, None, :]
        padding = padding & (characters != 0).any(-1)[:, None, None]
        return Y.masked_fill(padding, torch.finfo(Y.dtype).min).amax(-1)
