"""Everything once more on a GPU that is pretended: same results, and nothing mixed."""

import copy
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Span
from spacy.training import Example
from spacy.vectors import Vectors
from thinc.api import Adam, NumpyOps, fix_random_seed, set_current_ops
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves, tree_map_only

from spacy_attnner.crf import kernel, packing
from spacy_attnner.crf.chain import biluo_chain
from spacy_attnner.crf.k_best import k_best
from spacy_attnner.crf.loss import path_loss
from spacy_attnner.crf.marginals import log_partition, span_marginals, token_marginals
from spacy_attnner.crf.recursions import viterbi
from spacy_attnner.layers import pairs
from spacy_attnner.layers.characters import CharacterCNN, character_ids
from spacy_attnner.layers.group_context import DocumentContext
from spacy_attnner.layers.inner_product import InnerProductPairs
from spacy_attnner.layers.pair_batch import PairBatch, Ranges
from spacy_attnner.layers.pair_logits import candidate_logits, exclusive_logits
from spacy_attnner.layers.pooling import DocumentPooling, Segments
from spacy_attnner.layers.sequence_encoder import SequenceEncoder
from spacy_attnner.models import fine_tuning
from spacy_attnner.models.batch import Batch
from spacy_attnner.models.output_size import grown_layer
from spacy_attnner.models.static_vectors import static_vectors
from spacy_attnner.relations import Relation, set_relations

sys.path.insert(0, str(Path(__file__).parent))
from pretend_device import (
    CUDA,
    PretendArray,
    PretendOps,
    PretendTensor,
    counted,
    pretend_cuda,
    pretend_gpu,
    pretend_in_thread,
)
from tiny_encoders import make_encoder

LENGTHS = torch.tensor([3, 0, 61, 1, 0, 11, 2])
N_TOKENS = int(LENGTHS.sum())
ON_HOST = LENGTHS.numpy()
N_TAGS = 9


def to_cuda(tree):
    """Tensors on the pretended device; what is NumPy's stays on the host."""
    tree = tree_map_only(torch.Tensor, lambda x: x.to(CUDA), tree)
    return tree_map_only(PairBatch, lambda batch: of_pairs(CUDA, len(batch)), tree)


def assert_same(found, expected):
    """The tensors of both are equal, and those found are on the pretended device."""
    found, expected = tree_leaves(found), tree_leaves(expected)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        if isinstance(y, torch.Tensor):
            assert isinstance(x, PretendTensor)
            torch.testing.assert_close(x.detach().cpu(), y.detach())
        else:
            assert x == y


# the pretended device itself


@pytest.mark.parametrize(
    "mix",
    [
        lambda cpu, gpu: cpu + gpu,
        lambda cpu, gpu: gpu.add_(cpu),
        lambda cpu, gpu: cpu * gpu.sum(),
        lambda cpu, gpu: torch.cat([cpu, gpu]),
        lambda cpu, gpu: torch.where(cpu > 0, gpu, 0.0),
        lambda cpu, gpu: gpu[:, 0].repeat_interleave(torch.ones(3).long()),
        lambda cpu, gpu: cpu[torch.zeros(2, dtype=torch.int64, device=CUDA)],
        lambda cpu, gpu: gpu.index_put((torch.tensor([1]),), cpu[:1]),
        lambda cpu, gpu: nn.Linear(3, 2)(gpu),
        lambda cpu, gpu: nn.LSTM(3, 2)(gpu),
        lambda cpu, gpu: nn.LSTM(3, 2).to(CUDA)(cpu),
        lambda cpu, gpu: gpu.numpy(),
        lambda cpu, gpu: numpy.asarray(gpu),
    ],
)
def test_tensors_of_two_devices_do_not_mix(mix):
    with pretend_cuda(), pytest.raises((RuntimeError, TypeError)):
        mix(torch.ones(3, 3), torch.ones(3, 3).to(CUDA))


