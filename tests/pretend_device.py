"""A GPU for machines without one: it computes on the CPU and refuses to mix the two.

`pretend_cuda()` is PyTorch's half: tensors that say they are on "cuda:0", and that
raise where an operation takes them together with tensors of the CPU. `pretend_gpu()`
adds Thinc's half: arrays that refuse NumPy's as CuPy's do, and ops that make them.
`counted()` counts what a GPU would be asked for.

What it cannot show is what GPU kernels do: their precision, speed, order of summation,
cuDNN, autocast, and which of them do not exist.
"""

import operator
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy
import torch
from thinc.api import CupyOps, NumpyOps, Ops, get_current_ops, set_current_ops
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA = torch.device("cuda:0")
aten = torch.ops.aten
CROSSING = {aten._to_copy.default, aten.copy_.default}
INDEXING = {  # their second argument, the indices, may come from the CPU
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
}


WAITING = {  # whose result, or its shape, the host has to know
    aten._local_scalar_dense.default,
    aten.bincount.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten.repeat_interleave.Tensor,
    aten._unique2.default,
    aten.unique_consecutive.default,
    aten.unique_dim.default,
}


@dataclass
class Counts:
    """What a GPU was asked for.

    launches: Kernels. transfers: Copies between it and the host. waits: Times that the
    host needed a result, and nothing was queued any more.
    """

    launches: int = 0
    transfers: int = 0
    waits: int = 0


_counts = Counts()


@contextmanager
def counted() -> Iterator[Counts]:
    """Count what happens inside."""
    global _counts
    before, _counts = _counts, Counts()
    try:
        yield _counts
    finally:
        _counts = before


def _count(func: Any, args: tuple, kwargs: dict, here: bool, crossed: bool) -> None:
    """Count an operation of PyTorch. here: Its result is on the device."""
    if crossed:
        _counts.transfers += 1
        _counts.waits += not here
        return
    masks = func in INDEXING and any(
        x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]
    )
    sized = func is aten.repeat_interleave.Tensor and kwargs.get("output_size")
    if masks or (func in WAITING and not sized):
        _counts.waits += 1
    if not func.is_view and func is not aten._unsafe_view.default:
        _counts.launches += 1


class PretendTensor(torch.Tensor):
    """A tensor on the pretended device, with one of the CPU inside.

    To C++ it is a meta tensor, because autograd has no queue for a device that the
    build does not know; Python asks the properties below.
    """

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "PretendTensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="meta",
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _dispatch(func, args, kwargs or {})


def _dispatch(func: Any, args: tuple, kwargs: dict) -> Any:
    mixed = (args[0], args[2:], kwargs) if func in INDEXING else (args, kwargs)
    tensors = [x for x in tree_leaves(mixed) if isinstance(x, torch.Tensor)]
    pretended = [x for x in tensors if isinstance(x, PretendTensor)]
    strangers = [x for x in tensors if not isinstance(x, PretendTensor) and x.ndim]
    here = bool(pretended)
    if func in INDEXING and not here:  # indices of the GPU into a tensor of the CPU
        strangers = tensors
        pretended = [x for x in tree_leaves(args) if isinstance(x, PretendTensor)]
    if pretended and strangers and func not in CROSSING:
        raise RuntimeError(
            f"Expected all tensors to be on the same device: {func} takes some of "
            f"{CUDA} and of the CPU, of shapes {[tuple(x.shape) for x in tensors]}"
        )
    if func is aten.copy_.default:
        here = isinstance(args[0], PretendTensor)
    touched = here or bool(pretended)
    if kwargs.get("device") is not None:
        here = torch.device(kwargs["device"]).type != "cpu"
        kwargs = {**kwargs, "device": "cpu"}
    if touched or here:
        crossed = func in CROSSING and (bool(strangers) or here != bool(pretended))
        _count(func, args, kwargs, here, crossed)
    if here and func in INDEXING:  # indices that come from the CPU are copied, too
        _counts.transfers += sum(
            isinstance(x, torch.Tensor) and not isinstance(x, PretendTensor)
            for x in args[1]
        )
    outer = {id(x.inner): x for x in pretended}
    args, kwargs = tree_map_only(PretendTensor, lambda x: x.inner, (args, kwargs))
    result = func(*args, **kwargs)
    if not here:
        return result
    return tree_map_only(  # what changed in place stays itself
        torch.Tensor,
        lambda x: outer[id(x)] if id(x) in outer else PretendTensor(x),
        result,
    )


