"""Growing the output of a trained model by new labels, and beginning it anew."""

from typing import Any

from thinc.api import Model

UNFITTED = {"temperature": 1.0, "log_odds_offset": 0.0}  # before a calibration
NEW_BIAS = -5.0  # a label starts out unlikely: old ones still win, and it can be learnt


def grown_layer(layer: Model, nO: int) -> Model:
    """The layer with every axis of its parameters that is as long as its nO grown.

    Old scores stay, new ones start at `NEW_BIAS`. `W`, whose second axis is the
    input's, grows along its first only. A trained layer is replaced by a larger one
    with an id of its own, because an optimizer remembers moments of the old shape.
    """
    old = layer.maybe_get_dim("nO")
    if old == nO or not any(layer.has_param(name) for name in layer.param_names):
        layer.set_dim("nO", nO, force=True)
        return layer
    larger = layer.copy()
    larger.ops = layer.ops
    for name in larger.param_names:
        larger.set_param(name, None)
    larger.set_dim("nO", nO, force=True)
    for name in layer.param_names:
        fill = NEW_BIAS if name == "b" else 0.0
        larger.set_param(name, _grow(layer, name, layer.get_param(name), nO, fill))
    for name in layer.grad_names:
        larger.set_grad(name, _grow(layer, name, layer.get_grad(name), nO, 0.0))
    return larger


def _grow(layer: Model, name: str, values: Any, nO: int, fill: float) -> Any:
    old = layer.get_dim("nO")
    shape = [nO if n == old else n for n in values.shape]
    if name == "W":
        shape[1] = values.shape[1]
    larger = layer.ops.xp.full(shape, fill, dtype=values.dtype)
    larger[tuple(slice(n) for n in values.shape)] = values
    return larger


def renew_output(model: Model) -> Model:
    """Forget a model's output layer, and its CRF if it has one, for other labels.

    Layers without weights take their place, with ids of their own, because an optimizer
    remembers moments of the old shape.
    """
    for ref in ("output_layer", "crf"):
        if model.has_ref(ref):
            layer = model.get_ref(ref)
            if any(layer.has_param(name) for name in layer.param_names):
                model.replace_node(layer, _without_weights(layer))
    if model.has_dim("nO"):
        # Thinc takes None, and says that it takes an int
        model.set_dim("nO", None, force=True)  # type: ignore[arg-type]
    return model


def _without_weights(layer: Model) -> Model:
    dims = {name: layer.maybe_get_dim(name) for name in layer.dim_names}
    return Model(
        layer.name,
        layer._func,
        init=layer.init,
        params=dict.fromkeys(layer.param_names),
        dims={**dims, "nO": None},
        attrs=dict(layer.attrs),
        ops=layer.ops,
    )


def grow_output(model: Model, nO: int) -> Model:
    """Grow a model's output layer, and its CRF if it has one, in place."""
    for ref in ("output_layer", "crf"):
        if model.has_ref(ref):
            layer = model.get_ref(ref)
            larger = grown_layer(layer, nO)
            if larger is not layer:
                model.replace_node(layer, larger)
    if model.has_dim("nO"):
        model.set_dim("nO", nO, force=True)
    return model
