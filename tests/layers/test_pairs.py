import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.layers import pair_batch
from spacy_attnner.layers.pair_batch import BETWEEN, PairBatch, Ranges, token_places
from spacy_attnner.layers.pairs import (
    N_TYPE_HASHES,
    PAIRS,
    EntityPairAttention,
    SpanPooling,
)
from spacy_attnner.native import extension

WIDTH, HIDDEN = 5, 14
CPU = torch.device("cpu")


def make_attention(**settings):
    sizes = {"width": WIDTH, "hidden": HIDDEN, "n_heads": 7}
    sizes |= {"type_width": 3, "distance_width": 2}
    return EntityPairAttention(**{**sizes, **settings}).eval()


def ints(values):
    return numpy.array(values, dtype="int64").reshape(-1, 2)


def make_batch(bounds, order, n_tokens, context=2, part=slice(None)):
    """Spans at the given bounds, of types 0, 1, …, and the given ordered pairs.

    part: Which of the pairs.
    """
    spans, ordered = ints(bounds), ints(order)
    first = (spans[ordered][:, :, 0].min(1) - context).clip(0)
    end = (spans[ordered][:, :, 1].max(1) + context).clip(None, n_tokens)
    contexts = numpy.stack([first, end], 1)
    types = numpy.arange(len(spans)).repeat(N_TYPE_HASHES).reshape(-1, N_TYPE_HASHES)
    return PairBatch(CPU, spans, types, ordered[part], contexts[part])


def of_spans(bounds, types):
    nothing = ints([])
    return PairBatch(CPU, ints(bounds), numpy.array(types), nothing, nothing)


BOUNDS = [(1, 2), (4, 7), (8, 9), (14, 17)]
ORDER = [(i, j) for i in range(4) for j in range(4) if i != j]


@pytest.fixture
def document():
    return torch.randn(19, WIDTH), make_batch(BOUNDS, ORDER, 19)


def test_a_span_of_one_token_is_that_token_and_its_type():
    pooling = SpanPooling(width=WIDTH, hidden=3, type_width=2)
    X = torch.randn(3, WIDTH)
    found = pooling(X, of_spans([[1, 2]], [[0, 7, 7]]))[0]
    own_type = pooling.types.weight[0] + 2 * pooling.types.weight[7]
    torch.testing.assert_close(found, torch.cat([X[1], X[1], own_type]))


def test_a_span_in_a_batch_of_longer_ones_stays_itself():
    pooling = SpanPooling(width=WIDTH, hidden=3, type_width=2)
    X = torch.randn(13, WIDTH)
    spans, types = [[2, 4], [5, 13], [0, 2]], [[1, 2, 3], [4, 5, 6], [1, 2, 3]]
    together = pooling(X, of_spans(spans, types))
    for i in range(3):
        alone = pooling(X, of_spans(spans[i : i + 1], types[i : i + 1]))
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize(
    ("head", "tail", "bucket"),
    [
        ((0, 2), (2, 3), 13 + 0),  # side by side, head first
        ((2, 3), (0, 2), 0),  # the same, tail first
        ((0, 1), (2, 3), 13 + 1),
        ((0, 1), (5, 6), 13 + 4),
        ((0, 1), (6, 7), 13 + 5),  # 5 tokens lie in the bucket up to 6
        ((0, 1), (7, 8), 13 + 5),
        ((0, 1), (8, 9), 13 + 6),  # 7 in the bucket up to 8
        ((70, 71), (0, 1), 12),  # the last bucket has no upper end
        ((0, 1), (999, 1000), 13 + 12),
        ((0, 3), (1, 2), 13 + 0),  # one inside the other
    ],
)
def test_distance_buckets(head, tail, bucket):
    assert make_batch([head, tail], [(0, 1)], 1000).distances.tolist() == [bucket]


def test_places_by_hand():
    """before, in head, between, in tail, after: with the tail standing first."""
    places = token_places(
        torch.arange(1, 9)[None], torch.tensor([[6, 8]]), torch.tensor([[2, 4]])
    )
    assert places.tolist() == [[0, 3, 3, 2, 2, 1, 1, 4]]


