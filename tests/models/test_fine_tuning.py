"""Large and tuned modules have PyTorch's optimizer, led by spaCy's."""

import copy
import pickle

import numpy
import pytest
import spacy
import torch
from spacy.training import Example
from spacy.training.loop import train_while_improving
from spacy.util import registry
from thinc.api import SGD, Adam, ArgsKwargs, RAdam, set_dropout_rate
from torch import nn

from spacy_attnner.models import fine_tuning
from spacy_attnner.models.bridge import (
    array_output,
    floats_to_torch,
    ints_to_torch,
    torch_layer,
)
from spacy_attnner.models.fine_tuning import (
    FineTuning,
    count_layers,
    depth_in_encoder,
    make_fine_tuning,
)
from spacy_attnner.models.rows import Parts, flatten

ROWS, WIDTH, N_LAYERS = 50, 6, 3
TOP = N_LAYERS + 1
IDS = numpy.arange(40) % 23  # of 50: the others have a gradient of zero


class Encoder(nn.Module):
    """Embeddings (depth 0), three layers, and a projection above them (depth 4)."""

    n_layers = N_LAYERS

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(ROWS, WIDTH)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.Tanh())
            for _ in range(N_LAYERS)
        )
        self.dropout = nn.Dropout(0.0)
        self.top = nn.Linear(WIDTH, WIDTH)
        self.fixed = nn.Parameter(torch.ones(WIDTH), requires_grad=False)

    def depth_of(self, name: str) -> int:
        if name.startswith("layers"):
            return int(name.split(".")[1]) + 1
        return TOP if name.startswith("top") else 0

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        X = self.embeddings(ids) * self.fixed
        for layer in self.layers:
            X = self.dropout(layer(X))
        return self.top(X)


def ids_input(model, X, is_train):
    (ids,) = ints_to_torch(model, X)
    return ArgsKwargs(args=(ids,), kwargs={}), lambda grads: []


def encoder(tuning=None, make=Encoder, convert_inputs=ids_input, **settings):
    """A layer that is initialized; no dropout unless it is set."""
    model = torch_layer(
        "encoder",
        make,
        convert_inputs=convert_inputs,
        convert_outputs=array_output,
        tuning=tuning,
        **settings,
    )
    model.initialize()
    return model


def shim_of(model):
    return model.shims[0]


def module_of(model):
    return shim_of(model)._model


def weights_of(model):
    return {n: p.detach().clone() for n, p in module_of(model).named_parameters()}


def accumulate(model, ids=IDS):
    """Forward and backward of a loss of half the sum of squares."""
    Y, backprop = model.begin_update(ids)
    backprop(Y)


def update(model, optimizer, ids=IDS):
    accumulate(model, ids)
    model.finish_update(optimizer)
    optimizer.step_schedules()


def plain_step(module, optimizer, clip=0.0):
    (module(torch.as_tensor(IDS)).square().sum() / 2).backward()
    if clip:
        nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()


def assert_equal(weights, others):
    assert weights.keys() == others.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, others[name]), name


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def plain_groups(module):
    """Weights with decay, and biases and norms without."""
    learning = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in learning if p.ndim == 1], "weight_decay": 0.0},
    ]


RATES = [0.01, 0.02, 0.015, 0.01, 0.005]


def test_every_step_is_that_of_a_plain_loop():
    model = encoder(FineTuning())
    plain = copy.deepcopy(module_of(model))
    optimizer = Adam(iter(RATES), L2=0.1, beta1=0.8, beta2=0.9, eps=1e-6, grad_clip=2.0)
    theirs = torch.optim.AdamW(
        plain_groups(plain), betas=(0.8, 0.9), eps=1e-6, fused=True
    )
    for rate in RATES:
        for group in theirs.param_groups:
            group["lr"] = rate
        plain_step(plain, theirs, clip=2.0)
        update(model, optimizer)
        assert_equal(weights_of(model), dict(plain.named_parameters()))


def test_without_a_clip_and_with_an_l2_penalty():
    model = encoder(FineTuning())
    plain = copy.deepcopy(module_of(model))
    optimizer = Adam(0.01, L2=0.1, L2_is_weight_decay=False, grad_clip=0.0)
    theirs = torch.optim.Adam(plain_groups(plain), lr=0.01, fused=True)
    for _ in range(4):
        plain_step(plain, theirs)
        update(model, optimizer)
    for name, weight in plain.named_parameters():
        torch.testing.assert_close(weights_of(model)[name], weight)