def test_what_may_cross():
    with pretend_cuda():
        cpu, gpu = torch.ones(3), torch.ones(3, device=CUDA)
        results = [
            gpu + torch.tensor(1.0),
            gpu[torch.tensor([1, 2])],
            gpu.new_zeros(2),
            torch.arange(3, device=gpu.device),
            torch.empty_like(gpu).copy_(cpu),
        ]
        assert all(isinstance(result, PretendTensor) for result in results)
        assert type(gpu.cpu()) is type(gpu.to("cpu")) is torch.Tensor
        assert gpu.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "mix",
    [
        lambda cpu, gpu: cpu + gpu,
        lambda cpu, gpu: gpu * cpu,
        lambda cpu, gpu: numpy.concatenate([gpu, gpu]),
        lambda cpu, gpu: numpy.asarray(gpu),
        lambda cpu, gpu: PretendOps.xp.concatenate([gpu, cpu]),
        lambda cpu, gpu: gpu[cpu > 0],
        lambda cpu, gpu: cpu[gpu > 0],
        lambda cpu, gpu: gpu.__setitem__(0, cpu[0]),
        lambda cpu, gpu: PretendOps().gemm(cpu, gpu),
    ],
)
def test_arrays_of_two_devices_do_not_mix(mix):
    cpu = numpy.ones((3, 3), dtype="float32")
    with pretend_gpu(), pytest.raises((TypeError, ValueError, IndexError)):
        mix(cpu, PretendOps().asarray(cpu))


# PyTorch's side


def encoder(**settings):
    sizes = {"input_width": 5, "width": 14, "depth": 2, "n_heads": 7}
    module = SequenceEncoder(**{**sizes, "window": 13, "margin": 3, **settings})
    if module.gate is not None:
        nn.init.ones_(module.gate)
    return module, (torch.randn(N_TOKENS, 5), ON_HOST)


def one_sequence():
    """In prediction it is not packed."""
    module, (X, _) = encoder()
    return module, (X[:11], numpy.array([11]))


def character_cnn():
    module = CharacterCNN(embed_width=3, width=5, kernel_size=3)
    return module, (torch.randint(0, 99, (7, 11)), torch.randint(0, 7, (13,)))


def pooling():
    module = DocumentPooling(width=5, n_heads=3, hidden=7)
    return module, (torch.randn(N_TOKENS, 5), ON_HOST)


def context():
    module = DocumentContext(width=5, value_width=6, n_heads=3)
    documents = numpy.arange(len(LENGTHS)).repeat(ON_HOST)
    words = 7 * documents + numpy.arange(N_TOKENS) % 7
    return module, (torch.randn(N_TOKENS, 5), words, ON_HOST)


def of_pairs(device, n_pairs=3):
    spans = numpy.array([[1, 2], [4, 7], [8, 9]])
    order = numpy.array([[0, 1], [2, 0], [1, 2]])[:n_pairs]
    contexts = numpy.array([[0, 8], [0, 11], [2, 11]])[:n_pairs]
    return PairBatch(device, spans, numpy.arange(9).reshape(3, 3), order, contexts)


def pair_attention(n_pairs=3, module=None, **settings):
    sizes = {"n_heads": 7, "type_width": 3, "distance_width": 2}
    module = module or pairs.EntityPairAttention(
        width=5, hidden=14, **sizes, **settings
    )
    return module, (torch.randn(19, 5), of_pairs(torch.device("cpu"), n_pairs))


MODULES = [
    encoder,
    lambda: encoder(n_heads=0, depth=1),
    one_sequence,
    character_cnn,
    pooling,
    context,
    pair_attention,
    lambda: pair_attention(around=True),
    lambda: pair_attention(n_pairs=0),
    lambda: pair_attention(module=InnerProductPairs(width=5, hidden=14, type_width=3)),
]


