"""Context beyond a token's own sequence: the same word elsewhere, and the document."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..native import extension
from .layout import Ints, numbers, runs, upload
from .recurrence import is_plain, panels, recurrence_for

CONTEXT = "layers._context"  # made of `context.c`
SCORE_BOUND = 5.0  # nats: no token weighs more than e^10 times as much as another
# Tokens worked on at once: bounds the memory, and on a CPU stays in the cache
CHUNK_CPU = 4096
CHUNK_GPU = 2**16
LONGEST = 2**14  # tokens of a document; the compiled formula keeps 4 KB of each


@dataclass(frozen=True)
class Pooled:
    """Weighted sums over the tokens of each group, not yet divided.

    values: Shape (n_groups, n_heads, head_width).
    weights: Sums of the weights, shape (n_groups, n_heads).
    own: What `GroupAttention.weigh` said of the tokens, kept where they are few.
    """

    values: Tensor
    weights: Tensor
    own: tuple[Tensor, Tensor] | None = None


def _at_once(X: Tensor) -> int:
    return CHUNK_GPU if X.is_cuda else CHUNK_CPU


def _chunks(X: Tensor, first: int, end: int) -> Iterator[slice]:
    size = _at_once(X)
    return (slice(i, min(i + size, end)) for i in range(first, end, size))


class GroupAttention(nn.Module):
    """Attention pooling of the tokens of each group, with a learned score per head.

    The scores, w_h · x_j, are bounded to ±`SCORE_BOUND` by a tanh, so that a token can
    be taken out of its group's sums again without losing the rest to rounding.

    width: Width of the tokens.
    value_width: Width of what is pooled; divisible by n_heads.
    n_heads: Number of scores.
    """

    def __init__(self, *, width: int, value_width: int, n_heads: int) -> None:
        super().__init__()
        if n_heads < 1 or value_width % n_heads:
            raise ValueError(
                f"value_width {value_width} is not divisible by n_heads {n_heads}"
            )
        self.n_heads = n_heads
        self.score = nn.Linear(width, n_heads)
        self.value = nn.Linear(width, value_width)

    def weights(self, X: Tensor) -> Tensor:
        """What each token counts in its group, (n_tokens, n_heads)."""
        return (SCORE_BOUND * (self.score(X) / SCORE_BOUND).tanh()).exp()

    def weigh(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Weights, (n_tokens, n_heads), and weighted values, (…, head_width), of X."""
        weights = self.weights(X)
        values = self.value(X).view(len(X), self.n_heads, -1)  # (N, H, D)
        return weights, weights[:, :, None] * values

    def pool(self, X: Tensor, groups: Tensor, n_groups: int, rows: Tensor) -> Pooled:
        """Sum up groups.

        X: Shape (n_tokens, width).
        groups: The group of each of `rows`, (n,).
        rows: Which tokens are pooled.
        """
        head_width = self.value.out_features // self.n_heads
        values = X.new_zeros((n_groups, self.n_heads, head_width))
        weights = X.new_zeros((n_groups, self.n_heads))
        own = None
        for part in (chunks := list(_chunks(X, 0, len(groups)))):
            own = self.weigh(X[rows[part]])
            weights = weights.index_add_(0, groups[part], own[0])
            values = values.index_add_(0, groups[part], own[1])
        return Pooled(values, weights, own if len(chunks) == 1 else None)

    def means(self, X: Tensor, starts: Tensor) -> Tensor:
        """Weighted means of groups of consecutive tokens, (n_groups, value_width).

        A value is linear in its token: tokens are averaged first, and a value is
        computed for a group in place of one for each token.

        X: Shape (n_tokens, width).
        starts: The first token of each group, none of them empty, (n_groups,).
        """
        weights = self.weights(X).to(X.dtype)
        by_head = weights.t().contiguous()  # (H, N)
        if len(starts) == 1:
            sums, totals = (by_head @ X)[:, None], weights.sum(0, True)
        else:
            rows = torch.arange(len(X), device=X.device)
            pool = partial(F.embedding_bag, rows, offsets=starts, mode="sum")
            sums = torch.stack([pool(X, per_sample_weights=w) for w in by_head])
            totals = pool(weights)  # (G, H)
        means = sums / totals.t()[:, :, None]  # (H, G, width)
        W = self.value.weight.view(self.n_heads, -1, X.shape[1])
        values = means @ W.transpose(1, 2)  # (H, G, D)
        return values.transpose(0, 1).flatten(1) + self.value.bias

    def means_of_others(self, X: Tensor, groups: Tensor, pooled: Pooled) -> Tensor:
        """Weighted mean of a token's group without itself.

        X: Tokens that were pooled, or some of them.
        groups: The group of each, which has more than one token.

        Returns shape (n_tokens, value_width).
        """
        own = pooled.own  # of all that were pooled
        weights, values = own if own and len(own[0]) == len(X) else self.weigh(X)
        values = pooled.values[groups] - values  # (N, H, D)
        weights = pooled.weights[groups] - weights  # (N, H)
        return (values / weights[:, :, None]).flatten(1)


