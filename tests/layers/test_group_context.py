import numpy
import pytest
import torch

from spacy_attnner.layers import group_context as context
from spacy_attnner.layers.group_context import DocumentContext, GroupAttention
from spacy_attnner.native import extension

LENGTHS = torch.tensor([5, 0, 1, 7])
#                       one document of 5      1  and one of 7
WORDS = torch.tensor([0, 1, 0, 2, 0, 3, 4, 5, 4, 6, 7, 5, 8])


def make_context(**sizes):
    torch.manual_seed(3)
    sizes = {"width": 11, "value_width": 6, "n_heads": 3, **sizes}
    return DocumentContext(**sizes).eval()


def test_the_formula_term_by_term():
    layer = make_context(n_heads=1)
    X = torch.randn(13, 11)
    pool = layer.words
    weight = (5.0 * (pool.score(X) / 5.0).tanh()).exp()[:, 0]
    value = pool.value(X)
    # token 2 is the second of three places of word 0
    expected = (weight[0] * value[0] + weight[4] * value[4]) / (weight[0] + weight[4])
    found = pool.means_of_others(X, WORDS, pool.pool(X, WORDS, 9, torch.arange(13)))
    torch.testing.assert_close(found[2], expected)
    whole = layer.document
    weight = (5.0 * (whole.score(X[:5]) / 5.0).tanh()).exp()
    state = (weight * whole.value(X[:5])).sum(0) / weight.sum()
    again = torch.ones(1)
    mixed = layer.mix(torch.cat([X[2], found[2], again, state])).tanh()
    torch.testing.assert_close(layer(X, WORDS, LENGTHS)[2], X[2] + mixed)


def test_a_word_without_other_places_gets_nothing_from_them():
    layer = make_context(state=False)
    X = torch.randn(13, 11)
    found = layer(X, WORDS, LENGTHS)
    nothing = X + layer.mix(torch.cat([X, torch.zeros(13, 7)], 1)).tanh()
    alone = torch.bincount(WORDS)[WORDS] == 1
    torch.testing.assert_close(found[alone], nothing[alone])
    assert (found[~alone] != nothing[~alone]).any(1).all()


def test_batch_equals_single():
    layer = make_context()
    X = torch.randn(13, 11)
    together = layer(X, WORDS, LENGTHS)
    lengths = LENGTHS.tolist()
    parts = zip(X.split(lengths), WORDS.split(lengths), strict=True)
    alone = [layer(x, words, torch.tensor([len(x)])) for x, words in parts]
    torch.testing.assert_close(torch.cat(alone), together)


@pytest.mark.parametrize("chunk", [1, 3, 4, 6, 12])
def test_pieces_of_a_batch(monkeypatch, chunk):
    layer = make_context()
    X = torch.randn(13, 11)
    expected = layer(X, WORDS, LENGTHS)
    monkeypatch.setattr(context, "CHUNK_CPU", chunk)
    torch.testing.assert_close(layer(X, WORDS, LENGTHS), expected)
    with torch.no_grad():
        torch.testing.assert_close(layer(X, WORDS, LENGTHS), expected)
        overwritten = layer(X, WORDS, LENGTHS, overwrite=True)
    assert overwritten is X
    torch.testing.assert_close(X, expected)


def test_an_empty_document_spoils_no_gradient():
    layer = make_context()
    layer(torch.randn(13, 11), WORDS, LENGTHS).sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad.isfinite().all()


def test_another_document_changes_nothing():
    layer = make_context()
    X = torch.randn(13, 11)
    changed = X.clone()
    changed[5:] += 1.0
    before, after = layer(X, WORDS, LENGTHS), layer(changed, WORDS, LENGTHS)
    torch.testing.assert_close(after[:5], before[:5])


def test_a_token_reaches_its_word_and_its_document():
    layer = make_context()
    X = torch.randn(5, 11, requires_grad=True)
    layer(X, torch.tensor([0, 1, 0, 2, 3]), torch.tensor([5]))[0].sum().backward()
    assert (X.grad != 0).any(1).all()