def run(module, inputs):
    """Output and gradients of all parameters and of the first input."""
    X, *others = inputs
    X = X.clone().requires_grad_() if X.is_floating_point() else X
    Y = module(X, *others)
    Y.square().sum().backward()
    return Y, X.grad, [parameter.grad for parameter in module.parameters()]


@pytest.mark.parametrize("make", MODULES)
def test_modules(make):
    module, inputs = make()
    on_gpu = copy.deepcopy(module)
    expected = run(module, inputs)
    with pretend_cuda():
        assert_same(run(on_gpu.to(CUDA), to_cuda(inputs)), expected)
        on_gpu.eval()
        with torch.no_grad():
            assert_same(on_gpu(*to_cuda(inputs)), module.eval()(*inputs))


def test_words_in_prediction():
    module = CharacterCNN(embed_width=3, width=5, kernel_size=3)
    words = ["ferry", "", "to", "東京"]
    characters = torch.from_numpy(character_ids(words, 9))
    with torch.no_grad(), pretend_cuda():
        expected = module.encode(words, 9, module.tables())
        on_gpu = copy.deepcopy(module).to(CUDA)
        found = on_gpu.encode_there(characters.to(CUDA), on_gpu.tables())
        assert_same(found, expected)


def test_weights_of_pairs():
    module, (X, batch) = pair_attention()
    on_gpu = copy.deepcopy(module)
    with torch.no_grad(), pretend_cuda():
        found = on_gpu.to(CUDA).weights(*to_cuda((X, batch)))
        assert_same(found, module.weights(X, batch))


def test_dropout_of_sequences():
    module, inputs = encoder()
    with pretend_cuda():
        module.to(CUDA).input_dropout.p = module.output_dropout.p = 0.5
        first, second = (module(*to_cuda(inputs)).detach().cpu() for _ in range(2))
        assert not torch.equal(first, second)


def test_weights_are_loaded_to_where_the_module_is():
    module, inputs = encoder()
    other, _ = encoder()
    with pretend_cuda():
        other.to(CUDA).load_state_dict(module.state_dict())
        assert_same(other(*to_cuda(inputs)), module(*inputs))


def test_lengths_of_packed_sequences_ignore_the_default_device():
    module, inputs = encoder()
    expected = module(*inputs)
    with pretend_cuda(), CUDA:
        assert_same(module.to(CUDA)(*to_cuda(inputs)), expected)


def test_lstms_take_no_part_in_autocast():
    module, inputs = encoder()
    with pretend_cuda():
        module, (X, lengths) = module.to(CUDA), to_cuda(inputs)
        batch = PackedSequence(X, torch.ones(N_TOKENS, dtype=torch.int64))
        torch.set_autocast_enabled("cuda", True)
        try:
            module(X, lengths)
            with pytest.raises(RuntimeError, match="float16"):
                module.lstms[0](batch)
        finally:
            torch.set_autocast_enabled("cuda", False)


def crf_inputs():
    lengths = LENGTHS.clamp_max(13)
    n_tokens = int(lengths.sum())
    emissions = torch.randn(n_tokens, N_TAGS)
    chain = [torch.randn(N_TAGS, N_TAGS), torch.randn(N_TAGS), torch.randn(N_TAGS)]
    allowed = torch.ones(n_tokens, N_TAGS, dtype=torch.bool)
    allowed[::3, 1:] = False
    spans = torch.tensor([[0, 1], [4, 4], [7, 9]])
    return emissions, chain, lengths, allowed, spans


