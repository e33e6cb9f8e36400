"""The best tag path of a CRF (Viterbi, 1967), batched."""

import torch
from torch import Tensor

from .crf import Chain
from .packing import pack


def viterbi(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """The best valid tag path of each sequence.

    emissions: Shape (n_tokens, n_tags), sequence after sequence.
    lengths: Shape (batch_size,).

    Returns the tag of every token, shape (n_tokens,), int64.
    """
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
            best, pointer = (state[:size, :, None] + chain.transitions).max(1)
            pointers[offset : offset + size] = pointer
            state = best + here
        offset += size
    if state is not None:
        final[: len(state)] = state
    tags = _backtrack(final + chain.end, pointers, packing.sizes)
    return tags[packing.forward]


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
