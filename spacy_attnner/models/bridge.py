"""The one bridge between Thinc and PyTorch: a wrapper whose weights Thinc can train.

It adds to Thinc's own wrapper what a spaCy user expects of a layer: `[training]
dropout` reaches the module, averaged weights reach it too, and weights are stored with
safetensors, so nothing is unpickled.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

import numpy
import srsly
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from thinc.api import ArgsKwargs, Model, PyTorchShim, torch2xp, xp2torch
from thinc.layers.pytorchwrapper import forward as forward_pytorch
from thinc.shims.pytorch_grad_scaler import PyTorchGradScaler
from thinc.shims.shim import Shim
from thinc.util import convert_recursive, is_cupy_array

from ..layers.dropout import set_dropout
from ..layers.layout import upload
from .fine_tuning import FineTuning, ModuleOptimizer, check_leader, is_adam, is_large
from .workers import one_thread_in_workers, trim_heap

TRIM_EVERY = 20  # updates
SEEDS = 2**31
_whole: ContextVar[bool] = ContextVar("whole", default=False)


@contextlib.contextmanager
def whole_state() -> Iterator[None]:
    """Within this, shims store and load all that a training needs to go on.

    That is exact weights, and the moments of a module's own optimizer.
    """
    token = _whole.set(True)
    try:
        yield
    finally:
        _whole.reset(token)


class AttnShim(PyTorchShim):
    """A PyTorch shim with fresh and averaged weights, and without stored pickles.

    Its `notes` are what layers remember of the weights; whenever these may be others,
    there are new, empty ones.

    make_module: Makes the module, all sizes known; a function that can be pickled.
    load_module: Makes the one that a training begins with, where that is another: an
        encoder that somebody pretrained, of which only its folder is known before.
    tuning: How the module learns; it has PyTorch's optimizer then, as large ones have.
    settings: Of Thinc's shim.
    """

    _updates = 0

    def __init__(
        self,
        make_module: Callable[[], torch.nn.Module],
        load_module: Callable[[], torch.nn.Module] | None = None,
        tuning: FineTuning | None = None,
        **settings: Any,
    ) -> None:
        self._make_module = make_module
        self._load_module = load_module
        self._tuning = tuning
        with torch.random.fork_rng(devices=[]):  # `draw` gives the weights
            super().__init__(make_module(), **settings)
        self.notes: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Where the module's parameters are, which every prediction asks."""
        parameter = _first_parameter(self._model)
        return super().device if parameter is None else parameter.device

    def draw(self) -> None:
        """Give the module fresh weights, by a seed from NumPy's generator.

        So all weights, Thinc's and PyTorch's, come from one generator, and PyTorch's
        own stays as it is. Raises ValueError where the tuning does not fit the module.
        """
        seed = int(numpy.random.randint(SEEDS))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # not the GPU's
            module = (self._load_module or self._make_module)()
        self._model = module.to(self.device)
        self._updates = 0
        self._optimizer = None if self._tuning is None else self._make_optimizer()
        self.notes = {}

    def copy(self) -> "AttnShim":
        """A copy with an id of its own, by which an optimizer tells the two apart.

        As of Thinc's models, deep copies and unpickled ones keep the id: an optimizer
        that is copied beside them knows them by it.
        """
        copied = copy.deepcopy(self)
        copied._optimizer = None
        with Shim.global_id_lock:
            Shim.global_id += 1
            copied.id = Shim.global_id
        return copied

    def __getstate__(self) -> dict[str, Any]:
        """What pickles and deep copies hold: weights as plain bytes.

        PyTorch's tensors reach a spawned worker through shared memory, of which a
        container has little, and a training would change the worker's weights.
        """
        state = {**self.__dict__, "_device": str(self.device)}
        state["_model"] = cast(Any, self._serialize_model)(self._model, exact=True)
        state["_optimizer"] = self._optimizer and self._optimizer.to_bytes()
        del state["_grad_scaler"]
        del state["notes"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights, device = state.pop("_model"), torch.device(state.pop("_device"))
        self.__dict__.update(state)
        self.notes = {}
        self._grad_scaler = PyTorchGradScaler(self._mixed_precision)
        with torch.random.fork_rng(devices=[]):
            module = self._make_module()
        self._model = self._deserialize_model(module, weights, device)
        if self._optimizer is not None:
            self._optimizer = self._make_optimizer(self._optimizer)
        with Shim.global_id_lock:  # shims made later get other ids
            Shim.global_id = max(Shim.global_id, self.id)

    def to_bytes(self) -> bytes:
        """The weights, and the optimizer's moments where the tuning keeps them."""
        whole = _whole.get()
        weights = cast(Any, self._serialize_model)(self._model, exact=whole)
        message = {"config": self.cfg, "state": weights}
        own = self._optimizer
        if own is not None and (whole or own.tuning.keep_optimizer):
            message["optimizer"] = own.to_bytes()
        return srsly.msgpack_dumps(message)

    def from_bytes(self, bytes_data: bytes) -> "AttnShim":
        """Load weights; raises ValueError as `from_safetensors` does."""
        if self._optimizer is not None:
            self._optimizer.release()
            self._optimizer = None
        super().from_bytes(bytes_data)
        self._updates = 0
        keeps = self._tuning is not None and self._tuning.keep_optimizer
        if keeps or _whole.get():
            message = cast(dict, srsly.msgpack_loads(bytes_data))
            if "optimizer" in message:
                self._optimizer = self._make_optimizer(message["optimizer"])
                self._updates = self._optimizer.clock
        self.notes = {}
        return self

    def _make_optimizer(self, stored: bytes = b"") -> ModuleOptimizer:
        return ModuleOptimizer(self._model, self._tuning or FineTuning(), stored)

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Run the module in evaluation mode, without gradients."""
        return self.predict_with(lambda module: module(*inputs.args, **inputs.kwargs))

    def to_device(self, device_type: str, device_id: int) -> None:
        """Move the module to the CPU or to a GPU."""
        moved = self._optimizer
        stored = b"" if moved is None else moved.to_bytes()
        super().to_device(device_type, device_id)
        if moved is not None:
            moved.release()
            self._optimizer = self._make_optimizer(stored)
        self.notes = {}

    def predict_with(self, ask: Callable[[Any], torch.Tensor]) -> torch.Tensor:
        """What a function finds out of the module, as a prediction."""
        if self._model.training:
            # the module that is asked about comes last: once it says that nothing
            # learns, another thread's prediction finds no part that still drops out
            for module in reversed(list(self._model.modules())):
                module.training = False
        with torch.no_grad():
            return self._run(ask)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        """Run the module in training mode; returns its output and a backprop."""
        self._prepare_update()
        output = self._run(lambda module: module(*inputs.args, **inputs.kwargs))

        def backprop(grads: ArgsKwargs) -> Any:
            if output.requires_grad:
                torch.autograd.backward(*grads.args, **grads.kwargs)
            return convert_recursive(
                lambda x: hasattr(x, "grad"), lambda x: x.grad, inputs
            )

        return output, backprop

    def _prepare_update(self) -> None:
        if self._optimizer is None and self._tuning is not None:
            self._optimizer = self._make_optimizer()
        if self._optimizer is None:
            self._model.train()
        else:
            self._optimizer.prepare(self._updates)
        self._forget()

    def _forget(self) -> None:
        # what is frozen is the same after an update
        if self._optimizer is None or not self._optimizer.frozen:
            self.notes = {}

    def _run(self, ask: Callable[[Any], torch.Tensor]) -> torch.Tensor:
        # bfloat16 has the range of float32, so unlike Thinc's float16 it needs no
        # scaled gradients; NumPy does not know it, so what leaves is float32
        if not self._mixed_precision:
            return ask(self._model)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return ask(self._model).float()

    def _key(self, name: str) -> tuple[int, str]:
        # Thinc keys its own parameters (model id, name); shims count their ids apart,
        # so the prefix keeps the two kinds from meeting in one optimizer.
        return (self.id, f"torch.{name}")

    def finish_update(self, optimizer: Any) -> None:
        """Apply and clear the gradients of all parameters.

        Raises ValueError for an optimizer that the module's tuning cannot follow.
        """
        if self._tuning is not None:
            check_leader(optimizer)
        if self._tuning is not None or (is_adam(optimizer) and is_large(self._model)):
            own = self._optimizer = self._optimizer or self._make_optimizer()
            own.step(optimizer, self._key)
        else:
            self._step_with_thinc(optimizer)
        self._forget()
        self._updates += 1
        if self._updates % TRIM_EVERY == 0 and self.device.type == "cpu":
            trim_heap()

    def _step_with_thinc(self, optimizer: Any) -> None:
        for name, parameter in self._model.named_parameters():
            if parameter.grad is None:
                continue
            weights, _ = optimizer(
                self._key(name), torch2xp(parameter.data), torch2xp(parameter.grad)
            )
            # in place: cuDNN wants an LSTM's weights in one piece of memory, and copies
            # them together at every call where one of them has moved
            parameter.data.copy_(xp2torch(weights, device=parameter.device))
            parameter.grad = None

    @contextlib.contextmanager
    def use_params(self, params: dict) -> Any:
        """Run with other values of the parameters, an optimizer's averages say."""
        backup = {}
        for name, parameter in self._model.named_parameters():
            value = params.get(self._key(name))
            if value is not None:
                backup[name] = parameter.data.clone()
                parameter.data.copy_(xp2torch(value, device=parameter.device))
        if backup:
            self.notes = {}
        try:
            yield
        finally:
            for name, parameter in self._model.named_parameters():
                if name in backup:
                    parameter.data.copy_(backup[name])
            if backup:
                self.notes = {}


def _first_parameter(module: torch.nn.Module) -> torch.nn.Parameter | None:
    """As the first of `parameters()`, which sets out to list them all."""
    for parameter in module._parameters.values():
        if parameter is not None:
            return parameter
    for child in module._modules.values():
        parameter = None if child is None else _first_parameter(child)
        if parameter is not None:
            return parameter
    return None


def to_safetensors(module: torch.nn.Module, *, exact: bool = True) -> bytes:
    """The module's state as a safetensors file, which is exact in any case."""
    return save_safetensors(
        {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in module.state_dict().items()
        }
    )


def from_safetensors(
    module: torch.nn.Module, data: bytes, device: torch.device
) -> torch.nn.Module:
    """Load a module's state; raises ValueError for other shapes and for NaN."""
    state = load_safetensors(data)
    own = module.state_dict()
    for name in sorted(set(own) | set(state)):
        expected = tuple(own[name].shape) if name in own else None
        found = tuple(state[name].shape) if name in state else None
        if expected != found:
            raise ValueError(
                f"stored weights do not fit {type(module).__name__}: parameter "
                f"{name!r} has shape {found}, the config asks for {expected}; load the "
                "model with the config it was trained with"
            )
        if not bool(state[name].isfinite().all()):
            raise ValueError(
                f"stored weights of {type(module).__name__} are not finite: parameter "
                f"{name!r}; restore the model from a copy, or train it again"
            )
    module.load_state_dict(state)
    return module.to(device)


def torch_layer(
    name: str,
    make_module: Callable[..., torch.nn.Module],
    *,
    convert_inputs: Callable,
    convert_outputs: Callable,
    dims: dict[str, int | None] | None = None,
    mixed_precision: bool = False,
    predict: Callable[[Model, Any], Any] | None = None,
    load_module: Callable[[], torch.nn.Module] | None = None,
    stored: tuple[Callable, Callable] | None = None,
    tuning: FineTuning | None = None,
) -> Model:
    """Wrap a PyTorch module as a Thinc layer, which draws its weights in `initialize`.

    name: Name of the layer in Thinc's tree.
    make_module: Makes the module, all sizes known: a class, or a `partial` of one.
    convert_inputs: (model, X, is_train) -> (ArgsKwargs, callback for the gradient).
    convert_outputs: (model, (X, Y), is_train) -> (output, callback for the gradient).
    dims: Sizes to tell Thinc.
    mixed_precision: Compute in bfloat16 where PyTorch's autocast allows.
    predict: Makes predictions of (model, X) in another way, with `predict_with`.
    load_module: Makes the module in `initialize`, where `make_module` makes another.
    stored: From a module to bytes, `exact` for a copy of it, and from (module, bytes,
        device) to a module; `to_safetensors` and `from_safetensors` if None.
    tuning: How the module learns, for one that was trained before.
    """
    to_bytes, from_bytes = stored or (to_safetensors, from_safetensors)
    shim = AttnShim(
        make_module,
        load_module,
        tuning,
        mixed_precision=mixed_precision,
        serialize_model=to_bytes,
        deserialize_model=from_bytes,
    )
    return Model(
        name,
        partial(_forward, predict=predict),
        init=_init,
        attrs={
            "convert_inputs": convert_inputs,
            "convert_outputs": convert_outputs,
            "dropout_rate": 0.0,
        },
        shims=[shim],
        dims=dims or {},
    )


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    cast(AttnShim, model.shims[0]).draw()
    model.attrs["dropout_rate"] = 0.0


def _forward(
    model: Model, X: Any, is_train: bool, *, predict: Callable | None
) -> tuple[Any, Callable]:
    one_thread_in_workers()  # before the inputs become tensors
    if is_train:
        set_dropout(model.shims[0]._model, model.attrs["dropout_rate"] or 0.0)
    elif predict is not None:
        return predict(model, X), no_backprop
    return forward_pytorch(model, X, is_train)


def no_backprop(dY: Any) -> Any:
    """What a prediction returns for backprop, so that it holds on to no array."""
    raise RuntimeError("a prediction has no gradient: call the layer with is_train")


def predict_with(model: Model, ask: Callable[[Any], torch.Tensor]) -> torch.Tensor:
    """What a function finds out of the module of a layer made by `torch_layer`."""
    return cast(AttnShim, model.shims[0]).predict_with(ask)


def set_mixed_precision(model: Model, mixed: bool) -> None:
    """Let all modules of a model compute in bfloat16 where autocast allows, or none."""
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, AttnShim):
                shim._mixed_precision = mixed


