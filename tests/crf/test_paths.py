"""The compiled path against the one in PyTorch, and both against enumeration."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import spacy_attnner
from spacy_attnner import native
from spacy_attnner.crf.chain import FORBIDDEN, biluo_chain, bounded
from spacy_attnner.crf.decode import best_entities, span_bounds
from spacy_attnner.crf.loss import path_loss
from spacy_attnner.crf.marginals import marginals_of, span_marginals, token_marginals
from spacy_attnner.crf.recursions import LOOP, lattice_of, viterbi

from .test_crf import make_problem, one_hot

PACKAGE = Path(spacy_attnner.__file__).parent


@pytest.fixture(autouse=True, scope="module")
def path():
    """In place of the one that all other files have: here both paths run."""


needs_loop = pytest.mark.skipif(
    native.extension(LOOP) is None, reason=native.extension_state(LOOP)
)


@contextmanager
def in_torch():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_find", lambda name: (None, "chosen"))
        yield


def both(function, *args, **kwargs):
    with in_torch():
        expected = function(*args, **kwargs)
    return function(*args, **kwargs), expected


def params_of(problem):
    chain = (problem.transitions, problem.start, problem.end)
    return tuple(each.numpy() for each in chain)


@st.composite
def problems(draw):
    """Short and long sequences, none at all, and scores far apart."""
    lengths = draw(st.lists(st.integers(0, 30), min_size=1, max_size=5))
    problem = make_problem(lengths, draw(st.integers(1, 4)), draw(st.integers(0, 999)))
    problem.emissions *= draw(st.sampled_from([0.1, 1.0, 30.0, 1000.0]))
    problem.transitions *= draw(st.sampled_from([0.0, 1.0, 20.0]))
    return problem


@needs_loop
@given(problems(), st.sampled_from([0.2, 1.0, 3.0]), st.sampled_from([0.0, -1.5]))
@settings(max_examples=60)
def test_tags_marginals_and_entities(problem, temperature, offset):
    args = problem.emissions, problem.chain, problem.lengths
    scores = torch.cat([problem.emissions, problem.transitions])
    near = 1e-11 if scores.abs().max() < 20 * temperature else 1e-9
    tags, expected = both(viterbi, *args)
    assert torch.equal(tags, expected)
    found, expected = both(token_marginals, *args)
    torch.testing.assert_close(found, expected, atol=near, rtol=0)
    emissions = problem.emissions.float().numpy()
    found, expected = both(
        best_entities,
        params_of(problem),
        emissions,
        problem.lengths.numpy(),
        temperature=temperature,
        log_odds_offset=offset,
    )
    assert [entity[:3] for entity in found] == [entity[:3] for entity in expected]
    scores = [entity[3] for entity in found]
    assert scores == pytest.approx([entity[3] for entity in expected], abs=near)


@needs_loop
@given(problems(), st.floats(0.0, 1.0), st.integers(0, 999))
@settings(max_examples=60)
def test_scores_that_are_masked(problem, share, seed):
    """An annotation of some tokens, which alone makes what is between them possible."""
    gold = viterbi(-problem.emissions, problem.chain, problem.lengths)
    allowed = torch.nn.functional.one_hot(gold, len(problem.start)).bool()
    rng = torch.Generator().manual_seed(seed)
    allowed |= torch.rand(len(allowed), 1, generator=rng) < share
    own = bounded(problem.emissions).masked_fill(~allowed, FORBIDDEN)
    found, expected = both(lattice_of, own, problem.chain, problem.lengths)
    torch.testing.assert_close(found.log_z, expected.log_z, atol=1e-9, rtol=1e-12)
    assert (found.log_z > FORBIDDEN / 10).all()
    marginals = [marginals_of(x, own, problem.lengths) for x in (found, expected)]
    torch.testing.assert_close(*marginals, atol=1e-9, rtol=0)
    args = problem.emissions, problem.chain, problem.lengths, allowed
    losses = [vars(result) for result in both(path_loss, *args)]
    torch.testing.assert_close(*losses, atol=1e-8, rtol=1e-9)


@pytest.mark.parametrize("in_which", ["compiled", "torch"])
def test_what_is_far_below_until_an_annotation_needs_it(in_which):
    """An entity all of whose tokens but the last are open, 150 nats below O each."""
    problem = make_problem([12], n_labels=1)
    problem.emissions[:] = 0.0
    problem.emissions[:, 1:] = -150.0
    allowed = torch.ones_like(problem.emissions, dtype=torch.bool)
    allowed[0] = one_hot([1], 5)
    allowed[11] = one_hot([3], 5)
    allowed[1:11, [3, 4, 0]] = torch.tensor([True, True, True])
    result, expected = both(
        path_loss, problem.emissions, problem.chain, problem.lengths, allowed
    )
    loss = (result if in_which == "compiled" else expected).loss.item()
    assert 150.0 < loss < 13 * 150.0


@needs_loop
@pytest.mark.parametrize("n_labels", [0, 18, 66])
def test_many_labels(n_labels):
    problem = make_problem([40, 0, 3], n_labels)
    args = problem.emissions, problem.chain, problem.lengths
    assert torch.equal(*both(viterbi, *args))
    torch.testing.assert_close(*both(token_marginals, *args), atol=1e-12, rtol=0)


@pytest.mark.parametrize("in_which", ["compiled", "torch"])
@pytest.mark.parametrize("n_labels", [1, 2])
def test_entities_of_all_paths(in_which, n_labels):
    problem = make_problem([4 if n_labels == 1 else 3], n_labels, seed=3)
    paths, probabilities = problem.paths(problem.emissions)
    best = numpy.array(paths[int(probabilities.argmax())])
    args = (params_of(problem), problem.emissions.numpy(), problem.lengths.numpy())
    found = both(best_entities, *args)[in_which == "torch"]
    bounds = span_bounds(best)
    assert [list(entity[:3]) for entity in found] == bounds.tolist()
    for (first, last, _), (*_, score) in zip(bounds, found, strict=True):
        own = tuple(best[first : last + 1])
        pairs = zip(paths, probabilities.tolist(), strict=True)
        expected = sum(p for path, p in pairs if path[first : last + 1] == own)
        assert score == pytest.approx(expected)


@pytest.mark.parametrize("in_which", ["compiled", "torch"])
def test_entities_of_a_batch_are_those_of_each_sequence(in_which):
    problem = make_problem([31, 0, 1, 7, 64, 1], n_labels=3)
    args = (params_of(problem), problem.emissions.numpy(), problem.lengths.numpy())
    together = both(best_entities, *args)[in_which == "torch"]
    alone, begin = [], 0
    for emissions in problem.sequences():
        one = (args[0], emissions.numpy(), numpy.array([len(emissions)]))
        own = both(best_entities, *one)[in_which == "torch"]
        alone += [(a + begin, b + begin, label, p) for a, b, label, p in own]
        begin += len(emissions)
    assert [x[:3] for x in together] == [x[:3] for x in alone]
    scores = [x[3] for x in together]
    assert scores == pytest.approx([x[3] for x in alone], abs=1e-12)
    assert len(together) > 20


@needs_loop
def test_entities_are_spans_with_their_marginals():
    problem = make_problem([200, 13], n_labels=2)
    args = problem.emissions, problem.chain, problem.lengths
    tags = viterbi(*args)
    bounds = span_bounds(tags.numpy())
    spans = torch.from_numpy(bounds[:, :2])
    inputs = (params_of(problem), problem.emissions.numpy(), problem.lengths.numpy())
    found = best_entities(*inputs)
    assert [list(x[:3]) for x in found] == bounds.tolist()
    expected = span_marginals(*args, tags, spans).tolist()
    assert [x[3] for x in found] == pytest.approx(expected, abs=1e-12)


@needs_loop
@pytest.mark.parametrize(
    "change",
    [
        {"start": numpy.zeros(6)},
        {"transitions": numpy.zeros((5, 4))},
        {"emissions": numpy.zeros((3, 4))},
        {"emissions": numpy.zeros((3, 5), dtype="float16")},
        {"lengths": numpy.array([2, 2])},
        {"lengths": numpy.array([4, -1])},
    ],
)
def test_sizes_that_do_not_agree(change):
    inputs = {
        "transitions": numpy.zeros((5, 5)),
        "start": numpy.zeros(5),
        "end": numpy.zeros(5),
        "emissions": numpy.zeros((3, 5)),
        "lengths": numpy.array([2, 1]),
    }
    loop = native.extension(LOOP)
    loop.viterbi(*inputs.values(), numpy.zeros(3, dtype="int64"))
    for few in (2, 4):
        with pytest.raises(ValueError, match="an output has another size"):
            loop.viterbi(*inputs.values(), numpy.zeros(few, dtype="int64"))
    with pytest.raises(ValueError, match="do not agree"):
        loop.decode(*(inputs | change).values(), 1.0, 0.0)


def run(script, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


MEMORY = """
import numpy, sys
from spacy_attnner.crf.decode import best_entities

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))

