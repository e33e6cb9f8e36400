"""Texts that are the same, and texts that are nearly so, in near-linear time.

Two texts are the same if their words are, whatever their case and the whitespace
between them. They are nearly the same if of the pairs of neighbouring words that either
has, at least `SIMILAR` are in both (Jaccard similarity). Candidates come from MinHash
(Broder 1997) in bands of `ROWS` values: texts that agree in all values of one band are
compared. At the threshold 99.9 % of such pairs are found, of more similar ones all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
from numpy.typing import NDArray

SIMILAR = 0.7
BANDS, ROWS = 25, 4
CHUNK = 2**21  # words that are hashed at a time
MOST_COMPARED = 50  # texts of a band that each other one is compared with
_ODD = numpy.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Texts:
    """Documents, or sentences, as words, with the split that each is in.

    words: Of all of them, numbers that leave case out, (n_words,).
    starts, ends: The words of each, (n,). splits: (n,).
    """

    words: NDArray
    starts: NDArray
    ends: NDArray
    splits: NDArray

    @cached_property
    def same(self) -> NDArray:
        """A number for each text, the same for the same texts, (n,)."""
        keys = numpy.concatenate(list(self._in_chunks(_sequence_keys)) or [_none()])
        return numpy.unique(keys, return_inverse=True)[1]

    @cached_property
    def firsts(self) -> NDArray:
        """The first of the texts that are the same, by their number."""
        return numpy.unique(self.same, return_index=True)[1]

    def near(self, i: int, j: int) -> bool:
        """Whether two texts are nearly the same."""
        a, b = self._pairs(i), self._pairs(j)
        if min(len(a), len(b)) < SIMILAR * max(len(a), len(b)):
            return False
        common = len(numpy.intersect1d(a, b, assume_unique=True))
        return common >= SIMILAR * (len(a) + len(b) - common)

    def _pairs(self, i: int) -> NDArray:
        words = self.words[self.starts[i] : self.ends[i]]
        return numpy.unique(_pair_keys(words))

    def near_pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of texts that are nearly the same and not the same, first ones first.

        Of texts that are the same the first stands for all; texts of one word have no
        pairs.
        """
        firsts = numpy.sort(self.firsts)
        units = firsts[(self.ends - self.starts)[firsts] > 1]
        seen: set[tuple[int, int]] = set()
        for band in range(BANDS):
            for run in self._alike(units, band):
                for n, j in enumerate(run):
                    for i in run[: min(n, MOST_COMPARED)]:
                        if (i, j) not in seen:
                            seen.add((i, j))
                            if self.near(i, j):
                                yield i, j

    def _alike(self, units: NDArray, band: int) -> Iterator[list[int]]:
        """Texts, two or more, that agree in all values of a band."""
        if len(units) < 2:
            return
        part = Texts(
            self.words, self.starts[units], self.ends[units], self.splits[units]
        )
        first = band * ROWS + 1
        seeds = _mixed(numpy.arange(first, first + ROWS, dtype="uint64"))
        keys = numpy.concatenate(list(part._in_chunks(_minima_keys, seeds)))
        order = numpy.argsort(keys, kind="stable")
        cuts = numpy.flatnonzero(numpy.diff(keys[order])) + 1
        bounds = numpy.concatenate([[0], cuts, [len(order)]])
        for k in numpy.flatnonzero(numpy.diff(bounds) > 1).tolist():
            yield sorted(units[order[bounds[k] : bounds[k + 1]]].tolist())

    def _in_chunks(self, of: Callable[..., NDArray], *args: Any) -> Iterator[NDArray]:
        """`of(words, starts, ends)` of some texts at a time."""
        first, n = 0, len(self.starts)
        while first < n:
            most = self.starts[first] + CHUNK
            last = max(first + 1, int(numpy.searchsorted(self.ends, most, "right")))
            base = self.starts[first]
            words = self.words[base : self.ends[last - 1]]
            bounds = self.starts[first:last] - base, self.ends[first:last] - base
            yield of(words, *bounds, *args)
            first = last


def _none() -> NDArray:
    return numpy.zeros(0, dtype="uint64")


def _mixed(keys: NDArray) -> NDArray:
    """SplitMix64's finalizer (Steele et al. 2014)."""
    keys = (keys ^ (keys >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> numpy.uint64(31))


def _pair_keys(words: NDArray) -> NDArray:
    """A key for each word and the next, (n_words - 1,)."""
    keys = _mixed(words.astype("uint64") + numpy.uint64(1))
    return _mixed(keys[:-1] * _ODD + keys[1:])


def sequence_keys(words: NDArray, length: int) -> NDArray:
    """A key for each run of words of a length, (n_words - length + 1,)."""
    keys = _mixed(words.astype("uint64") + numpy.uint64(1))
    n = len(keys) - length + 1
    found = numpy.zeros(max(n, 0), dtype="uint64")
    for i in range(length if n > 0 else 0):
        found = _mixed(found * _ODD + keys[i : n + i])
    return found


def _sequence_keys(words: NDArray, starts: NDArray, ends: NDArray) -> NDArray:
    """A key of all words of each text: a sum of powers, which depends on the order."""
    lengths = ends - starts
    most = int(lengths.max(initial=0))
    powers = numpy.cumprod(numpy.full(most + 1, _ODD, dtype="uint64"))
    owner = numpy.searchsorted(ends, numpy.arange(len(words)), side="right")
    places = (numpy.arange(len(words)) - starts[owner]).clip(0)  # 0 between texts
    terms = _mixed(words.astype("uint64") + numpy.uint64(1)) * powers[places]
    sums = numpy.concatenate([numpy.zeros(1, dtype="uint64"), numpy.cumsum(terms)])
    return _mixed(sums[ends] - sums[starts] + lengths.astype("uint64"))


def _minima_keys(
    words: NDArray, starts: NDArray, ends: NDArray, seeds: NDArray
) -> NDArray:
    """A key of the least hashes of each text's pairs; texts have two words or more."""
    pairs = _pair_keys(words)
    bounds = numpy.stack([starts, ends - 1], axis=1).ravel()
    found = numpy.zeros(len(starts), dtype="uint64")
    for seed in seeds:
        # the last end may be that of the array, which reduceat does not take
        hashed = numpy.append(_mixed(pairs ^ seed), numpy.uint64(0))
        found = _mixed(found * _ODD + numpy.minimum.reduceat(hashed, bounds)[::2])
    return found