@pytest.mark.parametrize("around", [False, True])
def test_batch_equals_single(document, around):
    attention = make_attention(strongest=False, around=around)
    X, batch = document
    together = attention(X, batch)
    assert together.shape == (12, HIDDEN)
    for i in range(len(batch)):
        alone = make_batch(BOUNDS, ORDER, 19, part=slice(i, i + 1))
        torch.testing.assert_close(attention(X, alone), together[i : i + 1])


def test_direction_counts(document):
    X, batch = document
    found = make_attention()(X, batch)
    ordered = batch.pairs.tolist()
    forward, backward = ordered.index([0, 2]), ordered.index([2, 0])
    assert not torch.allclose(found[forward], found[backward])


def test_features_by_hand(document):
    """relu(W [head; tail; head ∘ tail; context; between; distance] + b)"""
    attention = make_attention(strongest=False)
    X, batch = document
    spans = attention.spans(X, batch)
    head = attention.head(spans).relu()[batch.pairs[:, 0]]
    tail = attention.tail(spans).relu()[batch.pairs[:, 1]]
    queries = attention.context.query(torch.cat([head, tail], 1))
    keys, values = attention.context.key(X), attention.context.value(X)
    parts = [
        *(head, tail, head * tail),
        attention.context(queries, keys, values, batch),
        batch.between.max(values),
        attention.distances(batch.distances),
    ]
    expected = attention.output(torch.cat(parts, 1)).relu()
    torch.testing.assert_close(attention(X, batch), expected)


@pytest.mark.parametrize("around", [False, True])
def test_a_pair_sees_its_context_and_no_more(around):
    attention = make_attention(around=around)
    X = torch.randn(19, WIDTH)
    batch = make_batch([(5, 6), (9, 11)], [(0, 1)], 19)
    expected = attention(X, batch)
    for token in range(19):
        changed = X.clone()
        changed[token] += 1.0
        same = torch.equal(attention(changed, batch), expected)
        assert same == (not 3 <= token < 13), token


def test_no_pairs_but_a_gradient():
    attention = make_attention().train()
    X = torch.randn(7, WIDTH, requires_grad=True)
    found = attention(X, make_batch([(1, 2)], [], 7))
    assert found.shape == (0, HIDDEN)
    found.sum().backward()
    assert X.grad is not None
    assert not X.grad.any()


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="hidden 14 is not divisible by n_heads 3"):
        make_attention(n_heads=3)


def test_weights_add_up_to_one_over_the_context(document):
    X, batch = document
    weights = make_attention().weights(X, batch)
    lengths = batch.contexts[:, 1] - batch.contexts[:, 0]
    assert weights.shape[:2] == (12, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(12, 7))
    for of_pair, length in zip(weights, lengths.tolist(), strict=True):
        assert not of_pair[:, length:].any()


def test_strongest_by_hand(document):
    """own + relu(U [own; maxima of the head's pairs; of the tail's pairs] + b)"""
    attention = make_attention()
    X, batch = document
    own = attention.own(X, batch)
    found = attention(X, batch)
    for p, (head, tail) in enumerate(batch.pairs.tolist()):
        of_head = own[batch.pairs[:, 0] == head].amax(0)
        of_tail = own[batch.pairs[:, 1] == tail].amax(0)
        seen = torch.cat([own[p], of_head, of_tail])
        expected = own[p] + attention.others(seen).relu()
        torch.testing.assert_close(found[p], expected)


def test_pairs_in_parts_that_know_the_strongest(document):
    attention = make_attention()
    X, batch = document
    whole = attention(X, batch)
    strongest = attention.strongest(attention.own(X, batch), batch)
    for part in (slice(5), slice(5, 12)):
        some = make_batch(BOUNDS, ORDER, 19, part=part)
        torch.testing.assert_close(attention(X, some, strongest), whole[part])


