import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.corpora.conll import decode_iob

LABELS = st.sampled_from(["PER", "ORG", "A-B"])


@st.composite
def spans_and_length(draw):
    """Entities that do not overlap, some of them side by side, and a length."""
    spans, at = [], 0
    for _ in range(draw(st.integers(0, 6))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 3))
        spans.append((start, at, draw(LABELS)))
    return spans, at + draw(st.integers(0, 2))


def encode(spans, length, *, iob1):
    tags = ["O"] * length
    before = None
    for start, end, label in spans:
        touches = before is not None and before[1:] == (start, label)
        tags[start:end] = [f"I-{label}"] * (end - start)
        if not iob1 or touches:
            tags[start] = f"B-{label}"
        before = (start, end, label)
    return tags


@pytest.mark.parametrize("iob1", [False, True])
@given(case=spans_and_length())
def test_decoding_inverts_encoding(case, iob1):
    spans, length = case
    found = decode_iob(encode(spans, length, iob1=iob1))
    assert [span[:3] for span in found] == spans


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])))
def test_any_sequence_decodes_to_its_own_labels(tags):
    found = decode_iob(tags)
    covered = {i: s.label for s in found for i in range(s.start, s.end)}
    assert covered == {i: tag[2:] for i, tag in enumerate(tags) if tag != "O"}
    assert all(tags[s.start][0] == ("I" if s.begins_inside else "B") for s in found)
    assert all(tag[0] == "I" for s in found for tag in tags[s.start + 1 : s.end])


def test_entities_side_by_side():
    found = decode_iob(["I-PER", "B-PER", "I-ORG", "I-ORG", "O", "I-ORG"])
    assert [tuple(span) for span in found] == [
        (0, 1, "PER", True),
        (1, 2, "PER", False),
        (2, 4, "ORG", True),
        (5, 6, "ORG", True),
    ]


@pytest.mark.parametrize(
    "tag", ["U-PER", "L-PER", "B", "I-", "PER", "", "O-PER", "b-X"]
)
def test_other_tags_are_refused(tag):
    with pytest.raises(
        ValueError, match=f"tag '{tag}' is none of O, B-TYPE and I-TYPE"
    ):
        decode_iob(["O", tag])
