"""What the package keeps in span groups, whatever later components do to the tokens."""

import json
from itertools import pairwise

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from spacy_attnner.confidence import confidences, get_confidence, set_confidences
from spacy_attnner.relations import (
    Relation,
    doc_from_json,
    doc_to_json,
    get_relations,
    merge_docs,
    set_relations,
    span_to_doc,
)
from spacy_attnner.span_groups import AlignedSpanGroup, group_spans, trimmed_spans

NLP = spacy.blank("en")
VOCAB = NLP.vocab
WORDS = ["Mira", "Okafor", "left", "Kestrel", "Lines", "for", "Bergen", "."]
ENTS = [(0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")]
SCORES = [0.875, 0.75, 0.5]


@pytest.fixture
def doc():
    doc = Doc(VOCAB, words=WORDS)
    doc.has_unknown_spaces = False
    doc.ents = [Span(doc, *ent) for ent in ENTS]
    return annotate(doc)


def annotate(doc):
    set_confidences(doc, zip(doc.ents, SCORES, strict=True))
    head, tail, _ = doc.ents
    set_relations(doc, [Relation(head, tail, "Left", 0.25)])
    return doc


def merge(doc, *bounds):
    with doc.retokenize() as retokenizer:
        for start, end in bounds:
            retokenizer.merge(doc[start:end])


def split(doc, i, at=1):
    text = doc[i].text
    with doc.retokenize() as retokenizer:
        heads = [(doc[i], 0)] * 2
        retokenizer.split(doc[i], [text[:at], text[at:]], heads=heads)


def readable(doc):
    relations = [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]
    return [(ent.text, get_confidence(ent)) for ent in doc.ents], relations


EXPECTED = (
    [("Mira Okafor", 0.875), ("Kestrel Lines", 0.75), ("Bergen", 0.5)],
    [("Mira Okafor", "Left", "Kestrel Lines")],
)
CHANGES = {
    "entities merged": lambda doc: merge(doc, (0, 2), (3, 5)),
    "an entity's first token split": lambda doc: split(doc, 0),
    "another token split": lambda doc: split(doc, 2),
    "merged, then split elsewhere": lambda doc: (merge(doc, (0, 2)), split(doc, 2)),
}
STORES = {
    "as it is": lambda doc: doc,
    "copy": Doc.copy,
    "bytes": lambda doc: Doc(VOCAB).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc: next(DocBin(docs=[doc]).get_docs(VOCAB)),
    "JSON": lambda doc: doc_from_json(VOCAB, json.loads(json.dumps(doc_to_json(doc)))),
    "merge_docs": lambda doc: merge_docs([doc]),
    "span_to_doc": lambda doc: span_to_doc(doc[:]),
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_confidences_and_relations_after_tokens_changed(doc, change, store):
    change(doc)
    assert readable(store(doc)) == EXPECTED
    assert readable(doc) == EXPECTED


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_spacys_own_functions_after_tokens_changed(doc, change):
    change(doc)
    texts = [text for text, _ in EXPECTED[0]]
    spans = doc.to_json()["spans"]["attn_ner"]
    assert [doc.text[each["start"] : each["end"]] for each in spans] == texts
    both = Doc.from_docs([doc, doc])
    assert [span.text for span in both.spans["attn_ner"]] == texts * 2
    assert doc.spans["attn_ner"].has_overlap is False


def test_a_token_that_is_merged_and_split_again_costs_nothing(doc):
    merge(doc, (1, 4))
    (person, *_), _ = readable(doc)
    assert person[1] == 0.875
    split(doc, 1, at=len("Okafor"))
    split(doc, 2, at=len(" left "))
    assert [span.text for span in doc.spans["attn_ner"]] == [
        *("Mira Okafor", "Kestrel Lines", "Bergen")
    ]


def test_entities_of_one_merged_token(doc):
    """It has the confidence of the surest of them."""
    set_confidences(doc, [(Span(doc, i, i + 1, "X"), 0.25 * (i + 1)) for i in range(3)])
    merge(doc, (0, 2))
    found = [Span(doc, i, i + 1, label) for i, label in enumerate(["X", "X", "Y"])]
    assert confidences(doc, found) == [0.5, 0.75, None]


def test_spans_that_were_made_before_tokens_changed(doc):
    before = list(doc.ents)
    merge(doc, (0, 2), (3, 5))
    assert confidences(doc, before) == SCORES
    split(doc, 0)
    assert confidences(doc, before) == SCORES
    shorter = Doc(VOCAB, words=["Oslo"])
    assert get_confidence(Span(shorter, 0, 1, "LOC")) is None


def test_a_group_is_read_by_index_as_in_a_loop(doc):
    merge(doc, (0, 2), (3, 5))
    group = doc.spans["attn_ner"]
    assert [group[i].text for i in (0, 1, 2)] == [span.text for span in group]
    assert [group[-1].text, group[-3].text] == ["Bergen", "Mira Okafor"]
    for i in (3, -4):
        with pytest.raises(IndexError, match="E856"):
            group[i]
    assert repr(group) == "[Mira Okafor, Kestrel Lines, Bergen]"


def test_a_group_that_somebody_changes(doc):
    group = doc.spans["attn_ner"]
    assert get_confidence(doc.ents[0]) == 0.875
    group[0] = Span(doc, 0, 1, "PER")
    assert [get_confidence(Span(doc, 0, i, "PER")) for i in (1, 2)] == [0.875, None]
    group.attrs["scores"][0] = 0.125
    assert get_confidence(Span(doc, 0, 1, "PER")) == 0.125
    group.append(Span(doc, 2, 3, "ACT"))
    group.extend([Span(doc, 5, 6, "FOR")])
    assert get_confidence(Span(doc, 2, 3, "ACT")) is None  # no score was added
    group.attrs["scores"] += [0.5, 0.625]
    assert get_confidence(Span(doc, 5, 6, "FOR")) == 0.625
    assert isinstance(group + group, AlignedSpanGroup)


def test_groups_of_others_are_read_by_characters_and_left_as_they_are(doc):
    other = SpanGroup(doc, name="mine", spans=[doc[6:7], doc[3:5], doc[8:8]])
    doc.spans["mine"] = other
    merge(doc, (0, 2))
    assert [span.text for span in group_spans(other)] == ["Bergen", "Kestrel Lines", ""]
    assert readable(doc) == EXPECTED
    assert doc.spans["mine"] is other


def test_bytes_are_spacys_own():
    doc = spacy.blank("en")("Ann Lee met Bo in Oslo")
    spans = [Span(doc, 0, 2, "PER", kb_id="Q1", span_id="a"), Span(doc, 5, 6, "LOC")]
    attrs = {"scores": [0.5, 0.25], "attn_ner": 3, "names": {"é": [None, True]}}
    for some in ([], spans):
        own = AlignedSpanGroup(doc, name="own", attrs=attrs, spans=some)
        expected = SpanGroup(doc, name="own", attrs=attrs, spans=some).to_bytes()
        assert own.to_bytes() == expected == own.to_bytes()
    own.attrs["more"] = object()
    with pytest.raises(TypeError):
        own.to_bytes()
    del own.attrs["more"]
    assert own.to_bytes() == expected


def test_whitespace_at_the_edges_of_spans():
    doc = Doc(VOCAB, words=["\n", "Ada", " ", "King", " ", "\n"])
    spans = [doc[0:5], doc[1:4], doc[4:6], doc[1:1], Span(doc, 3, 6, "A", kb_id="Q7")]
    found = [(span.start, span.end) for span in trimmed_spans(doc, spans)]
    assert found == [(1, 4), (1, 4), (3, 4)]
    assert trimmed_spans(doc, spans)[-1].kb_id_ == "Q7"
    plain = Doc(VOCAB, words=WORDS)
    assert trimmed_spans(plain, [plain[1:1], plain[0:2]]) == [plain[0:2]]


# Any document, any changes


@st.composite
def cases(draw):
    parts = st.sampled_from(["a", "bc", "déf", ".", " ", "  ", "\n"])
    text = draw(st.lists(parts, min_size=2, max_size=12).map("".join))
    n_tokens = len(NLP.make_doc(text))
    cuts = st.sets(st.integers(0, n_tokens), min_size=2)
    bounds = sorted(draw(cuts)) if n_tokens > 1 else [0, 1]
    labels = st.sampled_from("AB")
    ents = [(i, j, draw(labels)) for i, j in pairwise(bounds)]
    scores = [draw(st.integers(0, 100)) / 100 for _ in ents]
    places = st.integers(0, len(ents) - 1)
    triples = st.tuples(places, places, labels).filter(lambda each: each[0] != each[1])
    relations = draw(st.sets(triples, max_size=5)) if len(ents) > 1 else set()
    numbers = st.integers(0, 99)
    step = st.tuples(st.sampled_from(["merge", "split", *STORES]), numbers, numbers)
    return text, ents, scores, sorted(relations), draw(st.lists(step, max_size=7))


def apply(doc, what, i, j):
    if what == "JSON" and not spacy_reads_its_json(doc):
        return doc
    if what in STORES:
        return STORES[what](doc)
    i %= len(doc)
    if what == "merge":
        end = i + 1 + j % (len(doc) - i)
        if end - i > 1:
            merge(doc, (i, end))
    elif len(doc[i]) > 1:
        split(doc, i, at=1 + j % (len(doc[i]) - 1))
    return doc


def spacy_reads_its_json(doc):
    """It does not where whitespace tokens are merged."""
    try:
        return bool(Doc(VOCAB).from_json(doc.to_json()))
    except (AssertionError, ValueError):
        return False


def expanded(doc, span):
    """The characters that a span takes on the present tokens, and its label."""
    start, end, label = span
    tokens = [each for each in doc if each.idx < end and each.idx + len(each) > start]
    return tokens[0].idx, tokens[-1].idx + len(tokens[-1]), label


def place(span):
    return span.start_char, span.end_char, span.label_


@given(cases())
@settings(max_examples=200)
def test_everything_stays_findable_by_its_characters(case):
    text, ents, scores, relations, steps = case
    doc = NLP.make_doc(text)
    spans = [Span(doc, *ent) for ent in ents]
    set_confidences(doc, zip(spans, scores, strict=True))
    made = [(spans[head], spans[tail], label) for head, tail, label in relations]
    set_relations(doc, [Relation(*each) for each in made], "relations")
    entities = [(place(span), score) for span, score in zip(spans, scores, strict=True)]
    related = [(place(head), place(tail), label) for head, tail, label in made]
    for step in steps:
        before, doc = doc, apply(doc, *step)
        now = [(expanded(doc, where), score) for where, score in entities]
        joined = {(expanded(doc, h), expanded(doc, t), r) for h, t, r in related}
        if doc is not before:  # what was stored are the tokens of then
            entities, related = now, sorted(joined)
        for where, _ in now:
            span = doc.char_span(*where[:2], label=where[2])
            expected = max(score for other, score in now if other == where)
            assert get_confidence(span) == expected
        found = [(place(r.head), place(r.tail), r.label) for r in get_relations(doc)]
        assert sorted(found) == sorted(each for each in joined if each[0] != each[1])
