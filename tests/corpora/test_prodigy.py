import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_attnner.corpora import documents, prodigy
from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.corpora.jsonl import JSONL
from spacy_attnner.corpora.prodigy import PRODIGY
from spacy_attnner.corpora.recognition import claimed_by
from spacy_attnner.relations import get_relations, has_relations

from .reading_as import read_as

read_prodigy = read_as("prodigy")

WORDS = ["Mira", "Okafor", "runs", "Kestrel", "Lines", "of", "Bergen", "."]
SPACES = [True] * 6 + [False, False]
SPANS = [(0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")]


def make_example(words=WORDS, spaces=SPACES, spans=SPANS, relations=(), **keys):
    """An example as Prodigy stores it; relations are (span, span, label)."""
    tokens, at = [], 0
    for i, (word, space) in enumerate(zip(words, spaces, strict=True)):
        token = {"text": word, "start": at, "end": at + len(word), "id": i, "ws": space}
        tokens.append({**token, "disabled": False})
        at += len(word) + space
    text = "".join(w + " " * s for w, s in zip(words, spaces, strict=True))
    placed = [
        {
            "start": tokens[start]["start"],
            "end": tokens[end - 1]["end"],
            "token_start": start,
            "token_end": end - 1,
            "label": label,
        }
        for start, end, label in spans
    ]
    links = [
        {
            "head": placed[head]["token_end"],
            "child": placed[child]["token_end"],
            "head_span": placed[head],
            "child_span": placed[child],
            "color": "#c5bdf4",
            "label": label,
        }
        for head, child, label in relations
    ]
    example = {"text": text, "tokens": tokens, "spans": placed, "relations": links}
    head = {"_input_hash": -31, "_task_hash": 7, "_is_binary": False}
    tail = {"_view_id": "relations", "answer": "accept", "meta": {"page": 3}}
    return {**head, **example, **tail, **keys}


RUNS, IN = (0, 1, "Runs"), (1, 2, "Based_In")
GOOD = make_example(relations=[RUNS, IN])


@pytest.fixture
def read(write, nlp):
    """Read examples; returns the documents and the repairs."""

    def read_examples(*examples, **settings):
        repairs = Repairs()
        path = write("\n".join(map(json.dumps, examples)))
        docs = read_prodigy(path, nlp, repairs=repairs, **settings)
        return list(docs), repairs

    return read_examples


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


ENTS = [("Mira Okafor", "PER"), ("Kestrel Lines", "ORG"), ("Bergen", "LOC")]
TRIPLES = [
    ("Mira Okafor", "Runs", "Kestrel Lines"),
    ("Kestrel Lines", "Based_In", "Bergen"),
]


def change(example=GOOD, without=(), **keys):
    """An example with other keys."""
    changed = {**example, **keys}
    return {key: value for key, value in changed.items() if key not in without}


def change_relation(without=(), **keys):
    return change(relations=[change(GOOD["relations"][0], without, **keys)])


def test_spans_and_relations(read):
    (doc,), repairs = read(GOOD)
    assert [token.text for token in doc] == WORDS
    assert doc.text == "Mira Okafor runs Kestrel Lines of Bergen."
    assert ents(doc) == ENTS
    assert triples(doc) == TRIPLES
    assert doc.has_annotation("ENT_IOB", require_complete=True)
    assert {r.head.label_ for r in get_relations(doc)} == {"PER", "ORG"}
    assert not repairs


def test_without_tokens_the_tokenizer_splits(read):
    (doc,), _ = read(change(without=["tokens"]))
    assert (ents(doc), triples(doc)) == (ENTS, TRIPLES)


@pytest.mark.parametrize("keys", [["start", "end"], ["token_start", "token_end"]])
def test_either_offsets_of_a_span_will_do(read, keys):
    spans = [{key: span[key] for key in [*keys, "label"]} for span in GOOD["spans"]]
    (doc,), _ = read(change(spans=spans))
    assert (ents(doc), triples(doc)) == (ENTS, TRIPLES)


@pytest.mark.parametrize("place", [None, {}, {"token_start": 1, "token_end": 1}])
def test_the_last_token_tells_the_span(read, place):
    (doc,), repairs = read(change_relation(head_span=place))
    assert triples(doc) == TRIPLES[:1]
    assert not repairs


def test_the_offsets_of_the_span_count_not_its_token_start(read):
    """The tutorial's file has `token_end` there where a span begins the text."""
    wrong = {**GOOD["spans"][0], "token_start": 1}
    (doc,), repairs = read(change_relation(head_span=wrong))
    assert triples(doc) == TRIPLES[:1]
    assert not repairs


def test_an_absent_key_means_not_annotated(read):
    one, two, three = read(
        {"text": "Mira slept", "answer": "accept"},
        change(without=["relations"]),
        make_example(spans=[]),
    )[0]
    assert not one.has_annotation("ENT_IOB")
    assert [has_relations(doc) for doc in (one, two, three)] == [False, False, True]
    assert (len(one.ents), len(two.ents), len(three.ents)) == (0, 3, 0)
    assert three.has_annotation("ENT_IOB", require_complete=True)


def test_only_accepted_examples_are_read(read):
    answers = ["accept", "reject", "ignore", "reject"]
    examples = [change(answer=answer) for answer in answers]
    broken = change(answer="ignore", tokens=[])
    docs, repairs = read(*examples, broken, change(without=["answer"]))
    assert [triples(doc) for doc in docs] == [TRIPLES, TRIPLES]
    rejected, ignored = prodigy.LEFT_OUT["reject"], prodigy.LEFT_OUT["ignore"]
    assert repairs == {rejected: 2, ignored: 2}
    assert repairs.notes[0].endswith(f"corpus.txt:2: {GOOD['text'][:40]!r}")


def test_an_answer_to_one_suggestion_is_no_full_annotation(read):
    docs, repairs = read(GOOD, change(_is_binary=True))
    assert len(docs) == 1
    assert repairs == {prodigy.BINARY: 1}


def test_a_file_without_accepted_examples_is_an_error(read):
    with pytest.raises(CorpusError, match=r"txt: none of the 2 examples was accepted"):
        read(change(answer="reject"), change(_is_binary=True))
    with pytest.raises(CorpusError, match=r":1: the file holds no document"):
        read()


def test_overlapping_spans_and_their_relations(read):
    spans = [*SPANS, (3, 7, "UNIT"), (6, 7, "TOWN"), (6, 7, "LOC")]
    relations = [(0, 3, "Runs"), (0, 1, "Runs"), (3, 2, "Based_In")]
    (doc,), repairs = read(make_example(spans=spans, relations=relations))
    assert ents(doc) == [ENTS[0], ("Kestrel Lines of Bergen", "UNIT")]
    assert [span.text for span in doc.spans[documents.ALL_ENTITIES]] == [
        *("Mira Okafor", "Kestrel Lines", "Bergen", "Kestrel Lines of Bergen"),
        "Bergen",
    ]
    assert triples(doc) == [
        ("Mira Okafor", "Runs", "Kestrel Lines of Bergen"),
        ("Mira Okafor", "Runs", "Kestrel Lines"),
        ("Kestrel Lines of Bergen", "Based_In", "Bergen"),
    ]
    assert repairs == {
        documents.OVERLAP: 3,
        documents.TWICE: 1,
        documents.NESTED: 2,
    }
    assert "corpus.txt:1: 'Bergen' (LOC)" in repairs.notes[0]
    assert "'Runs' from 'Mira Okafor' to 'Kestrel Lines'" in repairs.notes[4]


def test_a_span_without_a_label_gets_one(read):
    spans = [{**span, "label": None} for span in GOOD["spans"]]
    (doc,), repairs = read(change(spans=spans), entity_label="THING")
    assert {label for _, label in ents(doc)} == {"THING"}
    assert triples(doc) == TRIPLES
    assert repairs == {prodigy.UNLABELLED: 3}


@pytest.mark.parametrize(
    ("relation", "found", "repair"),
    [
        # an argument that is a plain token, as Prodigy writes it
        (
            {"child": 2, "child_span": {"start": 12, "end": 16, "label": None}},
            [],
            prodigy.NO_SPAN,
        ),
        ({"head": 5, "child": 7}, [], prodigy.NO_SPAN),
        ({"head": 0}, TRIPLES[:1], prodigy.MOVED),
        (
            {"child": 3, "child_span": {"start": 17, "end": 24}},
            TRIPLES[:1],
            prodigy.MOVED,
        ),
        ({"child": 1}, [], prodigy.SELF),
        ({"child": 0}, [], prodigy.SELF),
    ],
)
def test_flawed_relations_are_repaired_and_counted(read, relation, found, repair):
    example = change_relation(["head_span", "child_span"], **relation)
    (doc,), repairs = read(example)
    assert triples(doc) == found
    assert has_relations(doc)
    assert repairs == {repair: 1}
    assert "corpus.txt:1: Runs from" in repairs.notes[0]


def test_a_relation_given_twice_counts_once(read):
    again = [*GOOD["relations"], change(GOOD["relations"][0], color="#fff", score=0.2)]
    (doc,), repairs = read(change(relations=again))
    assert triples(doc) == TRIPLES
    assert repairs == {documents.LINK_TWICE: 1}


def test_one_pair_may_have_two_labels_and_both_directions(read):
    relations = [RUNS, (0, 1, "Owns"), (1, 0, "Runs")]
    (doc,), repairs = read(make_example(relations=relations))
    assert len(triples(doc)) == 3
    assert not repairs


def change_span(without=(), **keys):
    return change(spans=[change(GOOD["spans"][0], without, **keys)])


def change_token(**keys):
    return change(tokens=[{**GOOD["tokens"][0], **keys}, *GOOD["tokens"][1:]])


ERRORS = [
    (["text"], "example is ['text']; give an object"),
    (change(text=None), "text is None; give a string"),
    (change(answer="maybe"), "answer is 'maybe'; write accept, reject or ignore"),
    (change(answer=["accept"]), "answer is ['accept']; write accept"),
    (change(entities=[]), "entities is no key of Prodigy's; its entities are spans"),
    (change(tokens="Mira"), "tokens is 'Mira'; give a list"),
    (change(tokens=["Mira"]), "tokens[0] is 'Mira'; give an object"),
    (change_token(text=1), "tokens[0] text is 1; give a string"),
    (change_token(text=""), "tokens[0] is '' where the text has 'Mira Okafor runs Kes"),
    (
        change_token(text="Mir"),
        "tokens[1] is 'Okafor' where the text has 'a Okafor run",
    ),
    (change(tokens=GOOD["tokens"][:6]), "the tokens end before 'Bergen.'; give all to"),
    (change(spans={}), "spans is {}; give a list"),
    (change(spans=[[0, 4]]), "spans[0] is [0, 4]; give an object"),
    (change_span(["end"]), "missing key 'end' in spans[0]; give start and end"),
    (
        change_span(["start", "end", "token_end"]),
        "missing key 'token_end' in spans[0]; give token_start and token_end",
    ),
    (change_span(start="0"), "spans[0] start is '0'; give a whole number"),
    (change_span(label=3), "spans[0] label is 3; give a string"),
    (change_span(label=""), "spans[0] label is empty; name its type"),
    (change_span(label="GOD"), "unknown label 'GOD'; the labels given are"),
    (change_span(start=-1), "spans[0] 'PER' spans -1 to 11, out of range"),
    (change_span(end=99), "out of range: the document has 41 characters"),
    (change_span(["start", "end"], token_end=8), "spans 0 to 9, out of range: the doc"),
    (change_span(end=9), "'Mira Okaf' (0 to 9) does not begin and end with a token; t"),
    (change(relations={}), "relations is {}; give a list"),
    (change(relations=[3]), "relations[0] is 3; give an object"),
    (change_relation(["label"]), "missing key 'label' in relations[0]; name its type"),
    (change_relation(label=None), "relations[0] label is None; give a string"),
    (change_relation(label=""), "relations[0] label is empty"),
    (change_relation(label="Eats"), "unknown label 'Eats'; the labels given are"),
    (change_relation(["head"]), "relations[0] head is None; give a whole number"),
    (
        change_relation(child=8),
        "child is token 8, counted from 0; the example has only 8",
    ),
    (
        change_relation(head=-1),
        "relations[0] head is token -1, counted from 0; the exam",
    ),
    (change_relation(head=2), "head is token 2, which is not in its head_span 'Mira O"),
    (change_relation(head_span=[1]), "relations[0] head_span is [1]; give an object"),
]


@pytest.mark.parametrize(("example", "message"), ERRORS)
def test_errors_name_the_line(write, nlp, example, message):
    path = write(f"{json.dumps(GOOD)}\n\n{json.dumps(example)}\n")
    labels = ["PER", "ORG", "LOC", "Runs", "Based_In"]
    with pytest.raises(CorpusError) as caught:
        list(read_prodigy(path, nlp, labels=labels))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)


def test_a_line_that_is_no_json(write, nlp):
    with pytest.raises(CorpusError, match=r":2: invalid JSON, .*write one object a li"):
        list(read_prodigy(write(json.dumps(GOOD) + '\n{"text"'), nlp))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ({"text": "Ada", "spans": []}, True),
        ({"text": "Ada", "_task_hash": 1}, True),
        ({"text": "Ada", "tokens": [{"text": "Ada"}]}, True),
        ({"text": "Ada", "relations": [{"head": 0, "child": 1, "label": "A"}]}, True),
        ({"text": "Ada", "relations": [{"head_span": {}}]}, True),
        ({"tokens": ["Ada"], "relations": []}, False),
        ({"text": "Ada", "cats": {}}, False),
        ({"text": "Ada", "relations": [{"head": 0, "tail": 1}]}, False),
        ({"text": "Ada", "relations": [], "meta": {}}, None),
        ({"text": "Ada", "entities": []}, None),  # Doccano has this, too
        ({"text": "Ada", "tokens": "Ada"}, None),
        (["Ada"], None),
    ],
)
def test_keys_tell_it_from_the_own_format(line, answer):
    claimed = claimed_by(line, [JSONL, PRODIGY])
    assert claimed == ([] if answer is None else ["prodigy" if answer else "jsonl"])