class _Factories(TorchDispatchMode):
    """Sees operations on tensors of the CPU too: moving them, making new ones."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _dispatch(func, args, kwargs or {})


class _Calls(TorchFunctionMode):
    """What C++ would do for a GPU before it dispatches."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.tensor and torch.device(kwargs.get("device", "cpu")) == CUDA:
            return func(*args, **{**kwargs, "device": "cpu"}).to(CUDA)
        if func is torch.Tensor.tolist:
            return func(args[0].cpu())
        if getattr(func, "__name__", "") == "lstm":
            return _lstm(func, *args)
        return func(*args, **kwargs)


def _lstm(func: Any, X: torch.Tensor, *others: Any) -> Any:
    """Through the CPU: for a GPU there is one kernel for all of it, cuDNN's.

    others: The sizes of a packed batch, or the state of one that is not packed; and the
        state, or the weights.
    """
    sizes = others[:1] if isinstance(others[0], torch.Tensor) else ()
    others = others[len(sizes) :]
    tensors = [x for x in tree_leaves((X, others)) if isinstance(x, torch.Tensor)]
    here = {isinstance(x, PretendTensor) for x in tensors}
    if here == {False}:
        return func(X, *sizes, *others)
    if len(here) > 1:
        raise RuntimeError("input, state and weights of an LSTM are on two devices")
    if any(isinstance(x, PretendTensor) or x.dtype != torch.int64 for x in sizes):
        raise RuntimeError("lengths of packed sequences must be int64 on the CPU")
    if torch.is_autocast_enabled("cuda"):
        raise RuntimeError("autocast runs cuDNN's LSTM in float16, also for bfloat16")
    _counts.launches += 1
    with counted():
        X, others = tree_map_only(torch.Tensor, lambda x: x.to("cpu"), (X, others))
        return tuple(x.to(CUDA) for x in func(X, *sizes, *others))


@contextmanager
def pretend_cuda() -> Iterator[None]:
    """Inside, device "cuda" works, for PyTorch."""
    with ExitStack() as stack:
        for target, name, value in (
            (torch.cuda, "_lazy_init", lambda: None),
            (torch.cuda, "current_device", lambda: 0),
            (torch.backends.cudnn, "is_acceptable", lambda tensor: False),
        ):
            stack.enter_context(patch.object(target, name, value))
        stack.enter_context(pretend_in_thread())
        yield


@contextmanager
def pretend_in_thread() -> Iterator[None]:
    """In another thread, while one pretends: PyTorch's modes are a thread's own."""
    with _Factories(), _Calls():
        yield


