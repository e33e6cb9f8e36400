import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy_attnner.layers.range_max import range_max
from spacy_attnner.layers.spans import N_TYPE_HASHES, SpanPooling

from spacy_attnner.layers import pair_blocks
from spacy_attnner.layers.pair_batch import PairBatch, token_places
from spacy_attnner.layers.pairs import EntityPairAttention

WIDTH, HIDDEN = 5, 14


def make_attention(**settings):
    sizes = {"width": WIDTH, "hidden": HIDDEN, "n_heads": 7}
    sizes |= {"type_width": 3, "distance_width": 2}
    return EntityPairAttention(**{**sizes, **settings}).eval()


def make_batch(bounds, order, n_tokens, context=2):
    """Spans at the given bounds, of types 0, 1, …, and the given ordered pairs."""
    spans = torch.tensor(bounds, dtype=torch.int64).view(-1, 2)
    ordered = torch.tensor(order, dtype=torch.int64).view(-1, 2)
    first = spans[ordered][:, :, 0].amin(1) - context
    end = spans[ordered][:, :, 1].amax(1) + context
    contexts = torch.stack([first.clamp_min(0), end.clamp_max(n_tokens)], 1)
    types = torch.arange(len(spans))[:, None].expand(-1, N_TYPE_HASHES)
    return PairBatch(spans, types, ordered, contexts)


def features(attention, X, batch):
    return attention(X, torch.tensor([len(X)]), *vars(batch).values())


@pytest.fixture
def document():
    bounds = [(1, 2), (4, 7), (8, 9), (14, 17)]
    order = [(i, j) for i in range(4) for j in range(4) if i != j]
    return torch.randn(19, WIDTH), make_batch(bounds, order, 19)


def test_a_span_of_one_token_is_that_token_and_its_type():
    pooling = SpanPooling(width=WIDTH, hidden=3, type_width=2)
    X = torch.randn(3, WIDTH)
    types = torch.tensor([[0, 7, 7]])
    found = pooling(X, torch.tensor([[1, 2]]), types)[0]
    own_type = pooling.types.weight[0] + 2 * pooling.types.weight[7]
    torch.testing.assert_close(found, torch.cat([X[1], X[1], own_type]))


def test_a_span_in_a_batch_of_longer_ones_stays_itself():
    pooling = SpanPooling(width=WIDTH, hidden=3, type_width=2)
    X = torch.randn(13, WIDTH)
    spans, types = torch.tensor([[2, 4], [5, 13]]), torch.tensor([[1, 2, 3]] * 2)
    alone = pooling(X, spans[:1], types[:1])
    torch.testing.assert_close(pooling(X, spans, types)[:1], alone)


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
    found = make_attention()._distance(torch.tensor([head]), torch.tensor([tail]))
    assert found.tolist() == [bucket]


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
    together = features(attention, X, batch)
    assert together.shape == (12, HIDDEN)
    for i in range(len(batch.pairs)):
        alone = PairBatch(
            batch.spans, batch.types, batch.pairs[i : i + 1], batch.contexts[i : i + 1]
        )
        torch.testing.assert_close(features(attention, X, alone), together[i : i + 1])


def test_direction_counts(document):
    X, batch = document
    found = features(make_attention(), X, batch)
    ordered = batch.pairs.tolist()
    forward, backward = ordered.index([0, 2]), ordered.index([2, 0])
    assert not torch.allclose(found[forward], found[backward])


def test_features_by_hand(document):
    """relu(W [head; tail; head ∘ tail; context; between; distance] + b)"""
    attention = make_attention(strongest=False)
    X, batch = document
    spans = attention.spans(X, batch.spans, batch.types)
    head = attention.head(spans).relu()[batch.pairs[:, 0]]
    tail = attention.tail(spans).relu()[batch.pairs[:, 1]]
    queries = attention.context.query(torch.cat([head, tail], 1))
    keys, values = attention.context.key(X), attention.context.value(X)
    parts = [
        *(head, tail, head * tail),
        attention.context(queries, keys, values, batch),
        range_max(values, batch.between()),
        attention.distances(attention._distance(*batch.ends())),
    ]
    expected = attention.output(torch.cat(parts, 1)).relu()
    torch.testing.assert_close(features(attention, X, batch), expected)