@pytest.mark.parametrize("cells", [1, 40, 100, 10_000])
def test_blocks_hold_every_pair_once(monkeypatch, cells):
    monkeypatch.setattr(pair_batch, "CELLS_CPU", cells)
    generator = numpy.random.default_rng(cells)
    first, length = generator.integers(0, 6, 50), generator.integers(1, 9, 50)
    ends = numpy.stack([first, first + length], 1)
    spans = numpy.array([[0, 1], [2, 3]])
    batch = PairBatch(CPU, spans, ints([]), ints([[0, 1]] * 50), ends)
    contexts, seen = torch.from_numpy(ends), []
    for block in batch.blocks:
        groups, nth = block.place
        own = contexts[block.pairs]
        assert own[:, 0].equal(block.contexts[groups, 0])
        assert (own[:, 1] <= block.contexts[groups, 1]).all()
        assert len(set(zip(groups.tolist(), nth.tolist(), strict=True))) == len(own)
        assert int(nth.max()) < block.size <= groups.bincount().min() * 1.5
        longest = int((block.contexts[:, 1] - block.contexts[:, 0]).max())
        assert block.longest == longest
        n_cells = len(block.contexts) * block.size * longest
        assert n_cells <= cells or len(block.contexts) == 1
        seen += block.pairs.tolist()
    assert sorted(seen) == list(range(50))
    assert [seen[i] for i in batch.block_order.tolist()] == list(range(50))


@pytest.mark.parametrize("feature", ["product", "attention", "between"])
def test_a_feature_left_out(document, feature):
    attention = make_attention(**{feature: False})
    assert attention(*document).shape == (12, HIDDEN)
    assert attention.output.in_features == make_attention().output.in_features - HIDDEN


def test_words_between_by_hand():
    attention = make_attention(product=False, attention=False, strongest=False)
    X = torch.randn(9, WIDTH)
    batch = make_batch([(1, 2), (4, 6), (6, 7)], [(0, 1), (1, 2)], 9)
    with torch.no_grad():  # so that features are relu(between)
        attention.output.bias.zero_()
        attention.output.weight.zero_()
        attention.output.weight[:, 2 * HIDDEN : 3 * HIDDEN] = torch.eye(HIDDEN)
    found = attention(X, batch)
    expected = attention.context.value(X[2:4]).amax(0).relu()
    torch.testing.assert_close(found[0], expected)
    assert not found[1].any()  # side by side: no word is between


def test_words_around_by_hand():
    """Those of the context before both spans and behind both, whichever is the head."""
    attention = make_attention(
        product=False, attention=False, between=False, around=True, strongest=False
    )
    X = torch.randn(11, WIDTH)
    batch = make_batch([(3, 4), (5, 7), (10, 11)], [(0, 1), (1, 0), (2, 1)], 11)
    with torch.no_grad():  # so that features are relu(before + 2 * behind)
        attention.output.bias.zero_()
        attention.output.weight.zero_()
        for i in (1, 2):
            part = slice((1 + i) * HIDDEN, (2 + i) * HIDDEN)
            attention.output.weight[:, part] = i * torch.eye(HIDDEN)
    found = attention(X, batch)
    V = attention.context.value(X)
    expected = (V[1:3].amax(0) + 2 * V[7:9].amax(0)).relu()
    torch.testing.assert_close(found[:2], expected.expand(2, -1))
    torch.testing.assert_close(found[2], V[3:5].amax(0).relu())  # none is behind


def range_max(X, bounds):
    return Ranges(CPU, *ints(bounds).T).max(X)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=7))
def test_maxima_of_ranges(bounds):
    X = torch.randn(12, 3)
    found = range_max(X, bounds)
    for row, (first, end) in zip(found, bounds, strict=True):
        expected = X[first:end].amax(0) if first < end else torch.zeros(3)
        assert torch.equal(row, expected)


def test_gradient_of_maxima():
    X = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    ranges = [[0, 7], [2, 3], [4, 4], [1, 4], [3, 6]]
    assert torch.autograd.gradcheck(lambda x: range_max(x, ranges), X)


