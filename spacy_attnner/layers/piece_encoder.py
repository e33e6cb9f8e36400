"""A pretrained encoder of word pieces, made to give one vector per word."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy
import torch
from torch import Tensor, nn

from .layout import Ints, Windows, numbers, positions, upload
from .piece_windows import check_room, cut_piece_windows
from .remembered import RememberedWindows
from .varlen import Filled, without_padding

# A call of the encoder costs about as much as so many pieces, so that so much padding
# is worth saving one (in training, gradients of all weights are added up, too); and so
# many pieces it is given at most, which bounds the memory.
CALL_CPU, CALL_GPU, CALL_TRAINING = 8, 2048, 32
MOST_CPU, MOST_GPU = 2048, 65536


@dataclass(frozen=True)
class Pieces:
    """Words of a batch as word pieces.

    ids: Pieces of all words, one after the other, (n_pieces,).
    counts: Pieces of each word, none without, (n_words,).
    sentences, documents: Words of each, none of them empty.
    placed: How they are laid out, where that is known and on a device already.
    """

    ids: Ints
    counts: Ints
    sentences: Ints
    documents: Ints
    placed: "tuple[PieceLayout, list[Tensor]] | None" = None

    @cached_property
    def words(self) -> Ints:
        """The word that each piece is of, (n_pieces,)."""
        return numbers(self.counts)

    @cached_property
    def places(self) -> Ints:
        """Which of its word's pieces each is, (n_pieces,)."""
        return positions(self.counts)


class PieceLayout(list[Ints]):
    """What a `PieceEncoder` reads on a device, and what it knows of it on the host.

    windows: Of these pieces.
    keys: What tells them from others, of an encoder that remembers them; else None.
    """

    def __init__(
        self, pieces: Pieces, windows: Windows, keys: list[bytes] | None
    ) -> None:
        super().__init__([pieces.counts])
        self.pieces, self.windows, self.keys = pieces, windows, keys