rng = numpy.random.RandomState(0)
scores = rng.normal(size=(30_000 + 267, 265)).astype("float32")
emissions, rest = scores[:30_000], scores[30_000:]
params = (rest[:265], rest[265], rest[266])
best_entities(params, emissions[:99], numpy.array([99]))
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
found = best_entities(params, emissions, numpy.array([30_000]))
print(len(found), (status("VmHWM") - before) // 1024)
"""


@needs_loop
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for its memory")
def test_memory_is_that_of_the_states_of_one_sequence(tmp_path):
    """64 MB of them, for 30,000 tokens and 66 labels."""
    (line,) = run(MEMORY, tmp_path)
    n_entities, megabytes = map(int, line.split())
    assert n_entities > 1000
    assert megabytes < 100


# where there is no extension, or one that cannot be used

SCRIPT = """
import warnings
import sys
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import spacy_attnner.pipeline.ner
    from spacy_attnner import native
    assert sys.argv[1] in native.__file__, native.__file__
    print(native.extension("crf._loop") is None, native.extension("crf._loop") is None)
    print(native.extension_state("crf._loop"))
print(*(str(w.message) for w in caught if "_loop" in str(w.message)), sep="|")
"""


@pytest.fixture
def copied(tmp_path):
    """The package, without its extension."""
    ignore = shutil.ignore_patterns("__pycache__", "_loop.*")
    shutil.copytree(PACKAGE, tmp_path / "spacy_attnner", ignore=ignore)
    return tmp_path


def test_no_extension(copied):
    none, why, warned = run(SCRIPT, copied)
    assert none == "True True"
    assert why == "no extension was built, as without a C compiler"
    assert warned == ""
    copied.joinpath("setup.py").touch()  # as where `python -m spacy` finds a clone
    none, why, warned = run(SCRIPT, copied)
    assert why.startswith(
        f"{copied / PACKAGE.name} is the source, in which none was built"
    )
    assert none == "True True"
    assert warned == ""


@pytest.mark.parametrize("built_for", ["this Python", "another one"])
def test_an_extension_that_cannot_be_loaded(copied, built_for):
    from importlib.machinery import EXTENSION_SUFFIXES

    suffix = EXTENSION_SUFFIXES[0]
    if built_for == "another one":
        suffix = suffix.replace(str(sys.version_info.minor), "99", 1)
    path = copied / "spacy_attnner" / "crf" / f"_loop{suffix}"
    path.write_bytes(b"\x7fELF of another machine")
    none, why, warned = run(SCRIPT, copied)
    assert none == "True True"
    assert why.startswith(f"{path} cannot be loaded (")
    assert warned.startswith(f"{why}: PyTorch does its work, which is slower. Install")


OVERFIT = """
import spacy
from spacy.tokens import Span
from spacy.training import Example
from thinc.api import fix_random_seed
from spacy_attnner.native import extension

assert extension("crf._loop") is None is extension("layers._recurrence")
fix_random_seed(0)
nlp = spacy.blank("en")
embed = {"vector_width": 0, "word_width": 16}
tok2vec = {"width": 16, "n_heads": 0, "embed": embed}
nlp.add_pipe("attn_ner", config={"model": {"tok2vec": tok2vec}})
doc = nlp.make_doc("Mira Okafor met Tom Lind in Bergen")
doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 3, 5, "PER"), Span(doc, 6, 7, "LOC")]
examples = [Example(nlp.make_doc(doc.text), doc)]
optimizer = nlp.initialize(lambda: examples)
optimizer.learn_rate = 0.02
for _ in range(60):
    nlp.update(examples, sgd=optimizer)
