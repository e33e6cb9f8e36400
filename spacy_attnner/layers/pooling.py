"""From token vectors to one vector per document.

Nothing is padded: time and memory are those of the tokens, however their number varies
between documents. What is summed up of a document does not depend on the others.
"""

import math
from collections.abc import Iterator, Sequence

import numpy
import torch
from torch import Tensor, nn

from .attention import AdditiveAttention, masked_softmax
from .layout import Ints, cut_windows, numbers, upload
from .recurrence import is_plain
from .sequence_encoder import SequenceEncoder, indices

PARAGRAPH = 30  # words, where there are no sentences
READ = (128, 16)  # window and margin of tokens that read each other
OF_SENTENCES = (96, 16)  # window and margin of what encodes sentences
AT_ONCE = 64  # windows whose tokens read each other at once


class Segments:
    """Consecutive tokens of a flat batch, a segment per document.

    lengths: Tokens of each, on the host, (n_segments,).
    sentences: Tokens of each sentence of all of them, none empty, if they are known.
    there: `segment_arrays`, where they are on the device already, and what a pooling
        reads there besides, `more`.
    """

    def __init__(
        self,
        device: torch.device,
        lengths: Ints,
        sentences: Ints | None = None,
        there: Sequence[Tensor] | None = None,
    ) -> None:
        self.lengths = numpy.asarray(lengths)
        self._device, self.sentences = device, sentences
        self._n = len(lengths)
        if there is None:
            there = upload(device, *segment_arrays(self.lengths))
        self.owners, self._counts, *self.more = there

    def counts(self, dtype: torch.dtype) -> Tensor:
        """Tokens of each segment, at least 1, (n_segments,)."""
        return self._counts.to(dtype)

    def sizes(self, dtype: torch.dtype) -> Tensor:
        """Tokens of the segment that each token is of, (n_tokens,)."""
        return self.counts(dtype)[self.owners]

    def sum(self, X: Tensor) -> Tensor:
        """Sum of each column over each segment, (n_segments, n); of none 0."""
        result = X.new_zeros((self._n, X.shape[1]))
        return result.index_add(0, self.owners, X)

    def weighted(self, weights: Tensor, X: Tensor) -> Tensor:
        """Sums by each column of weights, (n_segments, n_columns * width).

        weights: (n_tokens, n_columns). X: (n_tokens, width).
        """
        if torch.is_grad_enabled() or not (is_plain(X) and is_plain(weights)):
            columns = weights.split(1, -1)  # each (N, 1)
            return torch.cat([self.sum(each * X) for each in columns], -1)
        result = numpy.zeros((self._n, weights.shape[1], X.shape[1]), dtype="float32")
        W, values, end = weights.numpy(), X.numpy(), 0
        for found, n in zip(result, self.lengths.tolist(), strict=True):
            numpy.matmul(W[end : end + n].T, values[end : end + n], out=found)
            end += n
        return torch.from_numpy(result).flatten(1)

    def max(self, X: Tensor) -> Tensor:
        """Maximum of each column over each segment, (n_segments, n); of none 0."""
        result = X.new_zeros((self._n, X.shape[1]))
        index = self.owners[:, None].expand_as(X)
        return result.scatter_reduce(0, index, X, "amax", include_self=False)

    def softmax(self, scores: Tensor) -> Tensor:
        """Softmax of each column over each segment, (n_tokens, n)."""
        top = self.max(scores.detach())
        weights = (scores - top[self.owners]).exp()
        return weights / self.sum(weights)[self.owners]


def segment_arrays(lengths: Ints) -> list[Ints]:
    """The segment of each token, (n_tokens,), and tokens of each, at least 1."""
    return [numbers(lengths), numpy.maximum(lengths, 1)]


