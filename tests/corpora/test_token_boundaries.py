from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_attnner.corpora.alignment import split_tokens


def test_only_what_an_offset_cuts_is_split(vocab):
    doc = Doc(vocab, words=["theoven", "door", "!"], spaces=[True, False, False])
    made = split_tokens(doc, [3, 7, 8, 10])
    assert [token.text for token in made] == ["the", "oven", "do", "or", "!"]
    assert made.text == doc.text


def test_nothing_to_split(vocab):
    doc = Doc(vocab, words=["the", "oven"])
    assert split_tokens(doc, [0, 3, 4, 8, 9, -1, 77]) is doc
    assert len(split_tokens(Doc(vocab, words=[]), [0, 1])) == 0


@settings(deadline=None)
@given(text=st.text("ab é-'.", max_size=20), data=st.data())
def test_every_offset_between_words_becomes_a_boundary(nlp, text, data):
    doc = nlp.make_doc(text)
    offsets = data.draw(st.lists(st.integers(0, max(0, len(doc.text)))))
    made = split_tokens(doc, offsets)
    assert made.text == doc.text
    starts = {token.idx for token in made}
    ends = {token.idx + len(token) for token in made}
    between = {token.idx + len(token) + 1 for token in made}  # after a space
    assert set(offsets) <= starts | ends | between | {0}
