"""The recursions of `loop.c` on a GPU, through CuPy: a block for each sequence."""

import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ..native import VARIABLE, torch_chosen
from .chain import Chain

MOST_THREADS = 256  # of a block; a tag has one, or several tags share one


def is_usable() -> bool:
    """Whether the CRF of tensors on a GPU can be computed there."""
    return _find()[0] is not None


def kernel_state() -> str:
    """How the kernels are compiled, or why they are not."""
    return _find()[1]


@cache
def _find() -> tuple[Any, str]:
    if torch_chosen():
        return None, f"{VARIABLE}=1"
    try:
        cupy = import_module("cupy")
    except ImportError:
        return None, "CuPy is not installed"
    if not cupy.cuda.is_available():
        return None, "CuPy finds no GPU"
    source = Path(__file__).with_name("loop.c").read_text(encoding="utf-8")
    try:
        module = cupy.RawModule(code=source)
        module.get_function("crf_decode")  # compiles it
    except Exception as error:  # of the compiler, of the driver, of a missing library
        reason = f"CuPy {cupy.__version__} cannot compile loop.c ({error})"
        warnings.warn(f"{reason}: the CRF runs on the CPU", stacklevel=2)
        return None, reason
    return module, f"CuPy {cupy.__version__}"


def launch(name: str, n_blocks: int, n_threads: int, *args: Any) -> None:
    """Run a kernel on the device of its tensors, which are passed as addresses."""
    cupy = import_module("cupy")
    device = next(x.device for x in args if isinstance(x, Tensor))
    stream = torch.cuda.current_stream(device).cuda_stream
    with cupy.cuda.Device(device.index), cupy.cuda.ExternalStream(stream):
        function = _find()[0].get_function(name)
        function((n_blocks,), (n_threads,), tuple(map(_as_c, args)))


def _as_c(x: Tensor | float | int) -> numpy.generic:
    """A tensor's address, a double, or an int."""
    if isinstance(x, Tensor):
        return numpy.uint64(x.data_ptr())
    return numpy.float64(x) if isinstance(x, float) else numpy.int32(x)


class _Batch:
    """Room on the device for a batch, and the tables of a chain.

    params: Transitions, start and end.
    emissions: Shape (n_tokens, n_tags). All are float32 or float64.
    lengths: Shape (batch_size,), int64.
    """

    def __init__(
        self, params: Any, emissions: Tensor, lengths: Tensor, temperature: float
    ) -> None:
        self.n_tags = emissions.shape[1]
        self.n = self.n_tags // 4  # labels
        self.m = 2 * self.n + 1
        self.n_threads = min(MOST_THREADS, -(-self.n_tags // 32) * 32)
        self.emissions = emissions.contiguous()
        self.ends = lengths.cumsum(0)
        self.tables = self.room(3 * (self.m**2 + 4 * self.n + 3 * self.n_tags))
        chain = [each.contiguous() for each in params]
        wide = chain[0].dtype == torch.float64
        inputs = (*chain, wide, self.n, float(temperature))
        self.launch("crf_tables", 3, *inputs, self.tables)

    def room(self, *shape: int) -> Tensor:
        return self.emissions.new_empty(shape, dtype=torch.float64)

    def work(self, n_blocks: int) -> Tensor:
        return self.room(n_blocks, 3 * self.n_tags + self.m)

    def launch(self, name: str, n_blocks: int, *args: Any) -> None:
        if n_blocks:
            launch(name, n_blocks, self.n_threads, *args)


def forward_backward(
    emissions: Tensor, chain: Chain, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """alpha, gamma and log_z of float64 emissions, as a `Lattice` has them."""
    params = (chain.transitions, chain.start, chain.end)
    batch = _Batch(params, emissions, lengths, 1.0)
    found = batch.room(2, *emissions.shape)
    log_z = batch.room(len(lengths))
    inputs = (batch.tables, batch.n, batch.emissions, batch.ends)
    n_blocks = 2 * len(lengths)
    outputs = (found[0], found[1], log_z, batch.work(n_blocks))
    batch.launch("crf_lattice", n_blocks, *inputs, *outputs)
    return found[0], found[1], log_z


def decode(
    params: Any,
    emissions: Tensor,
    lengths: Tensor,
    temperature: float = 1.0,
    log_odds_offset: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The tag of every token and, at the last one of each entity, its probability.

    params: Transitions, start and end, all float32 or float64, as the emissions are.

    Returns two tensors of shape (n_tokens,).
    """
    batch = _Batch(params, emissions, lengths, temperature)
    n_tokens = len(emissions)
    tags = torch.empty(n_tokens, dtype=torch.int64, device=emissions.device)
    scores, states = batch.room(n_tokens), batch.room(*emissions.shape)
    wide = emissions.dtype == torch.float64
    inputs = (batch.tables, batch.n, batch.emissions, wide, batch.ends)
    inputs = (*inputs, float(temperature), float(log_odds_offset))
    outputs = (states, tags, scores, batch.work(len(lengths)))
    batch.launch("crf_decode", len(lengths), *inputs, *outputs)
    return tags, scores
