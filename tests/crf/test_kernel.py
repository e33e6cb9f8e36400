"""The kernels' source, compiled for the CPU: threads, blocks and barriers are real."""

import ctypes
import operator
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import torch
from thinc.api import Model, NumpyOps

import spacy_attnner.crf
from spacy_attnner.crf import kernel
from spacy_attnner.crf.chain import FORBIDDEN, biluo_chain
from spacy_attnner.crf.decode import best_entities
from spacy_attnner.crf.loss import path_loss
from spacy_attnner.crf.marginals import token_marginals
from spacy_attnner.crf.recursions import lattice_of, viterbi
from spacy_attnner.models.crf_decode import crf_decode, crf_marginals
from spacy_attnner.models.crf_tagger import build_crf_tagger, crf_loss

from .test_crf import make_problem, one_hot

sys.path.insert(0, str(Path(__file__).parents[1]))
import pretend_device
from pretend_device import CUDA, PretendOps, PretendTensor, pretend_cuda, pretend_gpu

N_THREADS = 3  # fewer than tags


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The kernels as functions of C."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"{compiler} is no compiler here")
    target = tmp_path_factory.mktemp("kernel") / "kernel.so"
    folder = Path(spacy_attnner.crf.__file__).parent
    source = Path(__file__).with_name("cuda_on_cpu.c")
    options = ["-O2", "-shared", "-fPIC", "-pthread", f"-I{folder}"]
    command = [*compiler.split(), *options, str(source), "-o", str(target), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "pthread_barrier" in done.stderr:
        pytest.skip("no barriers among this system's threads")
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(target))


def as_argument(x):
    if isinstance(x, PretendTensor):
        assert x.inner.is_contiguous()
        return ctypes.c_void_p(x.inner.data_ptr())
    return ctypes.c_double(x) if isinstance(x, float) else ctypes.c_int(x)


@pytest.fixture
def launches(library, monkeypatch):
    """The names of the kernels that were launched on the pretended device."""
    names = []

    def launch(name, n_blocks, n_threads, *args):
        assert n_threads % 32 == 0
        names.append(name)
        values = [as_argument(x) for x in args]
        library.begin_block(N_THREADS)

        def run(thread):
            for block in range(n_blocks):
                library.become(thread, block)
                getattr(library, name)(*values)

        with ThreadPoolExecutor(N_THREADS) as pool:
            list(pool.map(run, range(N_THREADS)))

    monkeypatch.setattr(kernel, "launch", launch)
    monkeypatch.setattr(kernel, "is_usable", lambda: True)
    return names


def on_device(*tensors):
    return [tensor.to(CUDA) for tensor in tensors]


def chain_on_device(problem):
    return biluo_chain(*on_device(problem.transitions, problem.start, problem.end))


@pytest.mark.parametrize("n_labels", [0, 1, 3])
def test_the_recursions(launches, n_labels):
    problem = make_problem([5, 0, 1, 13, 1, 2], n_labels)
    problem.emissions[7, 1:] = FORBIDDEN
    problem.emissions[9:12] *= 40.0
    args = problem.emissions, problem.chain, problem.lengths
    with pretend_cuda():
        emissions, lengths = on_device(problem.emissions, problem.lengths)
        found = lattice_of(emissions, chain_on_device(problem), lengths)
        assert launches == ["crf_tables", "crf_lattice"]
        tags = viterbi(emissions, chain_on_device(problem), lengths).cpu()
        values = {key: value.cpu() for key, value in vars(found).items()}
    assert tags.tolist() == viterbi(*args).tolist()
    for key, expected in vars(lattice_of(*args)).items():
        torch.testing.assert_close(values[key], expected, atol=1e-12, rtol=1e-12)