def device_of(model: Model) -> torch.device:
    """Where the weights of a layer made by `torch_layer` are."""
    return cast(AttnShim, model.shims[0]).device


def device_of_array(array: Any) -> torch.device:
    """Where an array is, so that what is computed of it comes back as the same kind.

    Thinc's default, its current device, is another one in a new thread; and on Apple's
    GPUs it has no float64, while the arrays are NumPy's.
    """
    if is_cupy_array(array):
        return torch.device("cuda", array.device.id)
    return torch.device("cpu")


def array_output(model: Model, X_Y: Any, is_train: bool) -> tuple[Any, Callable]:
    """`convert_outputs` of a module that returns one tensor."""
    _, Y = X_Y
    device = device_of(model)

    def backprop(dY: Any) -> ArgsKwargs:
        gradient = xp2torch(dY, device=device)
        return ArgsKwargs(args=((Y,),), kwargs={"grad_tensors": (gradient,)})

    return from_torch(model, Y), backprop


def from_torch(model: Model, X: torch.Tensor) -> Any:
    """A tensor as an array for the layers around the module.

    Weights are loaded to Thinc's current device, which need not be the layers' own.
    """
    if X.device.type == "cpu" and model.ops.xp is numpy:
        return X.detach().numpy()
    return torch2xp(X.detach(), ops=model.ops)