def test_the_schedule_of_every_setting_leads():
    """Not the learning rate alone: a decay that sets in makes unused rows smaller."""
    model = encoder(FineTuning())
    optimizer = Adam(0.01, L2=iter([0.0, 0.0, 0.5]), use_averages=False)
    norms = []
    for _ in range(3):
        norms.append(weights_of(model)["embeddings.weight"][30:].norm())
        update(model, optimizer)
    norms.append(weights_of(model)["embeddings.weight"][30:].norm())
    assert norms[0] == norms[1] == norms[2]
    assert norms[3] / norms[2] == pytest.approx(1.0 - 0.01 * 0.5)


def test_biases_and_norms_do_not_decay():
    model = encoder(FineTuning())
    before = weights_of(model)
    accumulate(model)
    for parameter in module_of(model).parameters():
        if parameter.grad is not None:
            parameter.grad.zero_()
    model.finish_update(Adam(0.1, L2=0.5))
    for name, weight in weights_of(model).items():
        share = 0.95 if weight.ndim > 1 else 1.0
        torch.testing.assert_close(weight, before[name] * share)


def test_layers_have_rates_of_their_own():
    """The first step of Adam is the learning rate, whatever the gradient is."""
    model = encoder(FineTuning(learn_rate_scale=0.5, layer_decay=0.8))
    before = weights_of(model)
    update(model, Adam(0.01, eps=1e-20))
    for name, weight in weights_of(model).items():
        step = (weight - before[name]).abs().max().item()
        depth = module_of(model).depth_of(name)
        expected = 0.0 if name == "fixed" else 0.005 * 0.8 ** (TOP - depth)
        assert step == pytest.approx(expected, rel=0.01), name


@pytest.mark.parametrize(
    ("frozen", "lowest"), [(0, 0), ("embeddings", 1), (1, 2), (2, 3), (3, 4)]
)
def test_what_is_frozen_stays_to_the_bit(frozen, lowest):
    model = encoder(FineTuning(frozen=frozen))
    before, optimizer = weights_of(model), Adam(0.01, L2=0.1)
    for _ in range(5):
        update(model, optimizer)
    depth_of = module_of(model).depth_of
    learns = {name for name in before if depth_of(name) >= lowest} - {"fixed"}
    assert changed(before, weights_of(model)) == learns
    assert len(optimizer.averages) == len(learns)
    assert not module_of(model).frozen


def test_what_is_frozen_keeps_no_graph():
    model = encoder(FineTuning(frozen=2))
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
    ):
        model.begin_update(IDS)
        few = len(saved)
        saved.clear()
        encoder(FineTuning()).begin_update(IDS)
    assert 0 < few < len(saved) / 2


def test_all_frozen_is_a_prediction():
    model = encoder(FineTuning(frozen="all"))
    set_dropout_rate(model, 0.5)
    before, optimizer = weights_of(model), Adam(0.01, L2=0.1)
    shim_of(model).notes["vectors"] = "kept"
    for _ in range(2):
        Y, backprop = model.begin_update(IDS)
        assert numpy.array_equal(Y, model.predict(IDS))
        backprop(Y)
        model.finish_update(optimizer)
    assert module_of(model).frozen
    assert shim_of(model).notes == {"vectors": "kept"}
    assert_equal(weights_of(model), before)
    assert not optimizer.averages
    with model.use_params({}):
        assert shim_of(model).notes


def test_a_frozen_module_hands_gradients_on():
    def floats_input(model, X, is_train):
        inputs = floats_to_torch(model, X, is_train)
        return ArgsKwargs((inputs,), {}), lambda grads: grads.args[0].numpy()

    model = encoder(
        FineTuning(frozen="all"),
        make=lambda: nn.Linear(3, 5),
        convert_inputs=floats_input,
    )
    Y, backprop = model.begin_update(numpy.ones((2, 3), dtype="float32"))
    weight = module_of(model).weight.detach().numpy()
    numpy.testing.assert_allclose(backprop(Y), Y @ weight, rtol=1e-5)


def test_gradual_unfreezing():
    model = encoder(FineTuning(unfreeze_every=2, frozen="embeddings"))
    optimizer, depths = Adam(0.01), []
    for _ in range(9):
        before = weights_of(model)
        update(model, optimizer)
        names = changed(before, weights_of(model))
        depths.append(min(module_of(model).depth_of(name) for name in names))
    assert depths == [4, 4, 3, 3, 2, 2, 1, 1, 1]


