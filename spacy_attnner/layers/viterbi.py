"""The best tag path of a CRF (Viterbi, 1967), batched."""

import torch
from torch import Tensor

from .blocks import ROUNDS, Blocks, cut_blocks, scan_blocks
from .lattice import LARGEST_GAP, Chain
from .steps import Steps, biluo_steps


def viterbi(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """The best valid tag path of each sequence; of equal ones, that of lower tags.

    The way there keeps the best scores alone. Which tag they came from is found on the
    way back, for the tags of the path.

    emissions: Shape (n_tokens, n_tags), sequence after sequence.
    lengths: Shape (batch_size,).

    Returns the tag of every token, shape (n_tokens,), int64.
    """
    steps = biluo_steps(chain)
    scores = emissions[:, steps.order].double()
    scores -= scores.amax(-1, keepdim=True)  # sums stay small, and so their rounding
    scores.clamp_min_(-LARGEST_GAP)
    blocks = cut_blocks(lengths, best=True)
    states = torch.empty_like(scores)
    final = scan_blocks(scores, blocks, steps.start, steps.advance, states)
    return steps.order[_trace(states, blocks, steps, steps.last(final))]


def _trace(states: Tensor, blocks: Blocks, steps: Steps, last: Tensor) -> Tensor:
    """The places of the best paths, shape (n_tokens,), all blocks at once.

    In which place a block ends that another one goes on from is guessed: where the way
    back from a few tokens further on leads to. Where that was wrong it runs again.

    states: Of the way there, shape (n_tokens, n_tags).
    last: The best last place of each block, if nothing went on, shape (n_blocks,).
    """
    places = torch.empty(len(states), dtype=torch.int64, device=states.device)
    linked = blocks.linked.nonzero().squeeze(1)
    sequence = (~blocks.linked).cumsum(0)  # (n_blocks,)
    if len(linked):
        heads = blocks.heads()
        before = states[heads.first].argmax(-1)
        _follow(states, heads, linked, before, steps, places)
        last[linked - 1] = before[linked]
    back = blocks.back()
    before = last.clone()
    todo = torch.arange(len(last), device=last.device)
    n_rounds = 0
    while len(todo):
        before[todo] = last[todo]
        _follow(states, back, todo, before, steps, places)
        wrong = linked[before[linked] != last[linked - 1]]
        n_rounds += 1
        if n_rounds >= ROUNDS:  # the last of a sequence alone is right then
            own = sequence[wrong]
            wrong = wrong[own.diff(append=own[-1:] + 1) != 0]
        todo = wrong - 1
        last[todo] = before[wrong]
    return places


def _follow(
    states: Tensor,
    back: Blocks,
    chosen: Tensor,
    current: Tensor,
    steps: Steps,
    places: Tensor,
) -> None:
    """Follow the best path back through some blocks; fills `places`, (n_tokens,).

    current: The place to begin with in each block, which becomes that before the block,
        shape (n_blocks,).
    """
    for some, tokens, sizes in back.packed(chosen, states.shape[1]):
        before = states[(tokens - 1).clamp_min(0)]  # (n, K), packed
        place, offset, alive = current[some], 0, len(some)
        ended, path = torch.empty_like(place), []
        for size in sizes:
            if size < alive:
                ended[size:alive] = place[size:]
                place, alive = place[:size], size
            path.append(place)
            place = steps.before(before[offset : offset + size], place)
            offset += size
        ended[:alive] = place
        current[some] = ended
        places[tokens] = torch.cat(path)