@st.composite
def examples(draw):
    """Words, spaces, spans that do not overlap and relations without flaws."""
    words = draw(st.lists(st.text("abé日'-1", min_size=1, max_size=3), min_size=1))
    n = len(words)
    spaces = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    cuts = sorted(draw(st.sets(st.integers(0, n), max_size=8)))
    label = st.sampled_from(["A", "B-C", "é"])
    spans = [
        (start, end, draw(label))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    pairs = [(h, t) for h in range(len(spans)) for t in range(len(spans)) if h != t]
    chosen = st.lists(st.tuples(st.sampled_from(pairs), label), unique=True)
    links = [(h, t, name) for (h, t), name in (draw(chosen) if pairs else [])]
    return words, spaces, spans, links


@settings(deadline=None)
@given(drawn=examples())
def test_what_prodigy_stored_is_what_is_read(nlp, tmp_path_factory, drawn):
    words, spaces, spans, links = drawn
    path = tmp_path_factory.mktemp("prodigy") / "corpus.jsonl"
    path.write_text(json.dumps(make_example(words, spaces, spans, links)))
    repairs = Repairs()
    (doc,) = read_prodigy(path, nlp, repairs=repairs)
    assert doc.text == Doc(nlp.vocab, words=words, spaces=spaces).text
    assert [(e.start, e.end, e.label_) for e in doc.ents] == spans
    found = [(r.head.start, r.tail.start, r.label) for r in get_relations(doc)]
    assert found == [(spans[h][0], spans[t][0], label) for h, t, label in links]
    assert not repairs