def test_unfreezing_goes_on_in_a_copy_and_begins_anew_with_new_weights():
    model = encoder(FineTuning(unfreeze_every=2))
    optimizer = Adam(0.01)
    for _ in range(4):
        update(model, optimizer)
    copied = model.copy()
    for each, lowest in ((copied, 2), (model.from_bytes(model.to_bytes()), 4)):
        before = weights_of(each)
        update(each, Adam(0.01))
        names = changed(before, weights_of(each))
        assert min(module_of(each).depth_of(name) for name in names) == lowest


def test_averages_are_those_of_a_reference():
    model = encoder(FineTuning())
    optimizer = Adam(0.05)
    arrays, reference = {}, {}
    for t in range(1, 6):
        update(model, optimizer)
        decay = min((1 + t) / (10 + t), 0.9999)
        for name, weight in weights_of(model).items():
            average = reference.get(name, weight)
            reference[name] = average * decay + weight * (1 - decay)
        if t == 1:
            arrays.update(optimizer.averages)
    del reference["fixed"]
    assert len(arrays) == len(optimizer.averages) == len(reference)
    for key, average in optimizer.averages.items():
        assert average is arrays[key]  # changed where it lies
    before = weights_of(model)
    with model.use_params(optimizer.averages):
        for name, weight in weights_of(model).items():
            expected = reference.get(name, before[name])
            torch.testing.assert_close(weight, expected)
    assert_equal(weights_of(model), before)


def test_averages_are_those_of_thinc_but_for_the_beginning(monkeypatch):
    """Thinc's begin at zero, which is forgotten after some updates."""
    ours, theirs = encoder(FineTuning()), encoder()
    theirs.from_bytes(ours.to_bytes())
    optimizers = [Adam(0.001, grad_clip=0.0) for _ in range(2)]
    for _ in range(40):
        update(ours, optimizers[0])
        update(theirs, optimizers[1])
    with (
        ours.use_params(optimizers[0].averages),
        theirs.use_params(optimizers[1].averages),
    ):
        others = weights_of(theirs)
        for name, weight in weights_of(ours).items():
            torch.testing.assert_close(weight, others[name], atol=1e-3, rtol=1e-3)


def test_no_averages():
    model, optimizer = encoder(FineTuning()), Adam(0.01, use_averages=False)
    update(model, optimizer)
    assert optimizer.averages is None


def test_gradients_of_sub_batches_add_up():
    parts, whole = encoder(FineTuning()), encoder(FineTuning())
    whole.from_bytes(parts.to_bytes())
    optimizers = Adam(0.01), Adam(0.01)
    for _ in range(3):
        accumulate(parts, IDS[:17])
        accumulate(parts, IDS[17:])
        parts.finish_update(optimizers[0])
        update(whole, optimizers[1])
    for name, weight in weights_of(whole).items():
        torch.testing.assert_close(weights_of(parts)[name], weight)


# what becomes of the moments


def trained(tuning=None, steps=3, **settings):
    model = encoder(tuning or FineTuning())
    optimizer = Adam(0.01, **settings)
    for _ in range(steps):
        update(model, optimizer)
    return model, optimizer


def test_a_kept_optimizer_goes_on_to_the_bit():
    tuning = FineTuning(keep_optimizer=True, unfreeze_every=2)
    model, optimizer = trained(tuning, use_averages=False)
    loaded = encoder(tuning).from_bytes(model.to_bytes())
    again = encoder(tuning).from_bytes(loaded.to_bytes())  # not trained in between
    fresh = Adam(0.01, use_averages=False)  # as of `nlp.resume_training`
    for _ in range(3):
        update(model, optimizer)
        update(again, fresh)
        assert_equal(weights_of(model), weights_of(again))


def test_moments_are_stored_only_where_they_are_asked_for():
    sizes = [
        len(trained(FineTuning(keep_optimizer=keep))[0].to_bytes())
        for keep in (False, True)
    ]
    assert sizes[1] > 2 * sizes[0]
    assert sizes[0] == len(encoder(FineTuning()).to_bytes())
    model, _ = trained(FineTuning(keep_optimizer=True))
    other = encoder(FineTuning()).from_bytes(model.to_bytes())
    assert_equal(weights_of(other), weights_of(model))