def floats_to_torch(model: Model, X: Any, is_train: bool) -> torch.Tensor:
    """An array of the layer below as a tensor that collects a gradient."""
    one_thread_in_workers()
    device = device_of(model)
    if isinstance(X, numpy.ndarray) and device.type == "cpu" and not is_train:
        return torch.from_numpy(X)
    return xp2torch(cast(Any, X), requires_grad=is_train, device=device)


def ints_to_torch(model: Model, *arrays: Any) -> list[torch.Tensor]:
    """Integers of the host as int64 on the module's device, in one transfer."""
    one_thread_in_workers()
    return upload(device_of(model), *arrays)


def apply_function(
    model: Model,
    function: Callable[[torch.Tensor], torch.Tensor],
    X: Any,
    is_train: bool,
) -> tuple[Any, Callable]:
    """Apply a differentiable PyTorch function to an array, where the array is.

    Returns an array, and the function's backprop.
    """
    device = device_of_array(X)
    inputs = xp2torch(X, requires_grad=is_train, device=device)
    outputs = function(inputs)
    Y = torch2xp(outputs.detach(), ops=model.ops)
    if not is_train:
        return Y, no_backprop

    def backprop(dY: Any) -> Any:
        gradient = xp2torch(dY, device=device)
        (d_inputs,) = torch.autograd.grad(outputs, inputs, gradient)
        return torch2xp(d_inputs, ops=model.ops)

    return Y, backprop