@pytest.mark.parametrize(
    "function",
    [
        lambda e, c, n, *_: vars(path_loss(e, biluo_chain(*c), n, _[0])),
        lambda e, c, n, *_: vars(
            path_loss(e, biluo_chain(*c), n, torch.ones_like(_[0]), [_[0]])
        ),
        lambda e, c, n, *_: token_marginals(e, biluo_chain(*c), n),
        lambda e, c, n, *_: viterbi(e, biluo_chain(*c), n),
        lambda e, c, n, *_: span_marginals(
            e, biluo_chain(*c), n, viterbi(e, biluo_chain(*c), n), _[1]
        ),
        lambda e, c, n, *_: log_partition(e, biluo_chain(*c), n),
        lambda e, c, n, *_: k_best(e, biluo_chain(*c), n, 3),
        lambda e, c, n, *_: vars(packing.pack(n)),
        lambda e, c, n, *_: packing.token_positions(n),
    ],
)
def test_functions(function):
    inputs = crf_inputs()
    with pretend_cuda():
        assert_same(function(*to_cuda(inputs)), function(*inputs))


@pytest.mark.parametrize(
    "function",
    [
        lambda X: Segments(X.device, ON_HOST).softmax(X),
        lambda X: Segments(X.device, ON_HOST).sum(X),
        lambda X: Ranges(X.device, ON_HOST.cumsum() - ON_HOST, ON_HOST.cumsum()).max(X),
        lambda X: candidate_logits(X, torch.arange(N_TOKENS, device=X.device) % 3, 3),
        lambda X: exclusive_logits(X),
    ],
)
def test_functions_of_flat_batches(function):
    X = torch.randn(N_TOKENS, N_TAGS)
    with pretend_cuda():
        assert_same(function(X.to(CUDA)), function(X))


# Thinc's and spaCy's side

TEXTS = [
    "Mira Okafor met Tom Lind in Bergen before the ferry left",
    "Ferries",
    "",
    "Kestrel Lines stayed shut",
]
COMPONENTS = ["attn_ner", "attn_rel", "attn_textcat", "attn_textcat_multilabel"]
EMBED = {"vector_width": 3, "word_width": 7, "word_rows": 101, "word_dropout": 0.0}
TOK2VEC = {"width": 14, "n_heads": 7, "embed": EMBED}


def make_nlp(name, **tok2vec):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    give_vectors(nlp)
    nlp.add_pipe(name, config={"model": {"tok2vec": {**TOK2VEC, **tok2vec}}})
    return nlp


def give_vectors(nlp):
    """A table of invented vectors, on the device that is current."""
    table = Vectors(strings=nlp.vocab.strings, name="invented", shape=(2, 5))
    rows = numpy.arange(1.0, 11.0, dtype="float32").reshape(2, 5)
    for word, row in zip(["ferry", "bergen"], rows, strict=True):
        table.add(nlp.vocab.strings.add(word), vector=row)
    nlp.vocab.vectors = table


def make_examples(nlp):
    golds = [nlp.make_doc(text) for text in TEXTS]
    golds[0].ents = [Span(golds[0], 0, 2, "PER"), Span(golds[0], 6, 7, "LOC")]
    predicted = [gold.copy() for gold in golds]
    set_relations(golds[0], [Relation(*golds[0].ents, "At")])
    for gold in golds[:2]:
        gold.cats = {"A": float(len(gold) > 1), "B": float(len(gold) == 1)}
    return [Example(x, y) for x, y in zip(predicted, golds, strict=True)]


def train(nlp, optimizer, steps=3):
    return [
        sum(nlp.update(make_examples(nlp), sgd=optimizer).values())
        for _ in range(steps)
    ]


def assert_same_annotations(found, expected):
    """Two pipelines say the same of the examples."""
    predicted = [
        list(nlp.pipe([example.predicted for example in make_examples(nlp)]))
        for nlp in (found, expected)
    ]
    for x, y in zip(*predicted, strict=True):
        assert [*map(str, x.ents)] == [*map(str, y.ents)]
        assert scores_of(x) == pytest.approx(scores_of(y), abs=1e-4)


def scores_of(doc):
    """Confidences, probabilities of relations and of categories, in this order."""
    attrs = [group.attrs for group in doc.spans.values()]
    return [
        *(score for a in attrs for score in a.get("scores", [])),
        *(triple[3] for a in attrs for triple in a.get("triples", [])),
        *doc.cats.values(),
    ]