@pytest.mark.parametrize(
    "clone",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
    ids=["deepcopy", "pickle"],
)
def test_a_clone_and_the_clone_of_its_optimizer_go_on_as_they_would(clone):
    model, optimizer = trained(FineTuning(frozen=1))
    cloned, cloned_optimizer = clone((model, optimizer))
    for each, sgd in ((model, optimizer), (cloned, cloned_optimizer)):
        update(each, sgd)
    assert_equal(weights_of(model), weights_of(cloned))
    for key, average in optimizer.averages.items():
        assert numpy.array_equal(average, cloned_optimizer.averages[key])


def as_new(model):
    """Weights after an update of a model that was never trained, with these weights."""
    new = encoder(FineTuning()).from_bytes(model.to_bytes())
    update(new, Adam(0.01))
    return weights_of(new)


@pytest.mark.parametrize(
    "change",
    [
        lambda model, optimizer: (model.copy(), optimizer),
        lambda model, optimizer: (model, Adam(0.01)),
        lambda model, optimizer: (model.from_bytes(model.to_bytes()), Adam(0.01)),
    ],
    ids=["copy", "another optimizer", "other weights"],
)
def test_moments_are_of_one_module_and_one_optimizer(change):
    model, optimizer = trained()
    expected = as_new(model)
    changed, optimizer = change(model, optimizer)
    update(changed, optimizer)
    assert_equal(weights_of(changed), expected)


def test_moments_move_with_the_module():
    model, optimizer = trained(FineTuning(frozen=1))
    stayed = copy.deepcopy((model, optimizer))
    shim_of(model).to_device("cpu", 0)
    update(model, optimizer)
    update(*stayed)
    assert_equal(weights_of(model), weights_of(stayed[0]))


def test_new_weights_are_a_new_beginning():
    model, _ = trained(FineTuning(frozen="all"))
    model.initialize()
    assert shim_of(model)._optimizer.clock == 0
    assert module_of(model).embeddings.weight.requires_grad


# which modules, which optimizers


def test_large_modules_alone_have_it(monkeypatch):
    model, optimizer = encoder(), Adam(0.01)
    update(model, optimizer)
    assert shim_of(model)._optimizer is None
    n_parameters = sum(p.numel() for p in module_of(model).parameters())
    monkeypatch.setattr(fine_tuning, "LARGE", n_parameters)
    update(model, optimizer)
    assert shim_of(model)._optimizer.clock == 1


@pytest.mark.parametrize("make_optimizer", [SGD, RAdam])
def test_other_optimizers_are_thincs(make_optimizer, monkeypatch):
    small = encoder()
    monkeypatch.setattr(fine_tuning, "LARGE", 1)
    large = encoder().from_bytes(small.to_bytes())
    monkeypatch.undo()
    for model in (small, large):
        update(model, make_optimizer(0.01))
    assert_equal(weights_of(small), weights_of(large))
    tuned = encoder(FineTuning())
    with pytest.raises(ValueError, match=r'set @optimizers = "Adam.v1" in \[training'):
        update(tuned, make_optimizer(0.01))


def test_pytorch_without_a_fused_kernel(monkeypatch):
    """As older ones are, on a CPU: the same steps by another way."""
    fused, optimizer = trained(FineTuning(keep_optimizer=True))
    init = torch.optim.AdamW.__init__

    def refuse(self, *args, **kwargs):
        if kwargs.get("fused"):
            raise RuntimeError("`fused=True` requires supported devices")
        init(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "__init__", refuse)
    other = encoder(FineTuning(keep_optimizer=True)).from_bytes(fused.to_bytes())
    for model, sgd in ((fused, optimizer), (other, Adam(0.01))):
        update(model, sgd)
    for name, weight in weights_of(fused).items():
        torch.testing.assert_close(weights_of(other)[name], weight)


def test_bfloat16_is_of_the_computation_alone():
    model = encoder(FineTuning(), mixed_precision=True)
    optimizer, losses = Adam(0.01), []
    for _ in range(20):
        losses.append(float(numpy.square(model.predict(IDS)).sum()))
        update(model, optimizer)
    assert losses[-1] < losses[0] / 2
    exact = encoder(FineTuning()).from_bytes(model.to_bytes())
    assert not numpy.array_equal(exact.predict(IDS), model.predict(IDS))
    moments = shim_of(model)._optimizer._adamw.state.values()
    tensors = [tensor for state in moments for tensor in state.values()]
    tensors += module_of(model).parameters()
    assert {tensor.dtype for tensor in tensors} == {torch.float32}


# settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learn_rate_scale": 0.0}, "learn_rate_scale 0.0 is not above 0"),
        ({"layer_decay": 1.5}, r"layer_decay 1.5 is not in \(0, 1\]"),
        ({"layer_decay": 0.0}, r"layer_decay 0.0 is not in \(0, 1\]"),
        ({"frozen": -1}, "frozen -1 is a negative number of layers"),
        ({"unfreeze_every": -5}, "unfreeze_every -5 is negative"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        make_fine_tuning(**settings)


@pytest.mark.parametrize("frozen", [0, 2, "embeddings", "all"])
def test_a_config(frozen):
    config = {"@misc": "spacy-attnner.FineTuning.v1", "frozen": frozen}
    (found,) = registry.resolve({"tuning": config}).values()
    assert found == FineTuning(frozen=frozen)


def test_a_config_that_is_wrong():
    config = {"@misc": "spacy-attnner.FineTuning.v1", "frozen": "everything"}
    with pytest.raises(ValueError, match="frozen"):
        registry.resolve({"tuning": config})


@pytest.mark.parametrize(
    "settings",
    [{"layer_decay": 0.9}, {"frozen": "embeddings"}, {"unfreeze_every": 10}],
)
def test_a_module_without_layers(settings):
    with pytest.raises(ValueError, match="Linear has no layers to tell apart"):
        encoder(FineTuning(**settings), make=lambda: nn.Linear(3, 5))


def test_more_frozen_layers_than_there_are():
    with pytest.raises(ValueError, match="frozen 4 is more than the 3 layers"):
        encoder(FineTuning(frozen=4))


def test_checkpointing_of_a_module_that_cannot():
    with pytest.raises(ValueError, match="Encoder cannot compute layers a second"):
        encoder(FineTuning(gradient_checkpointing=True))


# encoders of Hugging Face's transformers

SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": ROWS,
    "max_position_embeddings": 40,
}
RELATIVE = {"relative_attention": True, "pos_att_type": ["c2p"], "position_buckets": 4}
PRETRAINED = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "mpnet"), SMALL),
    "electra": {**SMALL, "embedding_size": 4},
    "albert": {**SMALL, "embedding_size": 4},
    "deberta": {**SMALL, **RELATIVE},
    "deberta-v2": {
        **SMALL,
        **RELATIVE,
        "norm_rel_ebd": "layer_norm",
        "conv_kernel_size": 3,
    },
    "distilbert": {
        "dim": 8,
        "n_layers": 3,
        "n_heads": 2,
        "hidden_dim": 16,
        "vocab_size": ROWS,
    },
    "modernbert": {
        **SMALL,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "cls_token_id": 1,
        "eos_token_id": 2,
        "sep_token_id": 2,
    },
}
SHARED = (
    *("embed", "encoder.embedding_hidden_mapping_in.", "encoder.rel_embeddings."),
    *("encoder.relative_attention_bias.", "encoder.LayerNorm.", "encoder.conv."),
)


def pretrained(kind, **changes):
    """A tiny encoder with random weights."""
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(kind, **PRETRAINED[kind], **changes)
    return transformers.AutoModel.from_config(config)


@pytest.mark.parametrize("kind", PRETRAINED)
def test_depths_in_pretrained_encoders(kind):
    names = [name for name, _ in pretrained(kind).named_parameters()]
    n_layers = count_layers(names)
    assert n_layers == (1 if kind == "albert" else 3)
    layer = {"distilbert": "transformer.layer", "modernbert": "layers"}
    layer["albert"] = "encoder.albert_layer_groups"
    for name in names:
        depth = depth_in_encoder(name, n_layers)
        if name.startswith(("pooler.", "final_norm.")):
            assert depth == n_layers + 1
        elif name.startswith(SHARED):
            assert depth == 0
        else:
            start = f"{layer.get(kind, 'encoder.layer')}.{depth - 1}."
            assert name.startswith(start)