def cut_sentences(lengths: Ints, sentences: Ints | None) -> tuple[Ints, Ints]:
    """Tokens of each sentence, and how many sentences each segment has.

    Documents without sentence starts are cut into stretches of `PARAGRAPH` tokens.

    lengths, sentences: As of `Segments`.
    """
    known = lengths[lengths > 0] if sentences is None else sentences
    ends, starts = lengths.cumsum(), known.cumsum() - known
    # a document that is one sentence may be one of which they are not known
    owners = numpy.searchsorted(ends, starts, side="right")
    alone = known == lengths[owners]
    cut = numpy.where(alone, PARAGRAPH, known.max(initial=1))
    parts = -(-known // cut)
    last = known - (parts - 1) * cut
    found = numpy.repeat(cut, parts)
    found[parts.cumsum() - 1] = last
    counts = numpy.bincount(owners, weights=parts, minlength=len(lengths))
    return found, counts.astype("int64")


class AttentionPooling(nn.Module):
    """Multi-head additive attention over the tokens of each segment.

    Source: Lin et al. (2017), "A Structured Self-Attentive Sentence Embedding".

    width: Width of the tokens. hidden: Width of the scoring layer.
    n_heads: Heads; the output concatenates them.
    factors: Multiplied with what is attended to each token, (n_tokens,), so that its
        share of a result can be found.
    """

    reads_words = True
    factors: Tensor | None = None

    def __init__(self, *, width: int, hidden: int, n_heads: int = 1) -> None:
        super().__init__()
        self.attention = AdditiveAttention(width=width, hidden=hidden, n_heads=n_heads)

    def weights(self, X: Tensor, segments: Segments) -> Tensor:
        """Attention weights, (n_tokens, n_heads), that sum to 1 over each segment."""
        return segments.softmax(self.attention(X))

    def forward(self, X: Tensor, segments: Segments) -> Tensor:
        """Pool X, (n_tokens, width), to (n_segments, n_heads * width)."""
        weights = self.weights(X, segments)
        if self.factors is not None:
            weights = weights * self.factors[:, None]
        return segments.weighted(weights, X)


class SelfAttentionPooling(nn.Module):
    """What tokens read of each other, in each head, averaged over the readers.

    (1/n) Σ_i softmax(q_i Kᵀ / √d) V, with Q, K, V linear in X: Vaswani et al. (2017),
    "Attention Is All You Need". A token reads the window around it, so that cost is
    linear in the length of a document.

    width: Of the tokens, and of the output; divisible by n_heads.
    window, margin: Tokens read at once, and shared with the window before and after.
    factors: As of `AttentionPooling`.
    """

    reads_words = True
    factors: Tensor | None = None

    def __init__(
        self,
        *,
        width: int,
        n_heads: int,
        window: int = READ[0],
        margin: int = READ[1],
    ) -> None:
        super().__init__()
        if n_heads < 1 or width % n_heads:
            raise ValueError(f"width {width} is not divisible by n_heads {n_heads}")
        self.n_heads, self.window, self.margin = n_heads, window, margin
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, X: Tensor, segments: Segments) -> Tensor:
        """Pool X, (n_tokens, width), to (n_segments, width)."""
        weights = self.weights(X, segments)  # (N, H)
        if self.factors is not None:
            weights = weights * self.factors[:, None]
        values = self.qkv(X).chunk(3, -1)[2].unflatten(1, (self.n_heads, -1))
        return segments.sum((weights[:, :, None] * values).flatten(1))

    def weights(self, X: Tensor, segments: Segments) -> Tensor:
        """How much each token is read, a mean over readers, (n_tokens, n_heads)."""
        Q, K = (
            part.unflatten(1, (self.n_heads, -1))
            for part in self.qkv(X).chunk(3, -1)[:2]
        )
        read = X.new_zeros((len(X), self.n_heads))
        arrays = _readers(segments.lengths, self.window, self.margin)
        tensors = iter(segments.more or upload(X.device, *arrays))
        for rows, mask, readers in zip(tensors, tensors, tensors, strict=True):
            q, k = Q[rows], K[rows]  # (B, T, H, D)
            scores = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(q.shape[-1])
            A = masked_softmax(scores, (mask > 0)[:, None, None, :])
            own = torch.einsum("bhij,bi->bjh", A, readers.to(A.dtype))  # (B, T, H)
            read = read.index_add(0, rows.flatten(), own.flatten(0, 1))
        return read / segments.sizes(X.dtype)[:, None]


def _readers(lengths: Ints, window: int, margin: int) -> Iterator[Ints]:
    """Rows of windows of like lengths, which are filled, and which read, (B, T)."""
    windows = cut_windows(lengths[lengths > 0], window, margin)
    order = numpy.argsort(-windows.lengths, kind="stable")
    for begin in range(0, len(order), AT_ONCE):
        some = order[begin : begin + AT_ONCE]
        steps = numpy.arange(int(windows.lengths[some].max()))
        mask = steps < windows.lengths[some, None]
        first, end = windows.first[some, None], windows.end[some, None]
        rows = numpy.where(mask, windows.starts[some, None] + steps, 0)
        yield from (rows, mask, mask & (steps >= first) & (steps < end))