class PretendArray(numpy.lib.mixins.NDArrayOperatorsMixin):
    """An array of the pretended device, with one of NumPy inside."""

    device = SimpleNamespace(id=0)

    def __init__(self, inner: numpy.ndarray) -> None:
        self.inner = inner

    def get(self) -> numpy.ndarray:
        _counts.transfers += 1
        _counts.waits += 1
        return self.inner.copy()

    def toDlpack(self) -> "PretendArray":
        return self

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_function__(self, func, types, args, kwargs) -> Any:
        raise TypeError(f"numpy.{func.__name__} of an array of the GPU")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs) -> Any:
        return _call(getattr(ufunc, method), *inputs, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return _call(operator.getitem, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _call(operator.setitem, self, key, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # NumPy's own ways in
            raise AttributeError(name)
        value = getattr(self.inner, name)
        if isinstance(value, numpy.ndarray):  # T
            return PretendArray(value)
        if callable(value) and not isinstance(value, type):
            return partial(_call, value)
        return value

    def __len__(self) -> int:
        return len(self.inner)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __index__(self) -> int:
        return operator.index(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __deepcopy__(self, memo: dict) -> "PretendArray":
        return PretendArray(self.inner.copy())


def _call(func: Any, *args: Any, crosses: bool = False, **kwargs: Any) -> Any:
    outer = {}

    def unwrap(x: Any) -> Any:
        if isinstance(x, PretendArray):
            outer[id(x.inner)] = x
            return x.inner
        if isinstance(x, numpy.ndarray):
            if not crosses:
                raise TypeError(f"Unsupported type {type(x)}: {func} on the GPU")
            _counts.transfers += 1
            return x.copy()
        if isinstance(x, (list, tuple)):
            return (list if isinstance(x, list) else tuple)(map(unwrap, x))
        return x

    kwargs = {name: unwrap(x) for name, x in kwargs.items()}
    args = tuple(map(unwrap, args))
    indexes = func in (operator.getitem, operator.setitem)
    if indexes and str(getattr(args[1], "dtype", "")) == "bool":
        _counts.waits += 1
    result = func(*args, **kwargs)
    if not (crosses or _is_view(result, args)):
        _counts.launches += 1

    def wrap(x: Any) -> Any:
        if isinstance(x, (list, tuple)):
            return type(x)(map(wrap, x))
        if isinstance(x, numpy.generic):  # CuPy knows arrays only
            return PretendArray(numpy.asarray(x))
        if isinstance(x, numpy.ndarray):
            if id(x) in outer:  # changed in place
                return outer[id(x)]
            return PretendArray(x)
        return x

    return wrap(result)


def _make(func: Any, values: Any, *args: Any, **kwargs: Any) -> Any:
    """An array of values, of which lists are copied from the host, too."""
    if isinstance(values, (list, tuple)):
        values = numpy.asarray(values)
    return _call(func, values, *args, crosses=True, **kwargs)


def _is_view(result: Any, args: tuple) -> bool:
    arrays = [x for x in args if isinstance(x, numpy.ndarray)]
    return isinstance(result, numpy.ndarray) and any(
        numpy.may_share_memory(result, x) for x in arrays
    )


class PretendCupy(ModuleType):
    """NumPy's functions, for `PretendArray`."""

    ndarray = PretendArray

    def __init__(self, module: Any = numpy) -> None:
        super().__init__("pretend_cupy")
        self.module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.module, name)
        if isinstance(value, ModuleType):
            return PretendCupy(value)
        if isinstance(value, type) or not callable(value):
            return value
        if name in ("array", "asarray"):
            return partial(_make, value)
        return partial(_call, value, crosses=name == "split")


class PretendOps(CupyOps):
    """Thinc's own ops for CuPy, its CUDA kernels replaced."""

    xp = PretendCupy()
    gather_add = Ops.gather_add
    adam = Ops.adam
    clip_gradient = Ops.clip_gradient
    reduce_mean = Ops.reduce_mean

    def hash(self, ids: Any, seed: int) -> Any:
        _counts.launches += 1
        with counted():
            return self.asarray(NumpyOps().hash(ids.get(), seed))

    def scatter_add(self, table: Any, indices: Any, values: Any) -> None:
        _call(numpy.add.at, table, indices, values)


def _to_array(tensor: torch.Tensor) -> PretendArray:
    if not isinstance(tensor, PretendTensor):
        raise TypeError("CuPy takes no tensors of the CPU")
    return PretendArray(tensor.inner.numpy())


def _from_dlpack(array: Any) -> torch.Tensor:
    if isinstance(array, PretendArray):
        return PretendTensor(torch.from_numpy(array.inner))
    return torch.from_numpy(array)


@contextmanager
def pretend_gpu() -> Iterator[None]:
    """Inside, Thinc and spaCy believe in a GPU, as after `require_gpu()`."""
    before = get_current_ops()
    with ExitStack() as stack:
        stack.enter_context(pretend_cuda())
        for target, value in {
            "thinc.util.has_cupy": True,
            "thinc.util.cupy": PretendOps.xp,
            "thinc.util.cupy_from_dlpack": _to_array,
            "thinc.backends.CupyOps": PretendOps,
            "torch.utils.dlpack.to_dlpack": lambda tensor: tensor,
            "torch.utils.dlpack.from_dlpack": _from_dlpack,
        }.items():
            stack.enter_context(patch(target, value))
        set_current_ops(PretendOps())
        try:
            yield
        finally:
            set_current_ops(before)