@pytest.mark.parametrize("around", [False, True])
def test_a_pair_sees_its_context_and_no_more(around):
    attention = make_attention(around=around)
    X = torch.randn(19, WIDTH)
    batch = make_batch([(5, 6), (9, 11)], [(0, 1)], 19)
    expected = features(attention, X, batch)
    for token in range(19):
        changed = X.clone()
        changed[token] += 1.0
        same = torch.equal(features(attention, changed, batch), expected)
        assert same == (not 3 <= token < 13), token


def test_no_pairs_but_a_gradient():
    attention = make_attention().train()
    X = torch.randn(7, WIDTH, requires_grad=True)
    found = features(attention, X, make_batch([(1, 2)], [], 7))
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
    found = features(attention, X, batch)
    for p, (head, tail) in enumerate(batch.pairs.tolist()):
        of_head = own[batch.pairs[:, 0] == head].amax(0)
        of_tail = own[batch.pairs[:, 1] == tail].amax(0)
        seen = torch.cat([own[p], of_head, of_tail])
        expected = own[p] + attention.others(seen).relu()
        torch.testing.assert_close(found[p], expected)


def test_pairs_in_parts_that_know_the_strongest(document):
    attention = make_attention()
    X, batch = document
    whole = features(attention, X, batch)
    strongest = attention.strongest(attention.own(X, batch), batch)
    for part in (batch.chosen(slice(5)), batch.chosen(slice(5, 12))):
        values = (*vars(part).values(), strongest)
        found = attention(X, torch.tensor([len(X)]), *values)
        start = 0 if len(part.pairs) == 5 else 5
        torch.testing.assert_close(found, whole[start : start + len(found)])


@pytest.mark.parametrize("cells", [1, 40, 100, 10_000])
def test_blocks_hold_every_pair_once(monkeypatch, cells):
    monkeypatch.setattr(pair_blocks, "CELLS_CPU", cells)
    generator = torch.Generator().manual_seed(cells)
    first = torch.randint(0, 6, (50,), generator=generator)
    length = torch.randint(1, 9, (50,), generator=generator)
    contexts = torch.stack([first, first + length], 1)
    seen = []
    for block in pair_blocks.cut_blocks(contexts):
        groups, nth = block.place
        own = contexts[block.pairs]
        assert own[:, 0].equal(block.contexts[groups, 0])
        assert (own[:, 1] <= block.contexts[groups, 1]).all()
        assert len(set(zip(groups.tolist(), nth.tolist(), strict=True))) == len(own)
        assert int(nth.max()) < block.size <= groups.bincount().min() * 1.5
        longest = int((block.contexts[:, 1] - block.contexts[:, 0]).max())
        n_cells = len(block.contexts) * block.size * longest
        assert n_cells <= cells or len(block.contexts) == 1
        seen += block.pairs.tolist()
    assert sorted(seen) == list(range(50))


@pytest.mark.parametrize("feature", ["product", "attention", "between"])
def test_a_feature_left_out(document, feature):
    attention = make_attention(**{feature: False})
    assert features(attention, *document).shape == (12, HIDDEN)
    assert attention.output.in_features == make_attention().output.in_features - HIDDEN


def test_words_between_by_hand():
    attention = make_attention(product=False, attention=False, strongest=False)
    X = torch.randn(9, WIDTH)
    batch = make_batch([(1, 2), (4, 6), (6, 7)], [(0, 1), (1, 2)], 9)
    with torch.no_grad():  # so that features are relu(between)
        attention.output.bias.zero_()
        attention.output.weight.zero_()
        attention.output.weight[:, 2 * HIDDEN : 3 * HIDDEN] = torch.eye(HIDDEN)
    found = features(attention, X, batch)
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
    found = features(attention, X, batch)
    V = attention.context.value(X)
    expected = (V[1:3].amax(0) + 2 * V[7:9].amax(0)).relu()
    torch.testing.assert_close(found[:2], expected.expand(2, -1))
    torch.testing.assert_close(found[2], V[3:5].amax(0).relu())  # none is behind


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=7))
def test_maxima_of_ranges(bounds):
    X = torch.randn(12, 3)
    ranges = torch.tensor(bounds, dtype=torch.int64).view(-1, 2)
    found = range_max(X, ranges)
    for row, (first, end) in zip(found, bounds, strict=True):
        expected = X[first:end].amax(0) if first < end else torch.zeros(3)
        assert torch.equal(row, expected)


def test_gradient_of_maxima():
    X = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    ranges = torch.tensor([[0, 7], [2, 3], [4, 4], [1, 4], [3, 6]])
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
        head, tail = (spans[p : p + 1] for spans in batch.ends())
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
