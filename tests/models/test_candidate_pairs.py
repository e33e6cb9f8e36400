"""Which ordered pairs of spans are looked at."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_attnner.models.batch import Batch
from spacy_attnner.models.candidate_pairs import Candidates, make_candidate_pairs
from spacy_attnner.models.entity_pairs import pair_arrays, type_rows

VOCAB = Vocab()


def make_doc(n_tokens, bounds, *, key="", sent_starts=None):
    doc = Doc(VOCAB, words=["w"] * n_tokens, sent_starts=sent_starts)
    spans = [Span(doc, start, end, label=label) for start, end, label in bounds]
    if key:
        doc.spans[key] = spans
    else:
        doc.ents = spans
    return doc


def found_pairs(candidates):
    return {
        tuple((candidates.spans[i].start, candidates.spans[i].end) for i in pair)
        for pair in candidates.pairs
    }


def test_all_ordered_pairs():
    doc = make_doc(7, [(0, 1, "A"), (2, 4, "B"), (5, 6, "A")])
    candidates = make_candidate_pairs()(doc)
    assert len(candidates) == 6
    a, b, c = (0, 1), (2, 4), (5, 6)
    assert found_pairs(candidates) == {(a, b), (b, a), (a, c), (c, a), (b, c), (c, b)}


@pytest.mark.parametrize("bounds", [[], [(1, 3, "A")]])
def test_fewer_than_two_entities_make_no_pair(bounds):
    candidates = make_candidate_pairs()(make_doc(5, bounds))
    assert len(candidates) == 0
    assert candidates.pairs.shape == (0, 2)


@st.composite
def spans_in_a_doc(draw):
    n_tokens = draw(st.integers(1, 13))
    bounds = st.tuples(st.integers(0, n_tokens - 1), st.integers(1, n_tokens))
    spans = draw(st.lists(bounds.filter(lambda b: b[0] < b[1]), max_size=7))
    return n_tokens, [(*b, draw(st.sampled_from("AB"))) for b in spans]


@given(spans_in_a_doc(), st.integers(0, 5), st.booleans())
def test_limits_as_one_would_write_them_down(case, max_length, same_sentence):
    """Overlapping spans and duplicates included."""
    n_tokens, bounds = case
    starts = [i % 5 == 0 for i in range(n_tokens)]
    doc = make_doc(n_tokens, bounds, key="mine", sent_starts=starts)
    get_candidates = make_candidate_pairs(
        max_length=max_length, same_sentence=same_sentence, spans_key="mine"
    )
    candidates = get_candidates(doc)
    distinct = sorted(set(bounds))
    expected = {
        (i, j)
        for i, (start_i, end_i, _) in enumerate(distinct)
        for j, (start_j, end_j, _) in enumerate(distinct)
        if i != j
        and (not max_length or max(start_i - end_j, start_j - end_i) <= max_length)
        and (not same_sentence or start_i // 5 == start_j // 5)
    }
    spans = candidates.spans
    assert [(s.start, s.end, s.label_) for s in spans] == [
        (s, e, label)
        for s, e, label in sorted(distinct, key=lambda x: (*x[:2], VOCAB.strings[x[2]]))
    ]
    found = [tuple(pair) for pair in candidates.pairs.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_no_sentences_no_limit():
    doc = make_doc(7, [(0, 1, "A"), (5, 6, "A")])
    assert len(make_candidate_pairs(same_sentence=True)(doc)) == 2


def test_a_span_group_that_a_document_lacks():
    doc = make_doc(7, [(0, 1, "A"), (5, 6, "A")])
    assert len(make_candidate_pairs(spans_key="mine")(doc)) == 0


def test_a_negative_limit():
    with pytest.raises(ValueError, match="max_length -1 is negative"):
        make_candidate_pairs(max_length=-1)


def test_arrays_of_a_batch_by_hand():
    """Flat positions: the second document's tokens and spans follow the first's."""
    get_candidates = make_candidate_pairs()
    docs = [
        make_doc(5, [(0, 1, "A"), (3, 5, "B")]),
        make_doc(3, []),
        make_doc(11, [(1, 2, "A"), (9, 10, "A")]),
    ]
    spans, types, pairs, contexts = pair_arrays(
        [get_candidates(doc) for doc in docs], Batch(docs), context=2, max_context=7
    )
    assert spans.tolist() == [[0, 1], [3, 5], [9, 10], [17, 18]]
    assert pairs.tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]
    # 0-5 of the first; of the third 0-11, cut to 7 tokens
    assert contexts.tolist() == [[0, 5], [0, 5], [8, 15], [8, 15]]
    label = VOCAB.strings["A"]
    assert types[[0, 2, 3]].tolist() == [type_rows(label)] * 3


def test_no_documents_with_pairs():
    doc = make_doc(3, [])
    batch = [make_candidate_pairs()(doc)]
    arrays = pair_arrays(batch, Batch([doc]), context=2, max_context=7)
    assert [array.shape for array in arrays] == [(0, 2), (0, 3), (0, 2), (0, 2)]


def test_the_row_of_a_pair():
    pairs = numpy.array([[0, 1], [2, 0], [1, 0]])
    doc = make_doc(3, [])
    find = Candidates(doc, [doc[i : i + 1] for i in range(3)], pairs).finder()
    assert [find(*pair) for pair in pairs.tolist()] == [0, 1, 2]
    assert find(0, 2) is None
    assert find(2, 1) is None
    nothing = Candidates(doc, [], numpy.zeros((0, 2), dtype="int64"))
    assert nothing.finder()(0, 1) is None
