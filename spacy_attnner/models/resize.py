"""Growing the output of a trained model by new labels."""

from typing import Any

from thinc.api import Model


def grow_params(layer: Model, nO: int) -> None:
    """Grow every axis of a layer's parameters that is as long as its nO.

    Old scores stay, new ones start at zero. `W`, whose second axis is the input's,
    grows along its first only.
    """
    old = layer.maybe_get_dim("nO")
    layer.set_dim("nO", nO, force=True)
    if old is None or old == nO:
        return
    for name in layer.param_names:
        if not layer.has_param(name):
            continue
        param: Any = layer.get_param(name)
        shape = [nO if n == old else n for n in param.shape]
        if name == "W":
            shape[1] = param.shape[1]
        larger = layer.ops.xp.zeros(shape, dtype=param.dtype)
        larger[tuple(slice(n) for n in param.shape)] = param
        layer.set_param(name, larger)


def grow_output(model: Model, nO: int) -> Model:
    """Grow a model's output layer, and its CRF if it has one, in place."""
    grow_params(model.get_ref("output_layer"), nO)
    if model.has_ref("crf"):
        grow_params(model.get_ref("crf"), nO)
    if model.has_dim("nO"):
        model.set_dim("nO", nO, force=True)
    return model
