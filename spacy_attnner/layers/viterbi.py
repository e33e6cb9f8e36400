"""The best tag path of a CRF (Viterbi, 1967), batched."""

import torch
from torch import Tensor

from .blocks import Blocks, cut_blocks, is_long, scan_blocks
from .lattice import Chain
from .packing import pack


def viterbi(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """The best valid tag path of each sequence.

    emissions: Shape (n_tokens, n_tags), sequence after sequence.
    lengths: Shape (batch_size,).

    Returns the tag of every token, shape (n_tokens,), int64.
    """
    if is_long(lengths):
        return _long_viterbi(emissions.double(), chain, lengths)
    packing = pack(lengths)
    n_tokens, n_tags = emissions.shape
    scores = torch.empty_like(emissions, dtype=torch.float64)
    scores[packing.forward] = emissions.double()
    pointers = torch.empty((n_tokens, n_tags), dtype=torch.int64, device=scores.device)
    final = torch.empty(
        (packing.sizes[0] if packing.sizes else 0, n_tags),
        dtype=torch.float64,
        device=scores.device,
    )
    offset, state = 0, None
    for size in packing.sizes:
        here = scores[offset : offset + size]
        if state is None:
            state = here + chain.start
        else:
            final[size : len(state)] = state[size:]
            best, pointer = _advance(state[:size], chain.transitions)
            pointers[offset : offset + size] = pointer
            state = best + here
        offset += size
    if state is not None:
        final[: len(state)] = state
    tags = _backtrack(final + chain.end, pointers, packing.sizes)
    return tags[packing.forward]


def _advance(state: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """The best score of what leads to each tag, and the tag before, (n, n_tags)."""
    return (state[:, :, None] + transitions).max(1)


def _backtrack(final: Tensor, pointers: Tensor, sizes: list[int]) -> Tensor:
    tags = torch.empty(len(pointers), dtype=torch.int64, device=pointers.device)
    best_last = final.argmax(-1)  # (batch_size,)
    offset, current = len(pointers), best_last[:0]
    for t in range(len(sizes) - 1, -1, -1):
        offset -= sizes[t]
        current = torch.cat([current, best_last[len(current) : sizes[t]]])
        tags[offset : offset + sizes[t]] = current
        if t:
            back = pointers[offset : offset + sizes[t]]
            current = back.gather(1, current[:, None]).squeeze(1)
    return tags


def _long_viterbi(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """The best path of sequences in blocks.

    On the way back, each block is passed twice: from all tags, which says from what tag
    of a block to what tag of the one before it the path goes, then from the right one.
    """

    def advance(state: Tensor) -> tuple[Tensor, Tensor]:
        best, pointer = _advance(state, chain.transitions)
        return best, pointer.to(pointers.dtype)

    blocks = cut_blocks(lengths)
    pointers = torch.empty(emissions.shape, dtype=torch.int16, device=emissions.device)
    final = scan_blocks(emissions, blocks, chain.start, advance, pointers)
    back = Blocks(
        blocks.first + blocks.lengths - 1, blocks.lengths, blocks.linked, step=-1
    )
    n_blocks, n_tags = final.shape
    every_tag = torch.arange(n_tags, device=final.device).expand(n_blocks, -1)
    linked = back.linked.nonzero().squeeze(1)
    into = _follow(pointers, back, linked, every_tag)  # (n_blocks, K)
    last = _last_tags((final + chain.end).argmax(-1), into, blocks.linked)
    tags = torch.empty(len(emissions), dtype=torch.int64, device=final.device)
    everything = torch.arange(n_blocks, device=final.device)
    _follow(pointers, back, everything, last[:, None], tags)
    return tags


def _follow(
    pointers: Tensor,
    back: Blocks,
    chosen: Tensor,
    last: Tensor,
    tags: Tensor | None = None,
) -> Tensor:
    """Follow pointers through some blocks, from the last tags of each, (n_blocks, n).

    tags: Filled with the tag of every token where n is 1.

    Returns the tags before each block, (n_blocks, n).
    """
    before = last.clone()
    for some, tokens, sizes in back.packed(chosen):
        current, offset = before[some], 0
        for size in sizes:
            here = tokens[offset : offset + size]
            if tags is not None:
                tags[here] = current[:size, 0]
            current[:size] = pointers[here].long().gather(1, current[:size])
            offset += size
        before[some] = current
    return before


def _last_tags(best: Tensor, into: Tensor, linked: Tensor) -> Tensor:
    """The last tag of each block.

    best: The best of it if nothing follows, shape (n_blocks,).
    into: The tag before a block for each of its last tags, shape (n_blocks, n_tags).
    """
    tags, steps, goes_on = best.tolist(), into.tolist(), linked.tolist()
    for i in range(len(tags) - 1, 0, -1):
        if goes_on[i]:
            tags[i - 1] = steps[i][tags[i]]
    return torch.tensor(tags, dtype=torch.int64, device=best.device)
