"""The best way from every BILUO tag to every other, without those that are forbidden.

After a closed tag, L, O or U, come O, B or U of any label: a table of (2 n_labels + 1)
squared steps. After an open one, B or I, come only I and L of its own label: four steps
a label. In the order L … U … O B … I … each of these groups is one slice.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .lattice import Chain

CELLS = 2**17  # steps compared at once: they should stay in the cache
# What a tag numbered lower is preferred by, as a whole. What differs by less is a tie:
# the order in which scores are summed up must not decide it.
PREFERENCE = 1e-8  # nats


@dataclass(frozen=True)
class Steps:
    """Scores of a CRF over BILUO tags, for tags in another order: their places.

    order: The tag at each place, shape (n_tags,).
    start, end: Of a first and of a last tag, shape (n_tags,).
    closed: Score of O, B or U (rows) after L, O or U, shape (2 n_labels + 1,) * 2.
    inside: Of L and I (first axis) after B and I (second), shape (2, 2, n_labels).
    back: Every step, and a little more for a lower tag before, so that there are no
        ties, (n_tags after, n_tags before).
    """

    order: Tensor
    start: Tensor
    end: Tensor
    closed: Tensor
    inside: Tensor
    back: Tensor

    def advance(self, state: Tensor) -> Tensor:
        """The best score of what leads to each place, (n, n_tags), without its own."""
        n = self.inside.shape[-1]  # labels
        n_states, closed = state.shape[0], state[:, : 2 * n + 1]
        size = max(1, CELLS // (2 * n + 1) ** 2)
        if n_states <= size:
            free = (closed[:, None] + self.closed).amax(-1)  # (n, 2 n_labels + 1)
        else:
            parts = closed.split(size)
            free = torch.cat([(p[:, None] + self.closed).amax(-1) for p in parts])
        opened = state[:, 2 * n + 1 :].view(n_states, 1, 2, n)
        inside = (opened + self.inside).amax(2)  # (n, 2, n_labels)
        return torch.cat([inside[:, 0], free, inside[:, 1]], 1)

    def before(self, state: Tensor, place: Tensor) -> Tensor:
        """The best place before given ones, (n,), by the state there, (n, n_tags)."""
        return (state + self.back[place]).argmax(-1)

    def last(self, state: Tensor) -> Tensor:
        """The best last place of a sequence, shape (n,)."""
        return (state + self.end).argmax(-1)


def biluo_steps(chain: Chain) -> Steps:
    """The steps that a chain over BILUO tags allows."""
    n_tags = len(chain.start)
    n = n_tags // 4  # labels
    tags = torch.arange(n_tags, device=chain.start.device)
    begin, inner, last, unit = tags[1:].view(-1, 4).unbind(1)
    order = torch.cat([last, unit, tags[:1], begin, inner])
    step = chain.transitions[order][:, order].T  # (after, before)
    prefer = PREFERENCE * (1.0 - order / n_tags)  # (n_tags,)
    rows = torch.cat([step[:n], step[3 * n + 1 :]])[:, 2 * n + 1 :]  # (2n, 2n)
    own = rows.view(2, n, 2, n).diagonal(dim1=1, dim2=3)  # (2, 2, n)
    return Steps(
        order=order,
        start=chain.start[order],
        end=chain.end[order] + prefer,
        closed=step[n : 3 * n + 1, : 2 * n + 1].contiguous(),
        inside=own.contiguous(),
        back=step + prefer,
    )