class PieceEncoder(nn.Module):
    """Run an encoder over windows of word pieces, and pool pieces to words.

    Every word is owned by one window (`cut_piece_windows`). Windows of like lengths are
    encoded together, so that hardly anything is padding.

    encoder: A module of Hugging Face's form: called with `inputs_embeds`, pieces as its
        `get_input_embeddings()` gives them, (batch_size, seq_len, width), and
        `attention_mask`, (batch_size, seq_len), it gives (batch_size, seq_len, width)
        first of all; with `output_hidden_states` that of each layer, `hidden_states`.
    prefix, suffix: Pieces that begin and end every sequence.
    padding: The piece that fills a sequence up.
    window: Most pieces of a sequence, with those.
    margin: Pieces around the core of a window.
    pooling: "mean" of a word's pieces, or the "first".
    width: Of the encoder's vectors.
    top_layers: Of how many of the last layers the mean is taken.
    """

    keeps_dropout = True  # that it was pretrained with
    frozen = False  # whether nothing learns: then it is asked once about a window

    def __init__(
        self,
        encoder: nn.Module,
        *,
        prefix: list[int],
        suffix: list[int],
        padding: int,
        window: int,
        margin: int,
        pooling: str,
        width: int,
        top_layers: int = 1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = width
        self.prefix, self.suffix = prefix, suffix
        self.padding = padding
        self.room = window - len(prefix) - len(suffix)
        self.margin = margin
        self.pooling = pooling
        self.top_layers = top_layers
        self._remembered = RememberedWindows()
        check_room(self.room, margin)

    @property
    def longest(self) -> int:
        """Pieces of the longest sequence, special ones too."""
        return self.room + len(self.prefix) + len(self.suffix)

    @property
    def most_pieces(self) -> int:
        """Pieces of a word that are looked at."""
        return self.room - 2 * self.margin

    def forward(self, pieces: Pieces) -> Tensor:
        """Encode words; returns (n_words, width) in the encoder's precision."""
        if pieces.placed is None:
            learns = torch.is_grad_enabled() and not self.frozen
            layout = self.lay_out(pieces, learns=learns)
            there = upload(self._device, *layout)
        else:
            layout, there = pieces.placed
        if layout.keys is None:
            return self._encode(pieces, there)
        with torch.no_grad():
            Y = self._encode(pieces, there)
        spans = _words_of(layout.windows, pieces.counts)
        self._remembered.exchange(layout.keys, spans, Y)
        return Y

    @property
    def _device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def scaled(self, pieces: Pieces, scales: Tensor) -> Tensor:
        """As `forward`, of embedded pieces that are multiplied with their word's scale.

        Pieces that belong to no word are left as they are.

        scales: Shape (n_words,).
        """
        learns = torch.is_grad_enabled()
        layout = self.lay_out(pieces, learns=learns, of_words=True)
        return self._encode(pieces, upload(self._device, *layout), scales)

    def lay_out(
        self, pieces: Pieces, *, learns: bool, of_words: bool = False
    ) -> PieceLayout:
        """What is read on a device: pieces of each word, and `_lay_out` of each group.

        learns: Whether gradients will be asked for.
        of_words: Whether pieces are scaled, and none is remembered.
        """
        windows = cut_piece_windows(
            pieces.counts, pieces.sentences, pieces.documents, self.room, self.margin
        )
        which, keys = numpy.arange(len(windows.lengths)), None
        if self.frozen and not of_words:
            keys = self._remembered.keys(pieces.ids, windows)
            which = self._remembered.unknown(keys)
        gpu = self._device.type != "cpu"
        call, most = (CALL_GPU, MOST_GPU) if gpu else (CALL_CPU, MOST_CPU)
        if learns:
            call = max(call, CALL_TRAINING)
        layout = PieceLayout(pieces, windows, keys)
        for group in like_lengths(windows.lengths[which], call, most):
            layout += self._lay_out(pieces, windows, which[group], of_words=of_words)
        return layout

    def _encode(
        self, pieces: Pieces, there: list[Tensor], scales: Tensor | None = None
    ) -> Tensor:
        """Vectors of words, (n_words, width); zeros for those of other windows.

        there: What `lay_out` found.
        """
        counts, *arrays = there
        batches = list(zip(*[iter(arrays)] * 7, strict=True))
        vectors, words = [], []
        embedded = self._embed([ids for ids, *_ in batches])
        for E, (_, mask, owned, owners, *filled, of) in zip(
            embedded, batches, strict=True
        ):
            X = E if scales is None else _scale(E, of, scales)
            with without_padding(Filled(filled[0], filled[1].int())):
                H = self.hidden(X, mask)
            vectors.append(H.flatten(0, 1)[owned])
            words.append(owners)
        if not vectors:
            return torch.zeros((len(counts), self.width), device=counts.device)
        return self._pool(torch.cat(vectors), torch.cat(words), pieces, counts)

    def hidden(self, X: Tensor, mask: Tensor) -> Tensor:
        """What the encoder makes of embedded pieces, (B, T, width)."""
        if self.top_layers == 1:
            return self.encoder(inputs_embeds=X, attention_mask=mask)[0]
        found = self.encoder(
            inputs_embeds=X, attention_mask=mask, output_hidden_states=True
        )
        return torch.stack(found.hidden_states[-self.top_layers :]).mean(0)

    def _embed(self, batches: list[Tensor]) -> Iterable[Tensor]:
        """Vectors of pieces, (B, T, width) of each batch, (B, T).

        The gradient of a look-up is as large as the table, so one is made for all.
        """
        embed = cast(Any, self.encoder).get_input_embeddings()
        if not torch.is_grad_enabled() or not batches:
            return map(embed, batches)
        E = embed(torch.cat([ids.flatten() for ids in batches]))
        parts = E.split([ids.numel() for ids in batches])
        return [
            part.view(*ids.shape, -1) for part, ids in zip(parts, batches, strict=True)
        ]

    def _lay_out(
        self, pieces: Pieces, windows: Windows, group: Ints, *, of_words: bool
    ) -> list[Ints]:
        """Sequences of a group of windows: ids, mask, owned places, and their words.

        Shapes: (B, T), (B, T), (n_owned,), (n_owned,). Behind them filled places,
        (n_filled,), how many there are before each sequence, and all, (B + 1,), and the
        word of every piece, -1 where it is of none, (B, T); empty without `of_words`.
        """
        lengths = windows.lengths[group]
        n_prefix = len(self.prefix)
        n_steps = int(lengths.max()) + n_prefix + len(self.suffix)
        steps, rows = positions(lengths), numbers(lengths)
        sources = windows.starts[group][rows] + steps
        ids = numpy.full((len(group), n_steps), self.padding, dtype="int64")
        ids[:, :n_prefix] = self.prefix
        ids[rows, n_prefix + steps] = pieces.ids[sources]
        for i, piece in enumerate(self.suffix):
            ids[numpy.arange(len(group)), n_prefix + lengths + i] = piece
        ends = lengths + n_prefix + len(self.suffix)
        mask = numpy.arange(n_steps) < ends[:, None]
        first, end = windows.first[group][rows], windows.end[group][rows]
        own = (steps >= first) & (steps < end)
        if self.pooling == "first":
            own &= pieces.places[sources] == 0
        owned = rows[own] * n_steps + n_prefix + steps[own]
        words = pieces.words[sources[own]]
        before = numpy.concatenate([[0], ends.cumsum()])
        every = numpy.full(ids.shape if of_words else 0, -1, dtype="int64")
        if of_words:
            every[rows, n_prefix + steps] = pieces.words[sources]
        return [ids, mask, owned, words, numpy.flatnonzero(mask), before, every]

    def _pool(
        self, vectors: Tensor, words: Tensor, pieces: Pieces, counts: Tensor
    ) -> Tensor:
        """Of pieces, (n_owned, width), and the words that they are of, (n_owned,)."""
        pooled = vectors.new_zeros((len(counts), vectors.shape[1]))
        pooled = pooled.index_add(0, words, vectors)
        if self.pooling == "first" or pieces.counts.max() == 1:
            return pooled
        return pooled / counts[:, None]


def _scale(E: Tensor, words: Tensor, scales: Tensor) -> Tensor:
    """E, (B, T, width), times scales of words, (n_words,); -1 is the word of none."""
    own = torch.where(words < 0, torch.ones_like(scales[:1]), scales[words])
    return E * own[:, :, None]


def _words_of(windows: Windows, counts: Ints) -> list[tuple[int, int]]:
    """First word and end of what each window owns."""
    ends = counts.cumsum()
    first = numpy.searchsorted(ends, windows.starts + windows.first, side="right")
    end = numpy.searchsorted(ends, windows.starts + windows.end, side="left") + 1
    return list(zip(first.tolist(), end.tolist(), strict=True))


def like_lengths(lengths: Ints, call: int, most: int) -> Iterator[Ints]:
    """Groups of sequences of like lengths, longest first.

    lengths: Of each sequence, (n,).
    call: Padding of a group that is worth saving another call.
    most: Pieces of a group, with padding, if it has several sequences.
    """
    order = numpy.argsort(-lengths, kind="stable")
    sizes = lengths[order].tolist()
    begin, padding = 0, 0
    for i, size in enumerate(sizes):
        padding += sizes[begin] - size
        if padding > call or ((i - begin + 1) * sizes[begin] > most and i > begin):
            yield order[begin:i]
            begin, padding = i, 0
    if sizes:
        yield order[begin:]
