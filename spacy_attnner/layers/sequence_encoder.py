"""The sequence encoder: BiLSTM, then gated multi-head self-attention."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, cast

import numpy
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .attention import MultiHeadAttention
from .dropout import LockedDropout
from .layout import Ints, Packed, Windows, cut_windows, upload
from .recurrence import arranged, bilstm, is_plain, recurrence_for
from .trained_recurrence import trained_bilstm

# Windows encoded at once in prediction: on a CPU, an LSTM's step should stay in the
# cache; on a GPU, only the memory has to be bounded.
PIECE_CPU = 256
PIECE_GPU = 4096


class SequenceEncoder(nn.Module):
    """Contextual token vectors of a flat batch of sequences.

    Locked dropout, a BiLSTM of `depth` layers, locked dropout, and, with n_heads > 0,
    a self-attention layer added through a gate that starts at zero (Bachlechner et al.
    2021, "ReZero is All You Need"), so that attention is used as far as it helps.

    input_width: Width of the inputs.
    width: Width of the outputs; even.
    depth: Number of BiLSTM layers.
    n_heads: Self-attention heads, dividing width; 0 for none.
    window: Longest stretch of tokens encoded in one piece.
    margin: Tokens of context that a window gives to the tokens it owns.
    """

    def __init__(
        self,
        *,
        input_width: int,
        width: int,
        depth: int,
        n_heads: int,
        window: int,
        margin: int,
    ) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"width {width} is odd; a BiLSTM has two halves")
        if depth < 1:
            raise ValueError(f"depth {depth} is less than 1")
        cut_windows(numpy.zeros(0, dtype="int64"), window, margin)
        self.width = width
        self.window = window
        self.margin = margin
        self.input_dropout = LockedDropout()
        self.lstms = nn.ModuleList(
            nn.LSTM(
                width if layer else input_width,
                width // 2,
                bidirectional=True,
            )
            for layer in range(depth)
        )
        self.output_dropout = LockedDropout()
        self.attention = (
            MultiHeadAttention(width=width, n_heads=n_heads) if n_heads else None
        )
        self.gate = nn.Parameter(torch.zeros(1)) if n_heads else None
        self._init_lstms()

    def _init_lstms(self) -> None:
        for lstm in self.lstms:
            for name, parameter in lstm.named_parameters():
                if name.startswith("weight_hh"):
                    for gate in parameter.data.chunk(4):
                        nn.init.orthogonal_(gate)
                elif name.startswith("weight_ih"):
                    for gate in parameter.data.chunk(4):
                        nn.init.xavier_uniform_(gate)
                else:
                    nn.init.zeros_(parameter)
                    if name.startswith("bias_ih"):  # forget gate open at the start
                        parameter.data.chunk(4)[1].fill_(1.0)

    def forward(
        self,
        X: Tensor,
        lengths: Ints,
        notes: dict[Any, Any] | None = None,
        words: Ints | None = None,
        there: list[Tensor] | None = None,
    ) -> Tensor:
        """Encode.

        X: Tokens of all sequences, one after the other, (n_tokens, input_width), or
            distinct words, (n_words, input_width).
        lengths: Tokens of each sequence, on the host, shape (batch_size,).
        notes: What was remembered of the same weights in predictions in float32.
        words: The word of each token, on the host, (n_tokens,), where X is of words:
            what does not depend on a token's place is then computed once a word.
        there: `indices` of the same, where they are on the device already.

        Returns shape (n_tokens, width).
        """
        n_tokens = len(X) if words is None else len(words)
        if not n_tokens:
            return X.new_zeros((0, self.width))
        lengths = numpy.asarray(lengths)
        if not self.training and _is_one(lengths, n_tokens, self.window):
            if there:
                X, words = X[there[0]], None
            return self._encode_one(X, notes, words)
        windows = cut_windows(lengths[lengths > 0], self.window, self.margin)
        size = len(windows.lengths) if self.training else at_once(X.device)
        pieces = list(windows.pieces(size))
        loop = self._loop(X, pieces[0].sizes, notes)
        of = words if loop is None else None
        if there is None:
            attends = self.attention is not None
            arrays = _indices(pieces, of, attends, training=self.training)
            there = upload(X.device, *arrays)
        words = words if of is None else None
        found = iter(there)
        encoded = (self._encode(X, p, windows, found, notes, words) for p in pieces)
        if self.training:
            ((H, rows),) = encoded
            return H[rows.argsort()]
        Y = X.new_empty((n_tokens, self.width))
        for H, rows in encoded:
            Y[rows] = H.to(Y.dtype)
        return Y

    def settings(self, device: torch.device) -> tuple[int, int, int, bool]:
        """What `indices` has to know to say what is read on a device."""
        return self.window, self.margin, at_once(device), self.attention is not None

    def _encode(
        self,
        X: Tensor,
        piece: Packed,
        windows: Windows,
        indices: Iterator[Tensor],
        notes: dict[Any, Any] | None,
        words: Ints | None,
    ) -> tuple[Tensor, Tensor]:
        """Vectors of what a piece owns, (n_owned, width), and which rows these are."""
        tokens, owned, rows = (next(indices) for _ in range(3))
        mask = (next(indices), len(windows.lengths)) if self.training else ()
        own = None
        if words is not None:  # those of the piece, which bounds the memory
            distinct, own = numpy.unique(words[piece.rows], return_inverse=True)
            tokens = torch.from_numpy(distinct)
        H = self.input_dropout(X[tokens], *mask)  # (N, input_width), packed
        for layer in range(len(self.lstms)):
            H = self._recur(layer, H, piece.sizes, notes, own if layer == 0 else None)
            H = self.output_dropout(H, *mask)  # (N, width)
        if self.attention is not None:
            H = self._attend(self.attention, H, piece, indices)
        return H[owned] if len(owned) < len(H) else H, rows

    def _attend(
        self,
        attention: MultiHeadAttention,
        H: Tensor,
        piece: Packed,
        indices: Iterator[Tensor],
    ) -> Tensor:
        """Self-attention within each window; H: (N, width), packed."""
        padded, lengths = next(indices), next(indices)
        size, n_steps = len(piece.order), len(piece.sizes)
        X = H.new_zeros((size * n_steps, self.width)).index_copy(0, padded, H)
        mask = torch.arange(n_steps, device=H.device) < lengths[:, None]  # (B, T)
        Y = attention(X.view(size, n_steps, -1), mask)
        return H + self.gate * Y.flatten(0, 1)[padded]

    def _encode_one(
        self, X: Tensor, notes: dict[Any, Any] | None, words: Ints | None
    ) -> Tensor:
        """A single window, in prediction."""
        H = X
        sizes = numpy.ones(len(X) if words is None else len(words), dtype="int64")
        for layer in range(len(self.lstms)):
            H = self._recur(layer, H, sizes, notes, words if layer == 0 else None)
        H = H.to(X.dtype)
        if self.attention is None:
            return H
        mask = torch.ones((1, len(H)), dtype=torch.bool, device=H.device)
        return H + self.gate * self.attention(H[None], mask)[0]

    def _recur(
        self,
        layer: int,
        H: Tensor,
        sizes: Ints,
        notes: dict[Any, Any] | None,
        words: Ints | None,
    ) -> Tensor:
        """One of the BiLSTMs; H: packed, (N, width of its inputs).

        sizes: Windows at each step, on the host, (n_steps,).
        words: Which of H each of the N is, where H is of words.
        """
        lstm = cast(nn.LSTM, self.lstms[layer])
        if self.training and is_plain(H):
            return trained_bilstm(lstm, H, sizes)
        loop = self._loop(H, sizes, notes)
        if loop is None or notes is None:
            H = H if words is None else H[upload(H.device, words)[0]]
            steps = torch.from_numpy(sizes)  # of the CPU, as PyTorch wants them
            with _full_precision(H):
                return lstm(PackedSequence(H, steps))[0].data
        if layer not in notes:
            notes[layer] = arranged(lstm, loop)
        return bilstm(loop, H, sizes, notes[layer], words)

    def _loop(
        self, X: Tensor, sizes: Ints, notes: dict[Any, Any] | None
    ) -> ModuleType | None:
        """The compiled recurrence, where windows of these sizes are left to it."""
        if self.training or notes is None or not is_plain(X):
            return None
        return recurrence_for(int(sizes[0]))


def indices(
    lengths: Ints,
    words: Ints | None,
    window: int,
    margin: int,
    size: int,
    attends: bool,
) -> list[Ints]:
    """What a `SequenceEncoder` reads on a device in prediction.

    lengths, words: Of its inputs. window, margin, size, attends: Its `settings`.
    """
    if _is_one(lengths, int(lengths.sum()), window):
        return [] if words is None else [words]
    windows = cut_windows(lengths[lengths > 0], window, margin)
    return _indices(list(windows.pieces(size)), words, attends)


def _indices(
    pieces: list[Packed], words: Ints | None, attends: bool, *, training: bool = False
) -> list[Ints]:
    """What `_encode` asks for of each piece, in this order.

    words: The distinct word of each token, where those are what is encoded.
    """
    found = []
    for piece in pieces:
        tokens = piece.rows if words is None else words[piece.rows]
        found += [tokens, piece.owned, piece.rows[piece.owned]]
        if training:
            found.append(piece.windows)
        if attends:
            found += [piece.padded, piece.lengths]
    return found


def _is_one(lengths: Ints, n_tokens: int, window: int) -> bool:
    """Whether a batch is a single sequence, which one window holds."""
    return n_tokens <= window and n_tokens in lengths


def at_once(device: torch.device) -> int:
    """How many windows are encoded together in prediction."""
    return PIECE_GPU if device.type == "cuda" else PIECE_CPU


def _full_precision(X: Tensor) -> AbstractContextManager:
    """No autocast: for LSTMs on a GPU it means float16, whatever it was asked for, and
    the gradients, which nobody scales, would vanish in that. On CPUs that have no
    bfloat16 of their own it finds no LSTM at all.
    """
    if X.is_cuda or torch.is_autocast_enabled("cpu"):
        return torch.autocast(X.device.type, enabled=False)
    return nullcontext()
