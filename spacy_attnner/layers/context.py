"""Context beyond a token's own sequence: the same word elsewhere, and the document."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SCORE_BOUND = 5.0  # nats: no token weighs more than e^10 times as much as another
CHUNK = 16384  # tokens worked on at once where no gradient is asked for


@dataclass(frozen=True)
class Pooled:
    """Weighted sums over the tokens of each group, not yet divided.

    values: Shape (n_groups, n_heads, head_width).
    weights: Sums of the weights, shape (n_groups, n_heads).
    counts: Tokens of each group, shape (n_groups,).
    """

    values: Tensor
    weights: Tensor
    counts: Tensor


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
        for rows in _chunks(len(X)):
            own_weights, own_values = self.weigh(X[rows])
            values = values.index_add_(0, groups[rows], own_values)
            weights = weights.index_add_(0, groups[rows], own_weights)
        return Pooled(values, weights, torch.bincount(groups, minlength=n_groups))

    def means(self, pooled: Pooled) -> Tensor:
        """Weighted mean of each group, shape (n_groups, value_width)."""
        return (pooled.values / pooled.weights[:, :, None]).flatten(1)

    def means_of_others(self, X: Tensor, groups: Tensor, pooled: Pooled) -> Tensor:
        """Weighted mean of a token's group without itself; zeros if it is alone.

        Returns shape (n_tokens, value_width).
        """
        weights, values = self.weigh(X)
        values = pooled.values[groups] - values  # (N, H, D)
        weights = pooled.weights[groups] - weights  # (N, H)
        alone = (pooled.counts[groups] < 2)[:, None]
        weights = weights.masked_fill(alone, 1.0)
        return (values / weights[:, :, None]).flatten(1).masked_fill(alone, 0.0)


class DocumentContext(nn.Module):
    """Adds to every token what its document says of it.

    y_i = x_i + tanh(W [x_i; m_i; d_i; r_i])

    m_i pools the other tokens of the document that are the same word, d_i all tokens
    of the document, r_i is 1 where the word comes up again. Pooling is two passes over
    the tokens, so cost is linear in the length of a document.

    Source: the other places of a word are Luo, Xiao and Zhao (2020), "Hierarchical
    Contextualized Representation for Named Entity Recognition"; a global state at each
    token is Liu et al. (2019), "GCDT: A Global Context Enhanced Deep Transition
    Architecture for Sequence Labeling", there of the sentence.

    width: Width of the inputs and outputs.
    value_width: Width of m and of d; divisible by n_heads.
    n_heads: Heads of each of the two poolings.
    """

    def __init__(self, *, width: int, value_width: int, n_heads: int) -> None:
        super().__init__()
        sizes = {"width": width, "value_width": value_width, "n_heads": n_heads}
        self.words = GroupAttention(**sizes)
        self.document = GroupAttention(**sizes)
        self.mix = nn.Linear(width + 2 * value_width + 1, width)
        self.dropout = nn.Dropout(0.0)

    def forward(self, X: Tensor, words: Tensor, lengths: Tensor) -> Tensor:
        """Mix in the context.

        X: Tokens of all documents, one after the other, shape (n_tokens, width).
        words: The distinct word of each token; no two documents share a number, shape
            (n_tokens,), int64.
        lengths: Tokens of each document, shape (n_documents,), int64.

        Returns shape (n_tokens, width).
        """
        if not len(X):
            return X
        n_documents = len(lengths)
        numbers = torch.arange(n_documents, device=X.device)
        owner = numbers.repeat_interleave(lengths)  # (N,)
        memory = self.words.pool(X, words, int(words.max()) + 1)
        states = self.document.means(self.document.pool(X, owner, n_documents))
        parts = []
        for rows in _chunks(len(X)):
            x, word = X[rows], words[rows]
            others = self.words.means_of_others(x, word, memory)
            again = (memory.counts[word] > 1).to(x.dtype)[:, None]
            Z = torch.cat([x, others, states[owner[rows]], again], 1)
            parts.append(x + self.dropout(self.mix(Z).tanh()))
        return torch.cat(parts)
