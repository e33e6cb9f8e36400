"""Forward, backward and best-path recursions: compiled where they can be, or here.

Here they run in PyTorch over sequences packed time-major, and states are kept by places
as in `loop.c`: closing…, U…, O, opening…, inner…. After a closed place come U, O or an
opening one of any label, after an open one those of its own label; each is a slice.

Sources: Rabiner (1989); Viterbi (1967).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..native import extension
from . import kernel
from .chain import FORBIDDEN, LARGEST_GAP, Chain
from .packing import pack

LOOP = "crf._loop"  # made of `binding.c`
CELLS = 2**17  # steps compared at once: they should stay in the cache
# What a tag numbered lower is preferred by, as a whole. What differs by less is a tie:
# the order in which scores are summed up must not decide it.
PREFERENCE = 1e-8  # nats


@dataclass(frozen=True)
class Lattice:
    """Forward and backward scores of a batch, in flat token order.

    alpha: Log-score of all prefixes ending in a tag (own emission included).
    gamma: Log-score of all suffixes starting in a tag (own emission included).
    log_z: Log-partition of each sequence, shape (batch_size,).
    """

    alpha: Tensor
    gamma: Tensor
    log_z: Tensor


def lattice_of(emissions: Tensor, chain: Chain, lengths: Tensor) -> Lattice:
    """Forward and backward scores.

    emissions: Shape (n_tokens, n_tags), float64, sequence after sequence.
    lengths: Shape (batch_size,), int64, on the same device.
    """
    if emissions.is_cuda and kernel.is_usable():
        return Lattice(*kernel.forward_backward(emissions, chain, lengths))
    loop = None if emissions.device.type != "cpu" else extension(LOOP)
    if loop is None:
        return _torch_lattice(emissions, chain, lengths)
    emissions = emissions.contiguous()
    alpha, gamma = torch.empty_like(emissions), torch.empty_like(emissions)
    log_z = emissions.new_empty(len(lengths))
    inputs = (*_arrays(chain), emissions.numpy(), lengths.numpy())
    loop.forward_backward(*inputs, alpha.numpy(), gamma.numpy(), log_z.numpy())
    return Lattice(alpha, gamma, log_z)


def viterbi(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """The best valid tag path of each sequence; of equal ones, that of lower tags.

    The way there keeps the best scores alone. Which tag they came from is found on the
    way back, for the tags of the path.

    emissions: Shape (n_tokens, n_tags), sequence after sequence.
    lengths: Shape (batch_size,), int64, on the same device.

    Returns the tag of every token, shape (n_tokens,), int64.
    """
    if emissions.is_cuda and kernel.is_usable():
        params = (chain.transitions, chain.start, chain.end)
        return kernel.decode(params, emissions, lengths)[0]
    loop = None if emissions.device.type != "cpu" else extension(LOOP)
    if loop is None:
        return _torch_viterbi(emissions, chain, lengths)
    tags = lengths.new_empty(len(emissions))
    emissions = emissions.double().contiguous()
    inputs = (*_arrays(chain), emissions.numpy(), lengths.numpy())
    loop.viterbi(*inputs, tags.numpy())
    return tags


def _arrays(chain: Chain) -> list:
    scores = (chain.transitions, chain.start, chain.end)
    return [each.double().contiguous().numpy() for each in scores]


def order_of(n_tags: int, device: torch.device, *, backward: bool = False) -> Tensor:
    """The tag at each place, shape (n_tags,)."""
    tags = torch.arange(n_tags, device=device)
    begin, inner, last, unit = tags[1:].view(-1, 4).unbind(1)
    opening, closing = (last, begin) if backward else (begin, last)
    return torch.cat([closing, unit, tags[:1], opening, inner])


@dataclass(frozen=True)
class Table:
    """What a recursion in one direction knows of a chain, by places.

    order: The tag at each place, shape (n_tags,).
    first, last: Scores of the first token that it meets and of the last, (n_tags,).
    step: Of U, O, opening (columns) after closed ones, shape (2 n_labels + 1,) * 2.
    inside: Of closing and inner (first axis) after opening and inner (second), shape
        (2, 2, n_labels).
    """

    order: Tensor
    first: Tensor
    last: Tensor
    step: Tensor
    inside: Tensor

    def sums(self, state: Tensor, potentials: Tensor) -> Tensor:
        """Log-sum of what leads to each place, without its own, (n, n_tags).

        potentials: The exp of `step`.
        """
        closed, opened = self._split(state)
        inside = torch.logaddexp(*(opened + self.inside).unbind(2))  # (n, 2, n_labels)
        return torch.cat([inside[:, 0], log_sums(closed, potentials), inside[:, 1]], 1)

    def bests(self, state: Tensor) -> Tensor:
        """The best of what leads to each place, without its own, (n, n_tags)."""
        closed, opened = self._split(state)
        parts = closed.split(max(1, CELLS // self.step.numel()))
        free = torch.cat([(p[:, :, None] + self.step).amax(1) for p in parts])
        inside = (opened + self.inside).amax(2)
        return torch.cat([inside[:, 0], free, inside[:, 1]], 1)

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor]:
        n = self.inside.shape[-1]
        return state[:, : 2 * n + 1], state[:, 2 * n + 1 :].unflatten(1, (1, 2, n))


def table_of(chain: Chain, *, backward: bool = False) -> Table:
    """The steps that a chain over BILUO tags allows, in one direction."""
    n = len(chain.start) // 4  # labels
    m = 2 * n + 1
    order = order_of(len(chain.start), chain.start.device, backward=backward)
    ends = (chain.end, chain.start) if backward else (chain.start, chain.end)
    matrix = chain.transitions.T if backward else chain.transitions
    step = matrix[order][:, order]  # (before, after)
    to_closing, to_inner = step[m:, :n], step[m:, 3 * n + 1 :]  # (2n, n) each
    own = torch.stack([to_closing, to_inner]).view(2, 2, n, n).diagonal(dim1=2, dim2=3)
    return Table(order, ends[0][order], ends[1][order], step[:m, n : 3 * n + 1], own)


def log_sums(state: Tensor, potentials: Tensor) -> Tensor:
    """Log-sum-exp over the tag before, (…, K); potentials: the exp of transitions."""
    top = state.amax(-1, keepdim=True)
    mass = torch.matmul((state - top).exp_(), potentials)
    return mass.log_().clamp_min_(FORBIDDEN) + top


def _scan(
    scores: Tensor,
    first: Tensor,
    advance: Callable[[Tensor], Tensor],
    sizes: list[int],
) -> Tensor:
    """States of a recursion over packed scores, (n_tokens, n_tags), which they replace.

    sizes: How many sequences are alive at each step.
    """
    offset, state = 0, None
    for size in sizes:
        message = first if state is None else advance(state[:size])
        state = scores[offset : offset + size].add_(message)
        offset += size
    return scores


def _torch_lattice(emissions: Tensor, chain: Chain, lengths: Tensor) -> Lattice:
    packing = pack(lengths)
    results = []
    for backward in (False, True):
        table = table_of(chain, backward=backward)
        potentials = table.step.exp()
        rows = packing.reverse if backward else packing.forward
        scores = torch.empty_like(emissions)
        scores[rows] = emissions[:, table.order]

        def advance(state: Tensor, table=table, potentials=potentials) -> Tensor:
            return table.sums(state, potentials)

        _scan(scores, table.first, advance, packing.sizes)
        result = torch.empty_like(emissions)
        result[:, table.order] = scores[rows]
        results.append(result)
    alpha, gamma = results
    has_tokens = lengths > 0
    first_token = (lengths.cumsum(0) - lengths)[has_tokens]
    log_z = gamma.new_zeros(len(lengths))
    log_z[has_tokens] = (gamma[first_token] + chain.start).logsumexp(-1)
    return Lattice(alpha, gamma, log_z)


def _torch_viterbi(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    packing, table = pack(lengths), table_of(chain)
    ordered = emissions[:, table.order].double()
    ordered -= ordered.amax(-1, keepdim=True)  # sums stay small, and so their rounding
    scores = torch.empty_like(ordered)
    scores[packing.forward] = ordered.clamp_min_(-LARGEST_GAP)

    def advance(state: Tensor) -> Tensor:
        return table.bests(state) - state.amax(-1, keepdim=True)

    states = _scan(scores, table.first, advance, packing.sizes)
    places = _trace(states, chain, table, packing.sizes)
    return table.order[places][packing.forward]


def _trace(states: Tensor, chain: Chain, table: Table, sizes: list[int]) -> Tensor:
    """The places of the best paths, packed, shape (n_tokens,)."""
    prefer = PREFERENCE * (1.0 - table.order / len(table.order))  # (n_tags,)
    back = chain.transitions[table.order][:, table.order].T + prefer  # (after, before)
    places = torch.empty(len(states), dtype=torch.int64, device=states.device)
    end, place = len(states), places[:0]
    for size in reversed(sizes):
        rows = slice(end - size, end)
        steps = (table.last + prefer).expand(size, -1).clone()
        steps[: len(place)] = back[place]
        place = (states[rows] + steps).argmax(-1)
        places[rows] = place
        end -= size
    return places