found = nlp(doc.text)
pipe = nlp.get_pipe("attn_ner")
marginals, _ = pipe.token_marginals([found])
assert abs(marginals[0].sum(1) - 1.0).max() < 1e-5
assert pipe.k_best([found], 2)[0][0].probability > 0.5
print([(ent.text, ent.label_) for ent in found.ents])
print(min(ent._.confidence for ent in found.ents) > 0.5)
"""


def test_a_component_without_the_extension(tmp_path):
    ents, sure = run(OVERFIT, tmp_path, SPACY_ATTNNER_TORCH="1")
    expected = [("Mira Okafor", "PER"), ("Tom Lind", "PER"), ("Bergen", "LOC")]
    assert ents == str(expected)
    assert sure == "True"


def test_another_value_of_the_variable(monkeypatch):
    monkeypatch.setenv(native.VARIABLE, "cython")
    with pytest.raises(ValueError, match="SPACY_ATTNNER_TORCH is 'cython': set it"):
        native.torch_chosen()


def test_the_chain_at_a_temperature():
    problem = make_problem([1], n_labels=2)
    found = biluo_chain(problem.transitions, problem.start, problem.end, 2.0)
    for key, own in vars(found).items():
        expected = getattr(problem.chain, key) / 2.0
        torch.testing.assert_close(own.clamp_min(-1e9), expected.clamp_min(-1e9))
