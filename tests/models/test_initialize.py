"""`Model.initialize` draws every weight of every architecture again."""

import numpy
import pytest
import torch
from spacy import registry
from thinc.api import fix_random_seed

PREFIX = "spacy-attnner."
NAMES = sorted(
    name.removeprefix(PREFIX).rsplit(".", 1)[0]
    for name in registry.architectures.get_all()
    if name.startswith(PREFIX) and "Transformer" not in name  # which is loaded
)


def spoil(model):
    for node in model.walk():
        for key in node.param_names:
            node.set_param(key, numpy.full_like(node.get_param(key), 7.0))
        for shim in node.shims:
            for parameter in shim._model.parameters():
                parameter.data.fill_(7.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_is_drawn_again(name, build, configs, inputs_of):
    model = build(configs[name])
    states = []
    for _ in range(2):
        fix_random_seed(4)
        model.initialize(X=inputs_of(name))
        states.append(model.to_bytes())
        spoil(model)
        assert model.to_bytes() != states[0]
    torch.manual_seed(9)  # one generator, NumPy's, gives all weights
    numpy.random.seed(4)
    other = build(configs[name])
    other.initialize(X=inputs_of(name))
    assert states[0] == states[1] == other.to_bytes()
