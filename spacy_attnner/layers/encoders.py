"""The sequence encoder: BiLSTM, then gated multi-head self-attention."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .attention import MultiHeadAttention
from .dropout import LockedDropout
from .packing import pack, token_positions
from .padding import pad, padding_mask, unpad
from .windows import Windows, cut_windows

# Windows encoded at once in prediction: on a CPU, an LSTM's step should stay in the
# cache; on a GPU, only the memory has to be bounded.
PIECE_CPU = 128
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
        cut_windows(torch.zeros(0, dtype=torch.int64), window, margin)
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

    def forward(self, X: Tensor, lengths: Tensor) -> Tensor:
        """Encode.

        X: Tokens of all sequences, one after the other, (n_tokens, input_width).
        lengths: Tokens of each sequence, shape (batch_size,), int64.

        Returns shape (n_tokens, width).
        """
        if not len(X):
            return X.new_zeros((0, self.width))
        lengths = lengths[lengths > 0]
        windows = cut_windows(lengths, self.window, self.margin)
        if self.training:
            return self._encode(X[windows.tokens], windows.lengths)[windows.owner]
        return self._encode_in_pieces(X, windows)

    def _encode_in_pieces(self, X: Tensor, windows: Windows) -> Tensor:
        """Encode windows of like lengths together, (n_tokens, width)."""
        order = windows.lengths.argsort(descending=True, stable=True)
        starts = windows.lengths.cumsum(0) - windows.lengths
        owned = torch.full_like(windows.tokens, -1)  # token that each row owns
        owned[windows.owner] = torch.arange(len(X), device=X.device)
        Y = X.new_empty((len(X), self.width))
        for piece in order.split(PIECE_GPU if X.is_cuda else PIECE_CPU):
            lengths = windows.lengths[piece]
            rows = starts[piece].repeat_interleave(lengths) + token_positions(lengths)
            H = self._encode(X[windows.tokens[rows]], lengths).to(Y.dtype)
            tokens = owned[rows]
            if len(Y) < len(windows.tokens):
                H, tokens = H[tokens >= 0], tokens[tokens >= 0]
            Y[tokens] = H
        return Y

    def _encode(self, X: Tensor, lengths: Tensor) -> Tensor:
        X = _drop(self.input_dropout, X, lengths)  # (N, input_width)
        packing = pack(lengths)
        order = torch.empty_like(packing.forward)
        order[packing.forward] = torch.arange(len(order), device=order.device)
        sizes = torch.tensor(packing.sizes, device="cpu")  # there PyTorch wants them
        for lstm in self.lstms:
            with _full_precision(X):
                H = lstm(PackedSequence(X[order], sizes))[0].data  # packed order
            X = _drop(self.output_dropout, H[packing.forward], lengths)  # (N, width)
        if self.attention is None or self.gate is None:
            return X
        Y = pad(X, lengths)  # (B, T, width)
        Y = Y + self.gate * self.attention(Y, padding_mask(lengths))
        return unpad(Y, lengths)


def _full_precision(X: Tensor) -> AbstractContextManager:
    """On a GPU, no autocast: for LSTMs it means float16, whatever it was asked for.

    The gradients, which nobody scales, would vanish in that.
    """
    return torch.autocast("cuda", enabled=False) if X.is_cuda else nullcontext()


def _drop(dropout: LockedDropout, X: Tensor, lengths: Tensor) -> Tensor:
    """Locked dropout of a flat batch; padded only where there is something to drop."""
    if not dropout.training or dropout.p == 0.0:
        return X
    return unpad(dropout(pad(X, lengths)), lengths)