@pytest.fixture(params=COMPONENTS)
def name(request):
    return request.param


@pytest.fixture
def on_cpu(name):
    """A pipeline trained on the CPU, and its losses."""
    nlp = make_nlp(name)
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    return nlp, train(nlp, optimizer), optimizer


def test_components(name, on_cpu):
    expected, losses, optimizer = on_cpu
    with pretend_gpu():
        nlp = make_nlp(name)
        own = nlp.initialize(lambda: make_examples(nlp))
        assert train(nlp, own) == pytest.approx(losses, rel=1e-4)
        assert_on_gpu(nlp.get_pipe(name).model)
        assert_same_annotations(nlp, expected)
        with nlp.use_params(own.averages), expected.use_params(optimizer.averages):
            assert_same_annotations(nlp, expected)
        data = nlp.to_bytes(exclude=["vocab"])
    loaded = make_nlp(name).from_bytes(data)
    assert_same_annotations(loaded, expected)


@pytest.mark.parametrize("name", ["attn_ner"], indirect=True)
def test_marginals_readings_and_calibration(name, on_cpu):
    expected, _, _ = on_cpu
    with pretend_gpu():
        nlp = make_nlp(name).from_bytes(expected.to_bytes(exclude=["vocab"]))
        results = []
        for each in (nlp, expected):
            component, examples = each.get_pipe(name), make_examples(each)
            docs = list(each.pipe([example.predicted for example in examples]))
            marginals, _ = component.token_marginals(docs)
            readings = component.k_best(docs, 2)
            calibration = component.calibrate(examples)
            results.append((marginals, readings, calibration))
    found, correct = results
    for x, y in zip(found[0], correct[0], strict=True):
        numpy.testing.assert_allclose(x, y, atol=1e-5)
    assert [[r.probability for r in own] for own in found[1]] == [
        pytest.approx([r.probability for r in own], abs=1e-4) for own in correct[1]
    ]
    for name, value in vars(correct[2]).items():
        assert getattr(found[2], name) == (
            pytest.approx(value, abs=1e-2) if isinstance(value, float) else value
        ), name


CHARACTERS = {"@architectures": "spacy-attnner.CharacterCNN.v1", "width": 7}


ENCODER = {
    "@architectures": "spacy-attnner.AttentionEncoder.v1",
    "embed": {"@architectures": "spacy-attnner.WordEmbed.v1", **EMBED},
    "characters": CHARACTERS,
    "width": 14,
    "n_heads": 7,
    "sentences": True,
}
CONTEXT = {
    "@architectures": "spacy-attnner.DocumentContext.v1",
    "tok2vec": ENCODER,
    "value_width": 6,
    "n_heads": 3,
}
ENTITIES = {"@architectures": "spacy-attnner.EntityEmbed.v1"}


