"""`attn_ner` with labels, texts and annotation that one would rather not have."""

from contextlib import nullcontext

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example, biluo_tags_to_spans, offsets_to_biluo_tags
from spacy.vectors import Vectors

LABELS = [
    "PER:first name",
    "名前",
    "B-PER",
    "a/b\\c",
    "O",
    "-",
    "L-",
    "<i>&amp;",
    " padded ",
    "🦀",
    "x" * 300,
]


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


def learn(ner, nlp, references, steps=90):
    """Train a blank pipeline on annotated documents with tokens of their own."""
    examples = [example_of(reference) for reference in references]
    sgd = nlp.initialize(lambda: examples)
    losses = ner.train(nlp, examples, steps, sgd)
    assert numpy.isfinite(losses["attn_ner"])
    return examples


def example_of(reference):
    words = [token.text for token in reference]
    spaces = [bool(token.whitespace_) for token in reference]
    return Example(Doc(reference.vocab, words=words, spaces=spaces), reference)


def entities(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def unread(doc):
    """The same words, nothing set."""
    words = [token.text for token in doc]
    spaces = [bool(token.whitespace_) for token in doc]
    return Doc(doc.vocab, words=words, spaces=spaces)


def assert_learnt(nlp, references):
    for reference in references:
        doc = nlp(unread(reference))
        assert entities(doc) == entities(reference), reference.text
        assert all(0.0 <= ent._.confidence <= 1.0 for ent in doc.ents)


@pytest.mark.parametrize("label", LABELS)
def test_labels_of_any_characters(ner, label, tmp_path):
    """Also some that look like BILUO tags, beside a label that they contain."""
    nlp = ner.blank()
    references = [nlp.make_doc(sentence[0]) for sentence in ner.sentences]
    for reference, sentence in zip(references, ner.sentences, strict=True):
        names = {"PER": label, "ORG": "PER", "LOC": "LOC"}
        spans = [Span(reference, i, j, names[own]) for i, j, own in sentence[1]]
        reference.set_ents(spans, default="outside")
    data = DocBin(docs=references).to_bytes()
    references = list(DocBin().from_bytes(data).get_docs(nlp.vocab))
    learn(ner, nlp, references)
    assert set(nlp.get_pipe("attn_ner").labels) == {label, "PER", "LOC"}
    assert_learnt(nlp, references)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    references = list(DocBin().from_bytes(data).get_docs(loaded.vocab))
    assert_learnt(loaded, references)
    pipe = loaded.get_pipe("attn_ner")
    docs = list(map(unread, references))
    _, names = pipe.token_marginals(docs)
    assert f"B-{label}" in names
    best = [readings[0].ents for readings in pipe.k_best(docs, 2)]
    assert best == [
        [Span(doc, *entity) for entity in entities(reference)]
        for doc, reference in zip(docs, references, strict=True)
    ]
    result = pipe.calibrate([example_of(reference) for reference in references])
    assert result.accuracy == 1.0


@pytest.mark.parametrize("label", ["", " ", "\n\t"])
def test_labels_of_nothing(ner, label):
    with pytest.raises(ValueError, match="of 'attn_ner' is not a non-empty string"):
        ner.blank().get_pipe("attn_ner").add_label(label)


def test_a_token_of_100_000_characters(ner):
    nlp = ner.blank()
    reference = Doc(nlp.vocab, words=["Mira", "x" * 100_000, "left"])
    reference.ents = [Span(reference, 0, 2, "PER")]
    references = [reference, *(e.reference for e in ner.examples(nlp)[:2])]
    learn(ner, nlp, references)
    assert_learnt(nlp, references)
    assert len(nlp("y" * 100_000)) == 1


@pytest.mark.parametrize(
    "words",
    [[" "], ["\n\n", "\t"], ["\u00a0"], ["\u2003", " "], ["\r\n"] * 40],
)
def test_documents_of_whitespace(ner, words):
    """Nothing in them is an entity, in training or afterwards; all is outside."""
    nlp = ner.blank()
    blank = Doc(nlp.vocab, words=words, spaces=[False] * len(words))
    blank.set_ents([], default="outside")
    references = [blank, *(example.reference for example in ner.examples(nlp))]
    learn(ner, nlp, references, steps=60)
    doc = nlp(unread(blank))
    assert doc.ents == ()
    assert all(token.ent_iob_ == "O" for token in doc)
    _, doc = nlp.pipe([ner.sentences[0][0], blank.text])
    assert doc.text == blank.text
    assert doc.ents == ()


CONTROL = [
    "\x00",
    "\x07",
    "\x1b[31m",
    "\u200b",
    "\ufeff",
    "\u202e",
    "\x7f",
    "\U000e0001",
]


def test_control_characters(ner, tmp_path):
    """As words, within words, and as entities."""
    nlp = ner.blank()
    references = []
    for i, character in enumerate(CONTROL):
        words = ["They", "saw", character, "and", f"Mi{character}ra", "."]
        reference = Doc(nlp.vocab, words=words)
        spans = [Span(reference, 4, 5, "PER")]
        if i % 2:
            spans.append(Span(reference, 2, 3, "ODD"))
        reference.set_ents(spans, default="outside")
        references.append(reference)
    learn(ner, nlp, references, steps=150)
    assert_learnt(nlp, references)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for reference in references:
        doc = loaded(reference.text)
        assert doc.text == reference.text
        assert spacy.blank("en")(doc.text).text == doc.text
        assert Doc(loaded.vocab).from_bytes(doc.to_bytes()).ents is not None


def test_entities_across_sentences(ner):
    """Sentence ends are no ends of entities: those are learnt as annotated."""
    nlp = ner.blank()
    references = [example.reference for example in ner.examples(nlp)]
    first = references[0]  # Mira Okafor | works for Kestrel | Lines in Bergen .
    for token in first:
        token.is_sent_start = token.i in (0, 1, 5)
    learn(ner, nlp, references)
    doc = unread(first)
    for token in doc:
        token.is_sent_start = token.i in (0, 1, 5)
    assert entities(nlp(doc)) == entities(first)
    assert len(list(doc.sents)) == 3


@pytest.mark.parametrize(
    ("words", "entity", "trimmed", "message"),
    [
        (["Mira", " ", "Okafor", "left"], (0, 3), (0, 3), None),  # within
        (["Mira", "\n\n", "left"], (0, 2), (0, 1), "1 begin or end with"),
        (["\t", "Mira", "left"], (0, 2), (1, 2), "1 begin or end with"),
        (["Then", "\n", "Mira", "left"], (1, 2), None, "1 are whitespace alone"),
    ],
)
def test_entities_with_whitespace_are_trimmed(ner, words, entity, trimmed, message):
    nlp = ner.blank()
    odd = Doc(nlp.vocab, words=words, spaces=[False] * len(words))
    odd.set_ents([Span(odd, *entity, "PER")], default="outside")
    references = [odd, *(example.reference for example in ner.examples(nlp))]
    with warnings_like(message):
        learn(ner, nlp, references)
    odd.ents = [Span(odd, *trimmed, "PER")] if trimmed else []
    assert_learnt(nlp, references)


def warnings_like(message):
    """Expects a warning, or none at all, which as an error would fail the test."""
    return pytest.warns(UserWarning, match=message) if message else nullcontext()


def test_overlapping_annotation_cannot_come_in():
    """spaCy refuses it, before the component sees it."""
    nlp = spacy.blank("en")
    doc = nlp.make_doc("Mira Okafor left")
    with pytest.raises(ValueError, match="E1010"):
        doc.set_ents([Span(doc, 0, 2, "PER"), Span(doc, 1, 3, "PER")])
    with pytest.raises(ValueError, match="E103"):
        offsets_to_biluo_tags(doc, [(0, 11, "PER"), (5, 11, "PER")])
    assert biluo_tags_to_spans(doc, ["B-PER", "L-PER", "O"]) == [Span(doc, 0, 2, "PER")]


def with_vectors(rows, width):
    nlp = spacy.blank("en")
    data = numpy.random.default_rng(0).normal(size=(rows, width)).astype("float32")
    keys = [f"word{i}" for i in range(rows)]
    if rows:
        nlp.vocab.vectors = Vectors(data=data, keys=keys, strings=nlp.vocab.strings)
    return nlp


@pytest.mark.parametrize(("rows", "width"), [(31, 8), (17, 8), (31, 5), (0, 0)])
def test_a_vectors_table_of_another_size(ner, rows, width):
    """A component that is loaded into a pipeline with other vectors than its own."""
    config = ner.config
    config["model"]["tok2vec"]["embed"]["vector_width"] = 7
    nlp = with_vectors(31, 8)
    nlp.add_pipe("attn_ner", config=config)
    examples = ner.examples(nlp)
    nlp.initialize(lambda: examples)
    data = nlp.get_pipe("attn_ner").to_bytes(exclude=["vocab"])
    other = with_vectors(rows, width)
    pipe = other.add_pipe("attn_ner", config=config).from_bytes(data)
    doc = other.make_doc(ner.sentences[0][0])
    if (rows, width) == (31, 8):
        assert len(pipe.predict([doc])) == 1
        return
    here = rf"\({rows} x {width}, by ORTH\)" if rows else "none"
    message = rf"\(31 x 8, by ORTH\), the vocab has .*{here}: load it with the vectors"
    with pytest.raises(ValueError, match=message):
        pipe.predict([doc])