def test_context_of_a_pair_by_hand(document):
    """softmax(q K / sqrt(d) + place) V in each head, over the pair's own context."""
    X, batch = document
    context = make_attention().context
    torch.nn.init.normal_(context.place.weight)
    pair = torch.randn(len(batch.pairs), 2 * HIDDEN)
    found = context(context.query(pair), context.key(X), context.value(X), batch)
    for p, (first, end) in enumerate(batch.contexts.tolist()):
        tokens = torch.arange(first, end)[None]
        head, tail = (spans[p : p + 1] for spans in batch.ends)
        bias = context.place(token_places(tokens, head, tail)[0])  # (C, H)
        Q, K, V = (
            Y.view(-1, 7, 2)
            for Y in (
                context.query(pair[p : p + 1]),
                context.key(X[first:end]),
                context.value(X[first:end]),
            )
        )
        scores = (Q * K).sum(-1) / 2**0.5 + bias  # (C, H)
        expected = (scores.softmax(0)[..., None] * V).sum(0).flatten()
        torch.testing.assert_close(found[p], expected)


def compiled(name):
    return getattr(extension(PAIRS), name, None)


needs_compiled = pytest.mark.skipif(
    compiled("features") is None, reason="it is not compiled"
)


@needs_compiled
@pytest.mark.parametrize("n_tokens", [9, 40, 300])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_heads": 1, "hidden": 48},
        {"product": False},
        {"attention": False},
        {"between": False, "strongest": False},
        {"product": False, "attention": False, "between": False},
    ],
)
def test_the_compiled_formula(changes, n_tokens, monkeypatch):
    attention = make_attention(**{"hidden": 32, "n_heads": 2, **changes})
    torch.nn.init.normal_(attention.context.place.weight)
    random = numpy.random.default_rng(n_tokens)
    first = random.integers(0, n_tokens - 3, 15)
    bounds = numpy.stack([first, first + random.integers(1, 4, 15)], 1)  # some overlap
    order = [(i, j) for i in range(15) for j in range(15) if i != j]
    batch = make_batch(bounds, order, n_tokens, context=3)
    batch._contexts[:, 1] = batch._contexts.T[1].clip(None, batch._contexts.T[0] + 60)
    X = 3 * torch.randn(n_tokens, WIDTH)
    expected = attention(X, batch)
    calls = []
    features = compiled("features")
    monkeypatch.setattr(
        extension(PAIRS), "features", lambda *args: (calls.append(1), features(*args))
    )
    with torch.no_grad():
        found = attention(X, batch)
    assert calls
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-5)


@needs_compiled
def test_attention_to_one_word_alone():
    """Smaller weights give sums of denormal numbers, which are slow."""
    attention = make_attention(hidden=64, n_heads=1)
    torch.nn.init.constant_(attention.context.place.weight, 0.0)
    attention.context.place.weight.data[BETWEEN] = 87.0
    bounds = [(100, 101), (102, 103)]
    batch = make_batch(bounds, [(0, 1), (1, 0)], 203, context=100)
    X = torch.randn(203, WIDTH)
    expected = attention(X, batch)
    with torch.no_grad():
        found = attention(X, batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-5)


@needs_compiled
def test_sizes_that_do_not_agree(monkeypatch):
    attention = make_attention(hidden=32, n_heads=2)
    given = {}
    for name in ("features", "add_others"):
        function = compiled(name)

        def keep(*args, name=name, function=function):
            given[name] = args
            function(*args)

        monkeypatch.setattr(extension(PAIRS), name, keep)
    with torch.no_grad():
        attention(torch.randn(19, WIDTH), make_batch(BOUNDS, ORDER, 19))
    monkeypatch.undo()
    for name, args in given.items():
        for place, own in enumerate(args):
            fewer = own[:-20].copy()  # of the table of distances not the last alone
            wrongs = [fewer, own.astype(bool)]
            if own.dtype == "int64" and own.ndim == 2:
                wrongs += [own - 20, own + 20]
            for wrong in wrongs:
                with pytest.raises(ValueError, match="do not agree"):
                    compiled(name)(*args[:place], wrong, *args[place + 1 :])
        with pytest.raises(TypeError, match="arguments are wanted"):
            compiled(name)(*args[1:])