class Pretrained(nn.Module):
    """A BERT within a module that tells its depths."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = pretrained("bert", attention_probs_dropout_prob=0.0)
        names = (name for name, _ in self.bert.named_parameters())
        self.n_layers = count_layers(names)

    def depth_of(self, name: str) -> int:
        return depth_in_encoder(name.removeprefix("bert."), self.n_layers)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        ids = ids.reshape(2, -1)
        mask = torch.ones_like(ids)
        return self.bert(input_ids=ids, attention_mask=mask)[0].flatten(0, 1)


def test_checkpointing_changes_memory_alone():
    tunings = [
        FineTuning(frozen=1, gradient_checkpointing=checkpointing)
        for checkpointing in (False, True)
    ]
    models = [encoder(tuning, make=Pretrained) for tuning in tunings]
    models[1].from_bytes(models[0].to_bytes())
    sizes = []
    for model in models:
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, saved=saved: saved.append(tensor.numel()) or tensor,
            lambda tensor: tensor,
        ):
            model.begin_update(IDS)
        sizes.append(sum(saved))
        update(model, Adam(0.01))
    assert sizes[1] < sizes[0] / 2
    assert_equal(weights_of(models[0]), weights_of(models[1]))


# in a pipeline


@registry.architectures("test.TunedEncoder.v1")
def build_tuned_encoder(tuning: FineTuning | None = None):
    """A tok2vec that looks words up in the encoder above."""

    def words(model, docs, is_train):
        orths = [token.orth % ROWS for doc in docs for token in doc]
        (ids,) = ints_to_torch(model, numpy.array(orths, dtype="int64"))
        return ArgsKwargs((ids,), {}), lambda grads: docs

    def vectors(model, X_Y, is_train):
        docs, _ = X_Y
        Y, backprop = array_output(model, X_Y, is_train)
        lengths = [len(doc) for doc in docs]
        return Parts(Y, lengths), lambda dYs: backprop(flatten(model, dYs))

    return torch_layer(
        "tuned_encoder",
        Encoder,
        convert_inputs=words,
        convert_outputs=vectors,
        dims={"nO": WIDTH},
        tuning=tuning,
    )


def categorizer(**tuning):
    """A pipeline that knows documents with rain from those without, and examples."""
    nlp = spacy.blank("en")
    tok2vec = {
        "@architectures": "test.TunedEncoder.v1",
        "tuning": {"@misc": "spacy-attnner.FineTuning.v1", **tuning},
    }
    model = {"@architectures": "spacy.TextCatReduce.v1", "tok2vec": tok2vec}
    model.update(exclusive_classes=True, use_reduce_first=False)
    model.update(use_reduce_last=False, use_reduce_max=True, use_reduce_mean=True)
    nlp.add_pipe("textcat", config={"model": model})
    texts = ["Rain again .", "Dry at last .", "The rain stays .", "Dust everywhere ."]
    examples = []
    for i, text in enumerate(texts):
        cats = {"wet": float(i % 2 == 0), "dry": float(i % 2)}
        examples.append(Example.from_dict(nlp.make_doc(text), {"cats": cats}))
    nlp.initialize(lambda: examples)
    return nlp, examples


def encoder_of(nlp):
    (found,) = (n for n in nlp.get_pipe("textcat").model.walk() if n.shims)
    return found


def test_gradient_accumulation_of_spacy():
    nlp, examples = categorizer(layer_decay=0.9)
    optimizer = Adam(0.02)
    steps = train_while_improving(
        nlp,
        optimizer,
        ((0, examples) for _ in range(40)),
        lambda: (0.0, {}),
        dropout=0.1,
        eval_frequency=100,
        accumulate_gradient=2,
        patience=0,
        max_steps=0,
        exclude=[],
        annotating_components=[],
        before_update=None,
    )
    losses = [info["losses"]["textcat"] for _, info, _ in steps]
    assert losses[-1] - losses[-2] < losses[1] / 10  # they add up
    shim = shim_of(encoder_of(nlp))
    assert shim._optimizer.clock == shim._updates == 40


def test_a_stored_pipeline_goes_on(tmp_path):
    nlp, examples = categorizer(keep_optimizer=True, frozen="embeddings")
    optimizer = nlp.create_optimizer()
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path)
    clocks = []
    for _ in range(2):
        loaded = spacy.load(tmp_path)
        module = module_of(encoder_of(loaded))
        assert_equal(dict(module.named_parameters()), weights_of(encoder_of(nlp)))
        loaded.update(examples, sgd=loaded.resume_training())
        clocks.append(shim_of(encoder_of(loaded))._optimizer.clock)
        loaded.to_disk(tmp_path)
        nlp = loaded
    assert clocks == [4, 5]


def test_a_pipeline_is_stored_with_its_averages(tmp_path):
    nlp, examples = categorizer()
    optimizer = Adam(0.05)
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    with nlp.use_params(optimizer.averages):
        nlp.to_disk(tmp_path)
        averaged = weights_of(encoder_of(nlp))
    assert changed(averaged, weights_of(encoder_of(nlp)))
    assert_equal(weights_of(encoder_of(spacy.load(tmp_path))), averaged)