def test_one_heavy_token_leaves_the_others_intact():
    layer = GroupAttention(width=2, value_width=1, n_heads=1)
    with torch.no_grad():
        layer.score.weight.copy_(torch.tensor([[100.0, 0.0]]))
        layer.value.weight.copy_(torch.tensor([[0.0, 1.0]]))
        layer.value.bias.zero_()
        layer.score.bias.zero_()
    X = torch.tensor([[1.0, 7.0], [-1.0, 2.0], [-1.0, 4.0]])
    words = torch.tensor([0, 0, 0])
    found = layer.means_of_others(X, words, layer.pool(X, words, 1, torch.arange(3)))
    assert found[0].item() == pytest.approx(3.0, rel=0.02)


def test_gradients():
    layer = make_context().double()
    X = torch.randn(13, 11, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, WORDS, LENGTHS), (X,))


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_nothing(lengths):
    nothing = torch.zeros(0, 11)
    words = torch.zeros(0, dtype=torch.int64)
    lengths = torch.tensor(lengths, dtype=torch.int64)
    assert make_context()(nothing, words, lengths).shape == (0, 11)


def reached(layer):
    """Which tokens of a document move the first one."""
    X = torch.randn(5, 11, requires_grad=True)
    layer(X, torch.tensor([0, 1, 0, 2, 3]), torch.tensor([5]))[0].sum().backward()
    return (X.grad != 0).any(1).tolist()


def test_one_of_the_two():
    assert reached(make_context(state=False)) == [True, False, True, False, False]
    assert reached(make_context(repeats=False)) == [True] * 5
    with pytest.raises(ValueError, match="no context is left"):
        make_context(repeats=False, state=False)


def test_heads_must_divide_the_values():
    with pytest.raises(ValueError, match="value_width 7 is not divisible by n_heads 3"):
        make_context(value_width=7)


@pytest.mark.skipif(extension(context.CONTEXT) is None, reason="it is not compiled")
@pytest.mark.parametrize("changes", [{}, {"state": False}, {"repeats": False}])
@pytest.mark.parametrize("n_documents", [1, 7])
@pytest.mark.parametrize("overwrite", [False, True])
@torch.no_grad()
def test_the_compiled_formula(changes, n_documents, overwrite):
    layer = make_context(width=19, value_width=34, n_heads=2, **changes)
    random = numpy.random.default_rng(n_documents)
    lengths = random.integers(1, 171, n_documents)
    words = [first + random.integers(0, 80, n) for first, n in enumerate(lengths)]
    words = numpy.concatenate([own + 100 * i for i, own in enumerate(words)])
    X, notes = torch.randn(len(words), 19), {}
    expected = layer(X, words, lengths)
    found = layer(X, words, lengths, overwrite, notes)
    assert notes
    assert (found is X) == overwrite
    torch.testing.assert_close(found, expected, rtol=0.0, atol=2e-6)


@pytest.mark.skipif(extension(context.CONTEXT) is None, reason="it is not compiled")
def test_sizes_that_do_not_agree():
    layer = make_context()
    X = numpy.zeros((3, 11), dtype="float32")
    ends, rows, groups = numpy.array([3]), numpy.array([0, 2]), numpy.array([0, 0])
    sizes = numpy.array([11, 3, 6])
    given = [sizes, X, X.copy(), ends, rows, groups, *layer._arranged()]
    mix_in = extension(context.CONTEXT).mix_in
    mix_in(*given[:4], rows.copy(), *given[5:])
    for place, wrong in (
        *((0, numpy.array([10, 3, 6])), (0, numpy.array([11, 4, 6]))),
        *((0, sizes[:2].copy()), (1, X[:2].copy()), (1, X.astype("float64"))),
        *((3, numpy.array([2])), (3, numpy.array([0, 3])), (3, numpy.array([4]))),
        *((4, numpy.array(places)) for places in ([2, 0], [0, 3], [-1, 2])),
        *((5, numpy.array(words)) for words in ([0, 2], [-1, 0], [0])),
        *((6, given[6][:, :-1].copy()), (8, numpy.zeros(0, dtype="float32"))),
    ):
        with pytest.raises(ValueError, match="do not agree"):
            mix_in(*given[:place], wrong, *given[place + 1 :])
