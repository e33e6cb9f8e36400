"""Context beyond a token's own sequence: the same word elsewhere, and the document."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCORE_BOUND = 5.0  # nats: no token weighs more than e^10 times as much as another
CHUNK = 4096  # tokens worked on at once: bounds the memory, and stays in the cache


@dataclass(frozen=True)
class Pooled:
    """Weighted sums over the tokens of each group, not yet divided.

    values: Shape (n_groups, n_heads, head_width).
    weights: Sums of the weights, shape (n_groups, n_heads).
    counts: Tokens of each group, shape (n_groups,).
    own: What `GroupAttention.weigh` said of the tokens, kept where they are few.
    """

    values: Tensor
    weights: Tensor
    counts: Tensor
    own: tuple[Tensor, Tensor] | None = None


def _chunks(n_tokens: int) -> Iterator[slice]:
    return (slice(i, i + CHUNK) for i in range(0, n_tokens, CHUNK))


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

    def weigh(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Weights, (n_tokens, n_heads), and weighted values, (…, head_width), of X."""
        scores = SCORE_BOUND * (self.score(X) / SCORE_BOUND).tanh()
        weights = scores.exp()  # (N, H)
        values = self.value(X).view(len(X), self.n_heads, -1)  # (N, H, D)
        return weights, weights[:, :, None] * values

    def pool(self, X: Tensor, groups: Tensor, n_groups: int) -> Pooled:
        """Sum up groups.

        X: Shape (n_tokens, width). groups: The group of each token, (n_tokens,).
        """
        head_width = self.value.out_features // self.n_heads
        values = X.new_zeros((n_groups, self.n_heads, head_width))
        weights = X.new_zeros((n_groups, self.n_heads))
        own = None
        for rows in _chunks(len(X)):
            own = self.weigh(X[rows])
            weights = weights.index_add_(0, groups[rows], own[0])
            values = values.index_add_(0, groups[rows], own[1])
        counts = torch.bincount(groups, minlength=n_groups)
        return Pooled(values, weights, counts, own if len(X) <= CHUNK else None)

    def means(self, pooled: Pooled) -> Tensor:
        """Weighted mean of each group, shape (n_groups, value_width)."""
        return (pooled.values / pooled.weights[:, :, None]).flatten(1)

    def means_of_others(self, X: Tensor, groups: Tensor, pooled: Pooled) -> Tensor:
        """Weighted mean of a token's group without itself; zeros if it is alone.

        X: All tokens that were pooled or, of more than `CHUNK`, some of them.
        groups: The group of each.

        Returns shape (n_tokens, value_width).
        """
        weights, values = pooled.own or self.weigh(X)
        values = pooled.values[groups] - values  # (N, H, D)
        weights = pooled.weights[groups] - weights  # (N, H)
        alone = (pooled.counts[groups] < 2)[:, None]
        weights = weights.masked_fill(alone, 1.0)
        return (values / weights[:, :, None]).flatten(1).masked_fill(alone, 0.0)


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
        self, X: Tensor, words: Tensor, lengths: Tensor, overwrite: bool = False
    ) -> Tensor:
        """Mix in the context.

        X: Tokens of all documents, one after the other, shape (n_tokens, width).
        words: The distinct word of each token; no two documents share a number, shape
            (n_tokens,), int64.
        lengths: Tokens of each document, shape (n_documents,), int64.
        overwrite: Whether the result may take the place of X, of which nobody has
            another use; only without gradients.

        Returns shape (n_tokens, width).
        """
        if not len(X):
            return X
        lengths = lengths[lengths > 0]  # no mean of nothing, which is NaN
        mixed = (
            rows
            for tokens, documents in _pieces(lengths)
            for rows in self._mix_in(X[tokens], words[tokens], lengths[documents])
        )
        if torch.is_grad_enabled():
            return torch.cat(list(mixed))
        Y = X if overwrite else torch.empty_like(X)
        offset = 0
        for rows in mixed:
            Y[offset : offset + len(rows)] = rows
            offset += len(rows)
        return Y

    def _mix_in(self, X: Tensor, words: Tensor, lengths: Tensor) -> Iterator[Tensor]:
        """Yields chunks in order, each out of what was pooled and its own tokens."""
        # W [x; m; r; d] is a sum of products; that of d is one for a whole document
        W = self.mix.weight
        width = X.shape[1]
        repeats = self.words.value.out_features + 1 if self.words is not None else 0
        W_x, W_repeats, W_state = W.split(
            [width, repeats, W.shape[1] - width - repeats], 1
        )
        terms: list[Callable[[slice], Tensor]] = []
        if self.words is not None:
            terms.append(_repeats(self.words, X, words, W_repeats))
        if self.document is not None:
            terms.append(_state(self.document, X, lengths, W_state))
        for rows in _chunks(len(X)):
            Y = F.linear(X[rows], W_x, self.mix.bias)  # (n, width)
            for term in terms:
                Y = Y + term(rows)
            yield X[rows] + self.dropout(Y.tanh())


def _pieces(lengths: Tensor) -> Iterator[tuple[slice, slice]]:
    """Tokens and documents of runs of at most `CHUNK` tokens, or of one document."""
    ends = [0, *lengths.cumsum(0).tolist()]
    first = 0
    for last in range(1, len(ends)):
        if last == len(lengths) or ends[last + 1] - ends[first] > CHUNK:
            yield slice(ends[first], ends[last]), slice(first, last)
            first = last


def _repeats(
    pool: GroupAttention, X: Tensor, words: Tensor, W: Tensor
) -> Callable[[slice], Tensor]:
    """W [m_i; r_i] of a chunk of tokens, shape (n, width)."""
    words = words - words.min()
    memory = pool.pool(X, words, int(words.max()) + 1)

    def term(rows: slice) -> Tensor:
        others = pool.means_of_others(X[rows], words[rows], memory)
        again = (memory.counts[words[rows]] > 1).to(X.dtype)[:, None]
        return F.linear(torch.cat([others, again], 1), W)

    return term


def _state(
    pool: GroupAttention, X: Tensor, lengths: Tensor, W: Tensor
) -> Callable[[slice], Tensor]:
    """W d_i of a chunk of tokens, shape (n, width)."""
    documents = torch.arange(len(lengths), device=X.device)
    documents = documents.repeat_interleave(lengths)  # (N,)
    states = pool.means(pool.pool(X, documents, len(lengths)))
    states = F.linear(states, W)  # (n_documents, width)
    return lambda rows: states[documents[rows]]