def make_of(name, tok2vec, head, **settings):
    """As `make_nlp`, of another model."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    give_vectors(nlp)
    model = {"@architectures": f"spacy-attnner.{head}", "tok2vec": tok2vec, **settings}
    nlp.add_pipe(name, config={"model": model})
    return nlp


def spaced_docs(nlp, texts=TEXTS * 64):
    """With whitespace, sentences and entities."""
    docs = [nlp.make_doc(text.replace(" in ", "  in\n")) for text in texts]
    for doc in docs:
        if len(doc) > 9:
            doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 8, 9, "LOC")]
            doc[5].is_sent_start = True
    return docs


def counts_of(make):
    """What the second batch of 256 documents of each component asks for."""
    nlp = make()
    train(nlp, nlp.initialize(lambda: make_examples(nlp)))
    data = nlp.to_bytes(exclude=["vocab"])
    found = []
    with pretend_gpu(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*sentence by sentence")
        warnings.filterwarnings("ignore", "CUDA is not available")  # for autocast
        nlp = make().from_bytes(data)
        batches = spaced_docs(nlp), spaced_docs(nlp)
        for _, component in nlp.pipeline:
            component.set_annotations(batches[0], component.predict(batches[0]))
            with counted() as counts:
                scores = component.predict(batches[1])
            component.set_annotations(batches[1], scores)
            found.append((counts.waits, counts.transfers))
    return found


def test_how_often_the_host_waits(name):
    """Once, for the one copy back; everything is copied there at once."""
    found = counts_of(lambda: make_nlp(name, characters=CHARACTERS, sentences=True))
    assert found == [(1, 2)]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("attn_ner", (CONTEXT, "CRFTagger.v1")),
        ("attn_ner", ({**ENCODER, "mixed_precision": True}, "CRFTagger.v1")),
        ("attn_rel", ({**ENCODER, "entities": ENTITIES}, "InnerProductPairs.v1")),
        ("attn_textcat", (CONTEXT, "AttentionTextClassifier.v1")),
    ],
)
def test_how_often_the_host_waits_for_other_layers(name, model):
    assert counts_of(lambda: make_of(name, *model)) == [(1, 2)]


def test_how_often_the_host_waits_for_pairs():
    settings = {"around": True, "hidden": 8}
    make = partial(make_of, "attn_rel", CONTEXT, "EntityPairAttention.v1", **settings)
    assert counts_of(make) == [(1, 2)]


@pytest.mark.parametrize("attention", ["self", "labels", "hierarchical"])
def test_how_often_the_host_waits_for_pooling(attention):
    embed = {**ENCODER["embed"], "affix_width": 2}
    settings = {
        "exclusive_classes": True,
        "attention": attention,
        "n_heads": 2,
        "mean": True,
    }
    make = partial(
        make_of,
        "attn_textcat",
        {**ENCODER, "embed": embed},
        "AttentionTextClassifier.v1",
        **settings,
    )
    assert counts_of(make) == [(1, 2)]


@pytest.mark.parametrize("with_words", [False, True])
def test_how_often_the_host_waits_for_a_transformer(with_words, tmp_path):
    """transformers asks of each group of windows whether there is padding in it."""
    encoder = {
        "@architectures": "spacy-attnner.TransformerEncoder.v1",
        "name": str(make_encoder(tmp_path / "encoder")),
        "margin": 3,
    }
    tok2vec = {**ENCODER, "transformer": encoder} if with_words else encoder
    n_groups = 2
    found = counts_of(lambda: make_of("attn_ner", tok2vec, "CRFTagger.v1"))
    assert found == [(1 + n_groups, 2)]


def test_how_often_the_host_waits_for_the_kernel(monkeypatch):
    """The kernel itself is tested elsewhere; it launches, and asks for nothing."""

    def decode(params, emissions, lengths, *settings):
        assert isinstance(lengths, PretendTensor)
        tags = torch.zeros_like(emissions[:, 0], dtype=torch.int64)
        return tags, emissions.new_zeros(len(emissions), dtype=torch.float64)

    monkeypatch.setattr(kernel, "is_usable", lambda: True)
    monkeypatch.setattr(kernel, "decode", decode)
    assert counts_of(lambda: make_of("attn_ner", CONTEXT, "CRFTagger.v1")) == [(1, 2)]


def test_how_often_the_host_waits_for_a_shared_encoder():
    """A copy for the tok2vec's batch, one for the head's, whose arrays stay there."""

    def make():
        fix_random_seed(0)
        nlp = spacy.blank("en")
        give_vectors(nlp)
        nlp.add_pipe("tok2vec", config={"model": ENCODER})
        listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 14}
        for name in ("attn_ner", "attn_textcat"):
            nlp.add_pipe(name, config={"model": {"tok2vec": listener}})
        return nlp

    assert counts_of(make) == [(0, 1), (1, 2), (1, 2)]


def test_what_is_asked_for_the_first_time_is_copied_by_itself():
    nlp = make_nlp("attn_ner")
    nlp.initialize(lambda: make_examples(nlp))
    data = nlp.to_bytes(exclude=["vocab"])
    with pretend_gpu():
        nlp = make_nlp("attn_ner").from_bytes(data)
        plain, spaced = "Ferries left Bergen", "Ferries  left Bergen"
        transfers = []
        for text in (plain, plain, spaced, plain, spaced):
            with counted() as counts:
                nlp.get_pipe("attn_ner").predict([nlp.make_doc(text)] * 2)
            transfers.append(counts.transfers)
    assert transfers[1:] == [2, 3, 2, 2]


BATCHES = [  # the first asks for less than the others
    ["Ferries left"],
    TEXTS,
    [text.replace(" ", "  ") for text in TEXTS],
    ["", ""],
    [" \n ", "Ferries"],
    [],
    [" ".join(TEXTS * 30)],
    TEXTS,
]


def outputs(nlp, name, texts):
    component, docs = nlp.get_pipe(name), spaced_docs(nlp, texts)
    if name == "attn_ner":
        return component.token_marginals(docs)[0] if docs else []
    if name == "attn_rel":
        return [scores for _, scores in component.predict(docs)]
    return nlp.get_pipe(name).model.ops.to_numpy(component.predict(docs))


def assert_same_outputs(found, expected):
    for x, y in zip(found, expected, strict=True):
        for own, other in zip(x, y, strict=True):
            numpy.testing.assert_allclose(own, other, atol=1e-5)


def test_batches_that_differ(name, on_cpu):
    """One after the other, of two models by turns, and of threads."""
    expected, _, _ = on_cpu
    correct = [outputs(expected, name, texts) for texts in BATCHES]
    with pretend_gpu():
        data = expected.to_bytes(exclude=["vocab"])
        pipelines = [make_nlp(name).from_bytes(data) for _ in range(2)]
        by_turns = [[outputs(p, name, t) for p in pipelines] for t in BATCHES]
        for found in zip(*by_turns, strict=True):
            assert_same_outputs(found, correct)
        nlp = make_nlp(name).from_bytes(data)

        def read(texts):
            with pretend_in_thread():
                return outputs(nlp, name, texts)

        with ThreadPoolExecutor(3) as pool:
            assert_same_outputs(pool.map(read, BATCHES), correct)


def assert_on_gpu(model):
    for node in model.walk():
        for key in node.param_names:
            assert isinstance(node.get_param(key), PretendArray)
        for shim in node.shims:
            assert all(isinstance(p, PretendTensor) for p in shim._model.parameters())


def test_weights_from_the_cpu(name, on_cpu):
    expected, _, _ = on_cpu
    data = expected.to_bytes(exclude=["vocab"])
    expected_losses = train(expected, Adam(0.01))
    with pretend_gpu():
        nlp = make_nlp(name).from_bytes(data)
        assert_on_gpu(nlp.get_pipe(name).model)
        assert train(nlp, Adam(0.01)) == pytest.approx(expected_losses, rel=1e-4)


def test_a_thread_whose_current_device_is_the_cpu(name, on_cpu):
    """`require_gpu` holds for one thread; the model stays where it is in the others."""
    expected, losses, _ = on_cpu
    with pretend_gpu():
        nlp = make_nlp(name)
        optimizer = nlp.initialize(lambda: make_examples(nlp))
        set_current_ops(NumpyOps())
        assert train(nlp, optimizer) == pytest.approx(losses, rel=1e-4)
        assert_same_annotations(nlp, expected)


def test_weights_loaded_while_another_device_is_current(name, on_cpu):
    expected, _, _ = on_cpu
    data = expected.to_bytes(exclude=["vocab"])
    nlp = make_nlp(name)
    expected_losses = train(expected, Adam(0.01))
    with pretend_gpu():
        nlp.from_bytes(data)
        assert train(nlp, Adam(0.01)) == pytest.approx(expected_losses, rel=1e-4)
        assert_same_annotations(nlp, expected)


def test_a_label_more(name):
    with pretend_gpu():
        nlp = make_nlp(name)
        optimizer = nlp.initialize(lambda: make_examples(nlp))
        component = nlp.get_pipe(name)
        train(nlp, optimizer, steps=1)
        component.add_label("More")
        train(nlp, Adam(0.01), steps=1)
        assert_on_gpu(component.model)


def test_grown_layers_stay():
    with pretend_gpu():
        layer = make_nlp("attn_rel").get_pipe("attn_rel").model.get_ref("output_layer")
        layer.set_dim("nO", 2)
        layer.initialize()
        set_current_ops(NumpyOps())
        larger = grown_layer(layer, 5)
        assert isinstance(larger.ops, PretendOps)
        assert isinstance(larger.get_param("W"), PretendArray)


@pytest.mark.parametrize("table_on_gpu", [False, True])
@pytest.mark.parametrize("model_on_gpu", [False, True])
@pytest.mark.parametrize("floret", [False, True])
def test_vectors_on_another_device_than_the_model(table_on_gpu, model_on_gpu, floret):
    nlp = spacy.blank("en")
    if floret:
        data = numpy.random.normal(size=(11, 5)).astype("float32")
        settings = {"mode": "floret", "hash_count": 2, "minn": 2, "maxn": 3}
        vectors = Vectors(strings=nlp.vocab.strings, data=data, name="f", **settings)
        nlp.vocab.vectors = vectors
    else:
        give_vectors(nlp)
    words = Batch([nlp("ferry to Bergen")]).tokens
    layer = static_vectors(3)
    layer.initialize(X=words)
    expected = layer.predict(words)
    with pretend_gpu():
        if table_on_gpu:
            nlp.vocab.vectors.data = PretendArray(nlp.vocab.vectors.data)
        if model_on_gpu:
            layer._to_ops(PretendOps())
        Y, backprop = layer.begin_update(words)
        assert isinstance(Y, PretendArray) == model_on_gpu
        backprop(Y)
        numpy.testing.assert_allclose(layer.ops.to_numpy(Y), expected, atol=1e-6)


def test_weights_of_lstms_stay_where_they_are():
    """cuDNN compacts them at each call, with a warning, once they are in pieces."""
    nlp = make_nlp("attn_textcat")
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    (module,) = (
        shim._model
        for node in nlp.get_pipe("attn_textcat").model.walk()
        for shim in node.shims
        if isinstance(shim._model, SequenceEncoder)
    )
    places = [parameter.data_ptr() for parameter in module.lstms.parameters()]
    before = [parameter.detach().clone() for parameter in module.lstms.parameters()]
    train(nlp, optimizer)
    with nlp.use_params(optimizer.averages):
        assert [p.data_ptr() for p in module.lstms.parameters()] == places
    assert [p.data_ptr() for p in module.lstms.parameters()] == places
    assert not torch.equal(next(module.lstms.parameters()), before[0])


@pytest.mark.parametrize("name", ["attn_ner"], indirect=True)
def test_large_modules(name, monkeypatch):
    """PyTorch's optimizer, which waits for nothing that the GPU has to tell."""
    monkeypatch.setattr(fine_tuning, "LARGE", 1)
    expected = make_nlp(name)
    optimizer = expected.initialize(lambda: make_examples(expected))
    losses = train(expected, optimizer)
    with pretend_gpu():
        nlp = make_nlp(name)
        own = nlp.initialize(lambda: make_examples(nlp))
        assert train(nlp, own) == pytest.approx(losses, rel=1e-4)
        assert_on_gpu(nlp.get_pipe(name).model)
        with nlp.use_params(own.averages), expected.use_params(optimizer.averages):
            assert_same_annotations(nlp, expected)