@dataclass(frozen=True)
class Repeats:
    """Tokens whose word stands elsewhere in their document, too.

    rows: These tokens, on the host and on the device, (n,).
    groups: The word of each, on the host and on the device, (n,).
    """

    rows: tuple[Ints, Tensor]
    groups: tuple[Ints, Tensor]

    def between(self, first: int, end: int) -> "Repeats":
        """Those of a stretch of tokens."""
        (rows, rows_), (groups, groups_) = self.rows, self.groups
        if not len(rows) or (first <= rows[0] and rows[-1] < end):
            return self
        i, j = numpy.searchsorted(rows, [first, end]).tolist()
        return Repeats((rows[i:j], rows_[i:j]), (groups[i:j], groups_[i:j]))


class DocumentContext(nn.Module):
    """Adds to every token what its document says of it.

    y_i = x_i + tanh(W [x_i; m_i; r_i; d_i])

    m_i pools the other tokens of the document that are the same word, r_i is 1 where
    there are any, d_i pools all tokens of the document. Pooling is two passes over
    the tokens, so cost is linear in the length of a document.

    Source: the other places of a word are Luo, Xiao and Zhao (2020), "Hierarchical
    Contextualized Representation for Named Entity Recognition"; a global state at each
    token is Liu et al. (2019), "GCDT: A Global Context Enhanced Deep Transition
    Architecture for Sequence Labeling", there of the sentence.

    width: Width of the inputs and outputs.
    value_width: Width of m and of d; divisible by n_heads.
    n_heads: Heads of each of the two poolings.
    repeats: Whether there are m and r.
    state: Whether there is d.
    """

    def __init__(
        self,
        *,
        width: int,
        value_width: int,
        n_heads: int,
        repeats: bool = True,
        state: bool = True,
    ) -> None:
        super().__init__()
        if not (repeats or state):
            raise ValueError("without repeats and state no context is left to add")
        sizes = {"width": width, "value_width": value_width, "n_heads": n_heads}
        self.words = GroupAttention(**sizes) if repeats else None
        self.document = GroupAttention(**sizes) if state else None
        added = (value_width + 1) * repeats + value_width * state
        self.mix = nn.Linear(width + added, width)
        self.dropout = nn.Dropout(0.0)

    def forward(
        self,
        X: Tensor,
        words: Ints,
        lengths: Ints,
        overwrite: bool = False,
        notes: dict[Any, Any] | None = None,
        there: list[Tensor] | None = None,
    ) -> Tensor:
        """Mix in the context.

        X: Tokens of all documents, one after the other, shape (n_tokens, width).
        words: The distinct word of each token, on the host; no two documents share a
            number, shape (n_tokens,).
        lengths: Tokens of each document, on the host, shape (n_documents,).
        overwrite: Whether the result may take the place of X, of which nobody has
            another use; only without gradients.
        notes: What was remembered of the same weights in predictions in float32.
        there: `context_arrays`, where they are on the device already.

        Returns shape (n_tokens, width).
        """
        if not len(X):
            return X
        words, lengths = numpy.asarray(words), numpy.asarray(lengths)
        lengths = lengths[lengths > 0]  # no mean of nothing, which is NaN
        rows, groups = _repeated(words)
        ends = lengths.cumsum()
        loop = None if notes is None else self._loop(X, lengths)
        if loop is not None and notes is not None:
            Y = X if overwrite and X.is_contiguous() else torch.empty_like(X)
            if CONTEXT not in notes:
                notes[CONTEXT] = self._arranged()
            arrays = (X.contiguous().numpy(), Y.numpy(), ends, rows, groups)
            loop.mix_in(
                numpy.array(self._sizes(), dtype="int64"), *arrays, *notes[CONTEXT]
            )
            return Y
        if there is None:
            there = upload(X.device, *context_arrays(words, lengths))
        at, of, *documents = there
        repeats = Repeats((rows, at), (groups, of))
        mixed = (
            part
            for tokens, own in runs(lengths.tolist(), _at_once(X))
            for part in self._mix_in(X, tokens, own, repeats, *documents)
        )
        if torch.is_grad_enabled():
            return torch.cat([Y for _, Y in mixed])
        if len(X) <= _at_once(X):
            ((_, Y),) = mixed
            return Y
        result = X if overwrite else torch.empty_like(X)
        for tokens, Y in mixed:
            result[tokens] = Y
        return result

    def _loop(self, X: Tensor, lengths: Ints) -> ModuleType | None:
        """The compiled formula, where it is fast and its memory is bounded."""
        fits = int(lengths.max()) <= LONGEST and recurrence_for(len(lengths))
        if torch.is_grad_enabled() or not is_plain(X) or not fits:
            return None
        return extension(CONTEXT)

    def _sizes(self) -> tuple[int, int, int]:
        pool: Any = self.document if self.words is None else self.words
        return self.mix.out_features, pool.n_heads, pool.value.out_features

    def _arranged(self) -> list[Any]:
        """Weights and biases as the compiled formula wants them."""
        width, _, n = self._sizes()
        n_repeats = n + 1 if self.words is not None else 0
        W_x, W_repeats, W_state = self.mix.weight.split(
            [width, n_repeats, self.mix.in_features - width - n_repeats], 1
        )
        pairs: list[Any] = [(W_x, self.mix.bias)]
        for pool, W, bias in (
            (self.words, W_repeats[:, :-1], W_repeats[:, n_repeats - 1 :]),
            (self.document, W_state, None),
        ):
            if pool is None:
                pairs += [(None, None)] * 3
                continue
            layers = (pool.score, pool.value)
            pairs += [*((layer.weight, layer.bias) for layer in layers), (W, bias)]
        nothing = numpy.zeros(0, dtype="float32")
        return [
            nothing if x is None else x.detach().contiguous().numpy()
            for W, b in pairs
            for x in (None if W is None else panels(W), b)
        ]

    def _mix_in(
        self,
        X: Tensor,
        tokens: slice,
        own: slice,
        repeats: Repeats,
        documents: Tensor,
        starts: Tensor,
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yields chunks of a run of documents, each out of what these pool and itself.

        tokens: Of the run. own: Its documents.
        """
        # W [x; m; r; d] is a sum of products; that of d is one for a whole document
        W = self.mix.weight
        width = X.shape[1]
        n = self.words.value.out_features + 1 if self.words is not None else 0
        W_x, W_repeats, W_state = W.split([width, n, W.shape[1] - width - n], 1)
        first, end = tokens.start, tokens.stop
        repeats = repeats.between(first, end)
        pooled, lowest = self._pool_words(X, repeats)
        states = None
        if self.document is not None:
            states = self.document.means(X[tokens], starts[own] - first)
            states = F.linear(states, W_state)
        for part in _chunks(X, first, end):
            Y = F.linear(X[part], W_x, self.mix.bias)  # (n, width)
            here = repeats.between(part.start, part.stop)
            if self.words is not None and pooled is not None and len(here.rows[0]):
                rows, groups = here.rows[1], here.groups[1] - lowest
                others = self.words.means_of_others(X[rows], groups, pooled)
                others = F.linear(others, W_repeats[:, :-1], W_repeats[:, -1])
                Y.index_add_(0, rows - part.start if part.start else rows, others)
            if states is not None:
                alone = len(states) == 1
                Y += states if alone else states[documents[part] - own.start]
            yield part, X[part] + self.dropout(Y.tanh_())

    def _pool_words(self, X: Tensor, repeats: Repeats) -> tuple[Pooled | None, int]:
        """Sums over the places of each word, and the number of the first of them."""
        rows, groups = repeats.rows[1], repeats.groups
        if self.words is None or not len(rows):
            return None, 0
        lowest, highest = int(groups[0].min()), int(groups[0].max())
        n_groups = highest + 1 - lowest
        return self.words.pool(X, groups[1] - lowest, n_groups, rows), lowest


def context_arrays(words: Ints, lengths: Ints) -> list[Ints]:
    """What `DocumentContext` reads on a device, of the same arguments.

    Those of `Repeats`, the document of each token, and the first token of each.
    """
    lengths = lengths[lengths > 0]
    return [*_repeated(words), numbers(lengths), lengths.cumsum() - lengths]


def _repeated(words: Ints) -> tuple[Ints, Ints]:
    """Tokens whose word has several, and these words numbered, (n,) each."""
    several = numpy.bincount(words) > 1
    rows = numpy.flatnonzero(several[words])
    return rows, (several.cumsum() - 1)[words[rows]]
