"""Recursions over long sequences in blocks that run side by side.

A recursion over tokens is one small step after the other. Here sequences are cut into
blocks. Each block begins with a guess of the state before it, found by running the
recursion over a few tokens more; a block whose guess turns out not to be the state in
which the block before it ended runs again. Nothing is approximated: the result is that
of the plain recursion, however long it remembers. What it forgets soon, as the scores
of a CRF, costs little more than a step for each token of one block; what it never
forgets, no more than a few times the plain recursion.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .packing import pack, token_positions

# Tokens of a sequence that is not cut: shorter ones are faster in one piece, on a CPU
# with 4 labels or 20. A step of the best path is dearer than one of sums.
LONGEST = 192
LONGEST_BEST = 96
BLOCK = 32  # tokens of a block, at most
WARM_UP = 16  # tokens before a block from which the state before it is guessed
AT_ONCE = 2**20  # scores, tokens times tags, of the blocks that run side by side
ROUNDS = 4  # in which all wrong guesses are put right; later the first of a sequence
TOLERANCE = 1e-11  # nats by which a guess may be off
LEAST = -1e6  # states below it are impossible, and all alike

# From the states at the tokens before, (n, n_tags), to the best or summed score of what
# leads to each tag, without its emission.
Advance = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Blocks:
    """Blocks in the order in which a recursion passes them.

    first: The flat token that each begins with, shape (n_blocks,).
    lengths: Tokens of each, shape (n_blocks,).
    linked: Whether it goes on where the block before it ended, shape (n_blocks,).
    step: 1, or -1 where the recursion goes from the end of a sequence to its start.
    """

    first: Tensor
    lengths: Tensor
    linked: Tensor
    step: int

    def tails(self) -> "Blocks":
        """The last tokens of each block, as blocks that go on from nothing."""
        lengths = self.lengths.clamp_max(WARM_UP)
        first = self.first + self.step * (self.lengths - lengths)
        return Blocks(first, lengths, torch.zeros_like(self.linked), self.step)

    def heads(self) -> "Blocks":
        """The first tokens of each block, passed the other way."""
        return self._back(self.lengths.clamp_max(WARM_UP))

    def back(self) -> "Blocks":
        """The same blocks, each passed the other way."""
        return self._back(self.lengths)

    def _back(self, lengths: Tensor) -> "Blocks":
        first = self.first + self.step * (lengths - 1)
        return Blocks(first, lengths, self.linked, -self.step)

    def packed(
        self, chosen: Tensor, n_tags: int
    ) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
        """Chosen blocks, `AT_ONCE` scores at a time, time-major.

        Yields the numbers of some blocks by falling length, the flat token of each
        packed row, and how many of the blocks are alive at each step.
        """
        if len(chosen) == 1:  # a short text by itself
            first, n = int(self.first[chosen]), int(self.lengths[chosen])
            end = first + self.step * n
            tokens = torch.arange(first, end, self.step, device=chosen.device)
            yield chosen, tokens, [1] * n
            return
        order = self.lengths[chosen].argsort(descending=True, stable=True)
        chosen = chosen[order]
        part = (self.lengths[chosen].cumsum(0) - 1) * n_tags // AT_ONCE
        _, sizes = torch.unique_consecutive(part, return_counts=True)
        for some in chosen.split(sizes.tolist()):
            lengths = self.lengths[some]
            packing = pack(lengths)
            first = self.first[some].repeat_interleave(lengths)
            tokens = torch.empty_like(packing.forward)
            tokens[packing.forward] = first + self.step * token_positions(lengths)
            yield some, tokens, packing.sizes


def cut_blocks(lengths: Tensor, *, reverse: bool = False, best: bool = False) -> Blocks:
    """Cut sequences of the given lengths, shape (batch_size,), int64.

    reverse: From their ends to their starts. best: For the best path.
    """
    longest = LONGEST_BEST if best else LONGEST
    counts = torch.where(lengths > longest, (lengths + BLOCK - 1) // BLOCK, 1)
    counts = counts.masked_fill(lengths == 0, 0)  # (batch_size,)
    nth = token_positions(counts)  # which block of its sequence
    whole, n_blocks = (x.repeat_interleave(counts) for x in (lengths, counts))
    offset = (lengths.cumsum(0) - lengths).repeat_interleave(counts)
    first = offset + nth * whole // n_blocks
    end = offset + (nth + 1) * whole // n_blocks
    if not reverse:
        return Blocks(first, end - first, nth > 0, 1)
    is_last = nth == n_blocks - 1
    return Blocks((end - 1).flip(0), (end - first).flip(0), ~is_last.flip(0), -1)


def is_long(lengths: Tensor, n_tags: int) -> bool:
    """Whether a batch is worth cutting: a long sequence, or many scores."""
    return bool(len(lengths)) and (
        int(lengths.max()) > LONGEST or int(lengths.sum()) * n_tags > AT_ONCE
    )


def scan_blocks(
    scores: Tensor, blocks: Blocks, start: Tensor, advance: Advance, kept: Tensor
) -> Tensor:
    """Run a recursion, in which each block counts from the largest state before it.

    scores: Emissions, shape (n_tokens, n_tags).
    start: Scores of the first tag of a sequence, shape (n_tags,).
    advance: The step from token to token.
    kept: Filled with the states, shape (n_tokens, n_tags).

    Returns the state at the end of each block, shape (n_blocks, n_tags).
    """
    n_blocks = len(blocks.lengths)
    linked = blocks.linked.nonzero().squeeze(1)
    sequence = (~blocks.linked).cumsum(0)  # (n_blocks,)
    before = scores.new_zeros((n_blocks, scores.shape[1]))
    final = torch.empty_like(before)
    if len(linked):
        nothing = torch.zeros_like(start)
        _run(scores, blocks.tails(), linked - 1, before, nothing, advance, final)
        before[linked] = _from_largest(final[linked - 1])
    todo = torch.arange(n_blocks, device=scores.device)
    n_rounds = 0
    while len(todo):
        _run(scores, blocks, todo, before, start, advance, final, kept)
        ended = _from_largest(final[linked - 1])
        gap = ended.clamp_min(LEAST) - before[linked].clamp_min(LEAST)
        wrong = (gap.abs().amax(-1) > TOLERANCE).nonzero().squeeze(1)
        n_rounds += 1
        if n_rounds >= ROUNDS:  # nothing is forgotten: only the first will be right
            own = sequence[linked[wrong]]
            wrong = wrong[own.diff(prepend=own[:1] - 1) != 0]
        todo = linked[wrong]
        before[todo] = ended[wrong]
    return final


def block_offsets(final: Tensor, blocks: Blocks) -> Tensor:
    """From where the states of each block count, shape (n_blocks,)."""
    tops = final.amax(-1).tolist()
    offsets, total, last = [], 0.0, 0.0
    for linked, top in zip(blocks.linked.tolist(), tops, strict=True):
        total = total + last if linked else 0.0
        offsets.append(total)
        last = top
    return torch.tensor(offsets, dtype=final.dtype, device=final.device)


def _from_largest(states: Tensor) -> Tensor:
    return states - states.amax(-1, keepdim=True)


def _run(
    scores: Tensor,
    blocks: Blocks,
    chosen: Tensor,
    before: Tensor,
    start: Tensor,
    advance: Advance,
    final: Tensor,
    kept: Tensor | None = None,
) -> None:
    """Run some blocks from the states `before` them; fills `final` and `kept`."""
    for some, tokens, sizes in blocks.packed(chosen, scores.shape[1]):
        states = scores[tokens]  # (n, K), packed; emissions at first
        state, offset, alive = before[some], 0, len(some)
        ended = torch.empty_like(state)
        for t, size in enumerate(sizes):
            if size < alive:
                ended[size:alive] = state[size:]
                state, alive = state[:size], size
            message = advance(state)
            if t == 0:
                message = torch.where(blocks.linked[some][:, None], message, start)
            state = states[offset : offset + size].add_(message)
            offset += size
        ended[:alive] = state
        final[some] = ended
        if kept is not None:
            kept[tokens] = states
