"""`spacy-attnner.FineTuning.v1`: how a large PyTorch module learns, and its optimizer.

spaCy's optimizer leads: every update reads the learning rate of its schedule, its
betas, weight decay and clipping. PyTorch's fused AdamW makes the step.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from spacy.util import registry
from thinc.api import Optimizer, torch2xp, xp2torch
from thinc.util import is_cupy_array
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

# Parameters from which on a module has PyTorch's optimizer: for so many it takes a
# third of the time of Thinc's, for fewer the difference is a few milliseconds a step.
LARGE = 5_000_000
MAX_DECAY = 0.9999  # of averages, as Thinc's

Frozen = int | Literal["embeddings", "all"]
KeyOf = Callable[[str], tuple[int, str]]


@dataclass(frozen=True)
class FineTuning:
    """How a module that was trained before learns on.

    Its parts have depths: 0 the embeddings, 1 to n_layers the layers, n_layers + 1 what
    is above them.

    learn_rate_scale: Its learning rate, as a multiple of the optimizer's.
    layer_decay: The learning rate of a depth, as a multiple of that of the depth above.
    frozen: What does not learn: nothing (0), "embeddings", those and the lowest k
        layers (k), "all".
    unfreeze_every: Learn from the top, one more depth every so many updates; all at
        once if 0.
    gradient_checkpointing: Compute layers a second time instead of keeping what they
        computed for the gradient.
    keep_optimizer: Store the optimizer's moments with the weights, so that a resumed
        training goes on as if it had not stopped; but where spaCy averages weights, it
        stores, and goes on from, the averages.
    """

    learn_rate_scale: float = 1.0
    layer_decay: float = 1.0
    frozen: Frozen = 0
    unfreeze_every: int = 0
    gradient_checkpointing: bool = False
    keep_optimizer: bool = False

    def __post_init__(self) -> None:
        if self.learn_rate_scale <= 0.0:
            raise ValueError(f"learn_rate_scale {self.learn_rate_scale} is not above 0")
        if not 0.0 < self.layer_decay <= 1.0:
            raise ValueError(f"layer_decay {self.layer_decay} is not in (0, 1]")
        if self.unfreeze_every < 0:
            raise ValueError(f"unfreeze_every {self.unfreeze_every} is negative")
        if isinstance(self.frozen, int) and self.frozen < 0:
            raise ValueError(f"frozen {self.frozen} is a negative number of layers")

    def scale(self, depth: int, n_layers: int) -> float:
        """The learning rate of a depth, as a multiple of the optimizer's."""
        return self.learn_rate_scale * self.layer_decay ** (n_layers + 1 - depth)

    def lowest(self, updates: int, n_layers: int) -> int:
        """The lowest depth that learns after so many updates."""
        if self.frozen == "all":
            return n_layers + 2
        lowest = {0: 0, "embeddings": 1}.get(self.frozen)
        if lowest is None:
            lowest = int(self.frozen) + 1
        if self.unfreeze_every:
            lowest = max(lowest, n_layers + 1 - updates // self.unfreeze_every)
        return lowest

    @property
    def by_layers(self) -> bool:
        """Whether depths make a difference."""
        part = self.frozen not in (0, "all")
        return part or self.layer_decay != 1.0 or self.unfreeze_every > 0


@registry.misc("spacy-attnner.FineTuning.v1")
def make_fine_tuning(
    learn_rate_scale: float = 1.0,
    layer_decay: float = 1.0,
    frozen: Frozen = 0,
    unfreeze_every: int = 0,
    gradient_checkpointing: bool = False,
    keep_optimizer: bool = False,
) -> FineTuning:
    """How a pretrained encoder learns; see `FineTuning`.

    Raises ValueError for numbers out of range.
    """
    return FineTuning(
        learn_rate_scale=learn_rate_scale,
        layer_decay=layer_decay,
        frozen=frozen,
        unfreeze_every=unfreeze_every,
        gradient_checkpointing=gradient_checkpointing,
        keep_optimizer=keep_optimizer,
    )


# depths


def n_layers_of(module: nn.Module, tuning: FineTuning) -> int:
    """Layers of a module, 0 if it does not say.

    Raises ValueError where the tuning is by layers, and the module has none or fewer.
    """
    n_layers = getattr(module, "n_layers", None)
    if n_layers is None and tuning.by_layers:
        raise ValueError(
            f"{type(module).__name__} has no layers to tell apart: set layer_decay to "
            '1.0, unfreeze_every to 0, and frozen to 0 or "all"'
        )
    if isinstance(tuning.frozen, int) and tuning.frozen > (n_layers or 0):
        raise ValueError(
            f"frozen {tuning.frozen} is more than the {n_layers} layers of the "
            'encoder: set a smaller number, or "all"'
        )
    return n_layers or 0


def depth_in_encoder(name: str, n_layers: int) -> int:
    """The depth of a parameter of an encoder of Hugging Face's transformers.

    The first number in a name is that of a layer: `encoder.layer.3.output.dense.bias`.
    What layers share, such as embeddings of relative positions, counts as embeddings.

    name: Within the encoder.
    n_layers: Its layers, of `count_layers`.
    """
    layer = _layer_in(name)
    if layer is not None:
        return layer + 1
    above = re.search(r"(^|\.)(pooler|final_\w+|ln|ln_f)\.", name)
    return n_layers + 1 if above else 0


def count_layers(names: Iterable[str]) -> int:
    """Layers of an encoder by the names of its parameters; layers that share their
    parameters, as ALBERT's, are one."""
    layers = (_layer_in(name) for name in names)
    return 1 + max((layer for layer in layers if layer is not None), default=-1)


def _layer_in(name: str) -> int | None:
    found = re.search(r"\.(\d+)\.", name)
    return int(found[1]) if found else None


# the optimizer


class ModuleOptimizer:
    """PyTorch's AdamW for one module, led by spaCy's optimizer.

    Biases and norms, which have one dimension, have no weight decay. Gradients are
    clipped by their norm over the whole module (Thinc clips each array by itself).
    Averages are as Thinc's, but begin at the first weights, not at zero.

    module: Its `n_layers` and `depth_of(name)`, if it has them, tell the depths of its
        parameters. Where nothing of it learns, its `frozen` is set.
    tuning: Of the module.
    stored: What `to_bytes` gave, or nothing.

    Raises ValueError where the tuning does not fit the module.
    """

    def __init__(
        self, module: nn.Module, tuning: FineTuning, stored: bytes = b""
    ) -> None:
        self.tuning = tuning
        self.frozen = False  # whether nothing learns at present
        self._module = module
        self._n_layers = n_layers_of(module, tuning)
        if tuning.gradient_checkpointing:
            _checkpoint(module)
        own = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self._parameters = own
        top = self._n_layers + 1
        depth_of: Any = getattr(module, "depth_of", lambda name: top)
        self._depths = {name: depth_of(name) for name in own}
        self._lowest: int | None = None
        self._adamw = _adamw(self._groups())
        self.clock = 0  # updates by the leading optimizer
        if stored:
            self._restore(load_safetensors(stored))

    def _groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, parameter in self._parameters.items():
            key = (self._depths[name], parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
        return [
            {
                "params": parameters,
                "scale": self.tuning.scale(depth, self._n_layers),
                "decays": decays,
            }
            for (depth, decays), parameters in groups.items()
        ]

    def prepare(self, updates: int) -> None:
        """Make the module ready for an update; what does not learn keeps no graph.

        updates: Made so far.
        """
        lowest = self.tuning.lowest(updates, self._n_layers)
        if lowest != self._lowest:
            for name, parameter in self._parameters.items():
                parameter.requires_grad_(self._depths[name] >= lowest)
            self._lowest = lowest
        self.frozen = lowest > max(self._depths.values(), default=-1)
        self._tell_frozen()
        self._module.train(not self.frozen)

    def release(self) -> None:
        """Leave the module as it was found."""
        for parameter in self._parameters.values():
            parameter.requires_grad_(True)
        self.frozen = False
        self._tell_frozen()

    def _tell_frozen(self) -> None:
        setattr(self._module, "frozen", self.frozen)  # noqa: B010, no type of PyTorch's

    def step(self, optimizer: Optimizer, key_of: KeyOf) -> None:
        """Apply and clear the gradients.

        optimizer: Leads, and takes the averages.
        key_of: Gives the optimizer's key of a parameter's name.
        """
        self._follow(optimizer, key_of(""))
        learning = {
            name: parameter
            for name, parameter in self._parameters.items()
            if parameter.grad is not None
        }
        if not learning:
            return
        self._lead(optimizer)
        if optimizer.grad_clip:
            nn.utils.clip_grad_norm_(learning.values(), optimizer.grad_clip)
        self._adamw.step()
        for parameter in learning.values():
            parameter.grad = None
        if optimizer.averages is not None:
            decay = min((1.0 + self.clock) / (10.0 + self.clock), MAX_DECAY)
            named = {key_of(name): tensor for name, tensor in learning.items()}
            average(optimizer.averages, named, decay)

    def _follow(self, optimizer: Optimizer, key: tuple[int, str]) -> None:
        """Count an update; moments of another optimizer's are dropped, unless kept."""
        if optimizer.nr_update[key] != self.clock:
            if self.tuning.keep_optimizer:
                optimizer.nr_update[key] = self.clock
            else:
                self._adamw.state.clear()
                self.clock = optimizer.nr_update[key]
        optimizer.nr_update[key] += 1
        self.clock += 1

    def _lead(self, optimizer: Optimizer) -> None:
        decay = optimizer.L2 if optimizer.L2_is_weight_decay else 0.0
        for group in self._adamw.param_groups:
            group["lr"] = float(optimizer.learn_rate) * group["scale"]
            group["betas"] = (float(optimizer.b1), float(optimizer.b2))
            group["eps"] = float(optimizer.eps)
            group["weight_decay"] = float(decay) if group["decays"] else 0.0
            if group["decays"] and optimizer.L2 and not optimizer.L2_is_weight_decay:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad.add_(parameter.detach(), alpha=optimizer.L2)

    def to_bytes(self) -> bytes:
        """Moments and counts, as a safetensors file."""
        tensors = {"clock": torch.tensor(self.clock)}
        for name, parameter in self._parameters.items():
            for moment, value in self._adamw.state.get(parameter, {}).items():
                tensors[f"{moment}.{name}"] = value.detach().cpu().contiguous()
        return save_safetensors(tensors)

    def _restore(self, stored: dict[str, Tensor]) -> None:
        self.clock = int(stored["clock"])
        fused = self._adamw.defaults["fused"]
        for name, parameter in self._parameters.items():
            if f"step.{name}" in stored:
                step = stored[f"step.{name}"]
                self._adamw.state[parameter] = {
                    "step": step.to(parameter.device) if fused else step,
                    **{
                        # in the order of the weights in memory
                        moment: torch.empty_like(parameter.detach()).copy_(
                            stored[f"{moment}.{name}"]
                        )
                        for moment in ("exp_avg", "exp_avg_sq")
                    },
                }


def is_adam(optimizer: Any) -> bool:
    """Whether an optimizer is Thinc's Adam, which AdamW can follow."""
    return (
        isinstance(optimizer, Optimizer)
        and not optimizer.use_radam
        and optimizer.b1 > 0.0
        and optimizer.b2 > 0.0
    )


def check_leader(optimizer: Any) -> None:
    """Raise ValueError for an optimizer that a tuned module cannot follow."""
    if not is_adam(optimizer):
        raise ValueError(
            "a module with a tuning learns by Adam, but the training's optimizer is "
            'another: set @optimizers = "Adam.v1" in [training.optimizer], or tuning '
            "to null"
        )


def is_large(module: nn.Module) -> bool:
    """Whether a module has so many parameters that PyTorch's optimizer pays."""
    return sum(parameter.numel() for parameter in module.parameters()) >= LARGE


def _adamw(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    try:
        return torch.optim.AdamW(groups, fused=True)
    except RuntimeError:  # no such kernel for the device in an older PyTorch
        return torch.optim.AdamW(groups, fused=False)


def _checkpoint(module: nn.Module) -> None:
    for child in module.modules():
        if getattr(child, "supports_gradient_checkpointing", False):  # transformers
            # the other way has no gradient where no input has one, as word pieces
            settings = {"use_reentrant": False}
            enable: Any = child.gradient_checkpointing_enable
            enable(gradient_checkpointing_kwargs=settings)
            return
    raise ValueError(
        f"{type(module).__name__} cannot compute layers a second time: set "
        "gradient_checkpointing to false"
    )


def average(
    averages: dict[tuple[int, str], Any],
    weights: dict[tuple[int, str], nn.Parameter],
    decay: float,
) -> None:
    """Move averages, arrays, towards the weights; those without one begin at them.

    Arrays share the memory of tensors where there are arrays for the weights' device.
    """
    tensors = {}
    for key, weight in weights.items():
        array = averages.get(key)
        own = weight.detach()
        known = array is not None
        tensors[key] = xp2torch(array, device=own.device) if known else own.clone()
    get_ema_multi_avg_fn(decay)(
        list(tensors.values()), [weight.detach() for weight in weights.values()], None
    )
    for key, tensor in tensors.items():
        array = averages.get(key)
        kind = "cuda" if is_cupy_array(array) else "cpu"
        if array is None or tensor.device.type != kind:
            averages[key] = torch2xp(tensor)