class HierarchicalPooling(nn.Module):
    """Words to sentences, sentences to a document, each by additive attention.

    Yang et al. (2016), "Hierarchical Attention Networks for Document Classification":
    between the two a BiLSTM goes over the sentences. Where there are no sentences,
    stretches of `PARAGRAPH` words stand for them.

    width: Of the tokens; even. The output is n_heads * width wide.
    """

    def __init__(self, *, width: int, hidden: int, n_heads: int) -> None:
        super().__init__()
        self.words = AttentionPooling(width=width, hidden=hidden)
        self.context = SequenceEncoder(
            input_width=width,
            width=width,
            depth=1,
            n_heads=0,
            window=OF_SENTENCES[0],
            margin=OF_SENTENCES[1],
        )
        self.sentences = AttentionPooling(width=width, hidden=hidden, n_heads=n_heads)
        self.sentences.reads_words = False

    def forward(self, X: Tensor, segments: Segments) -> Tensor:
        """Pool X, (n_tokens, width), to (n_segments, n_heads * width)."""
        sentences, documents, there = self._levels(segments)
        S = self.words(X, sentences)  # (n_sentences, width)
        H = self.context(S, documents.lengths, there=there)
        return self.sentences(H, documents)

    def weights(self, X: Tensor, segments: Segments) -> Tensor:
        """Of a word in its sentence times that of the sentence, (n_tokens, n_heads)."""
        sentences, documents, there = self._levels(segments)
        H = self.context(self.words(X, sentences), documents.lengths, there=there)
        of_sentences = self.sentences.weights(H, documents)
        return self.words.weights(X, sentences) * of_sentences[sentences.owners]

    def _levels(
        self, segments: Segments
    ) -> tuple[Segments, Segments, list[Tensor] | None]:
        """Sentences of words, documents of sentences, and what the context reads."""
        lengths, counts = cut_sentences(segments.lengths, segments.sentences)
        device, more = segments.owners.device, segments.more
        return (
            Segments(device, lengths, there=more[:2] or None),
            Segments(device, counts, there=more[2:4] or None),
            more[4:] or None,
        )


class DocumentPooling(nn.Module):
    """What is read of each document by attention, its maximum, its mean; and dropout.

    width: Width of the tokens. n_heads: Attention heads. hidden: Scoring width.
    attention: "additive", "self" or "hierarchical".
    highest, mean: Whether to add the maximum and the mean of the tokens.
    """

    def __init__(
        self,
        *,
        width: int,
        n_heads: int,
        hidden: int,
        attention: str = "additive",
        highest: bool = True,
        mean: bool = False,
    ) -> None:
        super().__init__()
        self.pool: nn.Module
        if attention == "self":
            self.pool = SelfAttentionPooling(width=width, n_heads=n_heads)
        elif attention == "hierarchical":
            self.pool = HierarchicalPooling(width=width, hidden=hidden, n_heads=n_heads)
        else:
            self.pool = AttentionPooling(width=width, hidden=hidden, n_heads=n_heads)
        self.attention, self.highest, self.mean = attention, highest, mean
        self.dropout = nn.Dropout(0.0)

    def forward(
        self,
        X: Tensor,
        lengths: Ints,
        sentences: Ints | None = None,
        there: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Pool a flat batch; a document without tokens gives zeros.

        X: Shape (n_tokens, width).
        lengths: Tokens of each document, on the host, (batch_size,).
        sentences: Tokens of each sentence of all documents, on the host.
        there: `pooling_arrays` of the same, where they are on the device already.

        Returns shape (batch_size, width of the output).
        """
        segments = Segments(X.device, lengths, sentences, there)
        parts = [self.pool(X, segments)]
        if self.highest:
            parts.append(segments.max(X))  # (B, width)
        if self.mean:
            parts.append(segments.sum(X) / segments.counts(X.dtype)[:, None])
        return self.dropout(torch.cat(parts, -1))


def pooling_arrays(
    lengths: Ints, sentences: Ints, attention: str, size: int
) -> list[Ints]:
    """What a `DocumentPooling` reads on a device in prediction.

    attention: Of the module. size: Windows of sentences that are encoded together.
    """
    found = segment_arrays(lengths)
    if attention == "self":
        found += _readers(lengths, *READ)
    elif attention == "hierarchical":
        own, counts = cut_sentences(lengths, sentences)
        found += [*segment_arrays(own), *segment_arrays(counts)]
        found += indices(counts, None, *OF_SENTENCES, size, False)
    return found


def pooled_width(
    width: int, n_heads: int, attention: str, *, highest: bool, mean: bool
) -> int:
    """Width of what `DocumentPooling` gives."""
    own = width if attention == "self" else n_heads * width
    return own + (highest + mean) * width