def test_all_paths(launches):
    problem = make_problem([3], n_labels=2)
    paths, probabilities = problem.paths(problem.emissions)
    expected = sum(
        p * one_hot(path, 9) for path, p in zip(paths, probabilities, strict=True)
    )
    with pretend_cuda():
        args = problem.emissions, problem.lengths
        emissions, lengths = on_device(*args)
        chain = chain_on_device(problem)
        marginals = token_marginals(emissions, chain, lengths).cpu()
        tags = viterbi(emissions, chain, lengths).tolist()
        allowed = one_hot(paths[7], 9).to(CUDA)
        loss = path_loss(emissions, chain, lengths, allowed).loss.item()
    torch.testing.assert_close(marginals, expected)
    assert tuple(tags) == paths[int(probabilities.argmax())]
    assert loss == pytest.approx(-probabilities[7].log().item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_entities(launches, dtype):
    problem = make_problem([31, 0, 1, 17, 2, 90], n_labels=2)
    params = (problem.transitions, problem.start, problem.end)
    arrays = [x.to(dtype) for x in (*params, problem.emissions)]
    lengths = problem.lengths.numpy()
    settings = {"temperature": 1.7, "log_odds_offset": -0.3}
    *own, emissions = (x.numpy() for x in arrays)
    expected = best_entities(tuple(own), emissions, lengths, **settings)
    with pretend_cuda():
        *own, emissions = on_device(*arrays)
        found = best_entities(tuple(own), emissions, lengths, **settings)
    assert launches == ["crf_tables", "crf_decode"]
    assert len(found) > 20
    assert [x[:3] for x in found] == [x[:3] for x in expected]
    scores = [x[3] for x in found]
    assert scores == pytest.approx([x[3] for x in expected], abs=1e-12)


def costs_nothing(func, args, result):
    """Whether nothing runs on a real device: its tensor is there already, say."""
    if func.name() == "aten::_to_copy":
        pair = [x for x in (args[0], result) if isinstance(x, PretendTensor)]
        return len(pair) == 2 and pair[0].dtype == pair[1].dtype
    return func.is_view or "empty" in func.name()


@pytest.fixture
def counted(monkeypatch):
    """Names of the operations of the pretended device, transfers among them."""
    names = []
    dispatch, call = pretend_device._dispatch, pretend_device._call

    def counted_dispatch(func, args, kwargs):
        result = dispatch(func, args, kwargs)
        leaves = torch.utils._pytree.tree_leaves((args, kwargs, result))
        here = any(isinstance(x, PretendTensor) for x in leaves)
        if here and not costs_nothing(func, args, result):
            names.append(func.name())
        return result

    def counted_call(func, *args, **kwargs):
        if func is not operator.getitem:  # documents are views
            names.append(str(func))
        return call(func, *args, **kwargs)

    monkeypatch.setattr(pretend_device, "_dispatch", counted_dispatch)
    monkeypatch.setattr(pretend_device, "_call", counted_call)
    return names


def make_tagger(ops, n_tags=9):
    """A tagger with drawn transitions, and emissions of 256 documents."""
    rng = numpy.random.RandomState(0)
    tok2vec = Model("nothing", lambda *X: X[1:], dims={"nO": 1})
    model = build_crf_tagger(tok2vec, n_tags)
    for name, shape in (("transitions", (n_tags, n_tags)), ("start", n_tags)):
        params = rng.normal(size=shape).astype("float32")
        model.get_ref("crf").set_param(name, ops.asarray(params))
    model.get_ref("crf").set_param("end", ops.alloc1f(n_tags))
    lengths = [int(n) for n in rng.randint(0, 40, size=256)]
    flat = ops.asarray(rng.normal(size=(sum(lengths), n_tags)).astype("float32"))
    ends = numpy.cumsum(lengths).tolist()
    return model, [flat[end - n : end] for end, n in zip(ends, lengths, strict=True)]


@pytest.mark.parametrize(("usable", "most"), [(True, 20), (False, 10)])
@pytest.mark.parametrize("function", [crf_decode, crf_marginals])
def test_how_much_there_is_to_launch(
    launches, counted, monkeypatch, function, usable, most
):
    expected = function(*make_tagger(NumpyOps()))
    monkeypatch.setattr(kernel, "is_usable", lambda: usable)
    with pretend_gpu():
        model, emissions = make_tagger(PretendOps())
        del counted[:]
        found = function(model, emissions)
        assert len(counted) + len(launches) <= most, "\n".join(counted)
        assert bool(launches) == usable
    for own, other in zip(found, expected, strict=True):
        if function is crf_decode:
            assert [x[:3] for x in own] == [x[:3] for x in other]
        else:
            numpy.testing.assert_allclose(own.get(), other, atol=1e-6)


@pytest.mark.parametrize("usable", [True, False])
def test_the_loss(launches, monkeypatch, usable):
    def run(ops):
        model, emissions = make_tagger(ops)
        emissions = emissions[:9]
        allowed = [numpy.zeros(X.shape, dtype=bool) for X in emissions]
        for mask in allowed:
            mask[:, 0] = mask[::3] = True
        loss, gradients = crf_loss(model, emissions, allowed)
        step = model.get_ref("crf").get_grad("transitions")
        return loss, [model.ops.to_numpy(x) for x in (*gradients, step)]

    loss, gradients = run(NumpyOps())
    monkeypatch.setattr(kernel, "is_usable", lambda: usable)
    with pretend_gpu():
        found, others = run(PretendOps())
    assert bool(launches) == usable
    assert found == pytest.approx(loss)
    for own, other in zip(others, gradients, strict=True):
        numpy.testing.assert_allclose(own, other, atol=1e-6)
