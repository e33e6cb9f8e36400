"""Whitespace tokens change nothing: models see the text without them."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.pipeline.biluo import gold_tags, incorrect_paths
from spacy_attnner.relations import Relation, get_relations, set_relations

ODD = [" ", "\n", "\n\n", "\t", "  \n "]


def spaced(doc, gaps, rng):
    """A copy of a document with whitespace tokens at some places, and where they went.

    gaps: Share of the places between words, and at both ends, that get one.
    """
    words, places = [], []
    for token in doc:
        words += [str(rng.choice(ODD))] if rng.random() < gaps else []
        places.append(len(words))
        words.append(token.text)
    words += [str(rng.choice(ODD))] if rng.random() < gaps else []
    copy = Doc(doc.vocab, words=words, spaces=[False] * len(words))
    starts = [places[token.i] for token in doc if token.is_sent_start]
    if doc.has_annotation("SENT_START"):
        for token in copy:
            token.is_sent_start = token.i in starts
    copy.ents = [moved(ent, copy, places) for ent in doc.ents]
    return copy, places


def moved(span, doc, places):
    return Span(doc, places[span.start], places[span.end - 1] + 1, span.label_)


def answers(task, doc, places):
    """What a component found, at the places of the words."""
    if task.name.startswith("attn_textcat"):
        return dict(doc.cats)
    back = {place: i for i, place in enumerate(places)}
    if task.name == "attn_ner":
        return {
            (back[e.start], back[e.end - 1], e.label_): e._.confidence for e in doc.ents
        }
    return {
        (back[r.head.start], back[r.tail.start], r.label): r.score
        for r in get_relations(doc)
    }


@pytest.mark.parametrize("gaps", [0.1, 0.5, 1.0])
def test_predictions_are_those_of_the_text_without_it(task, trained, gaps):
    rng = numpy.random.default_rng(0)
    for sentence in task.sentences:
        plain = task.doc(trained, sentence)
        odd, places = spaced(plain, gaps, rng)
        expected = answers(task, trained(plain), list(range(len(plain))))
        found = answers(task, trained(odd), places)
        # rounded to six digits, and rows elsewhere are summed in another order
        assert found == pytest.approx(expected, abs=1.1e-6)


@pytest.mark.parametrize("text", ODD)
def test_nothing_is_found_in_nothing_else(task, trained, text):
    (doc,) = trained.pipe([text])
    assert not doc.ents
    assert not get_relations(doc)


def test_a_shared_encoder_and_document_context_do_not_see_it(make_task):
    task = make_task("attn_ner")
    config = task.config
    context = {"@architectures": "spacy-attnner.DocumentContext.v1", "width": 26}
    context |= {"value_width": 12, "tok2vec": config["model"]["tok2vec"]}
    config["model"] |= {"tok2vec": context, "sentences": True}
    nlp = task.blank()
    nlp.replace_pipe("attn_ner", "attn_ner", config=config)
    examples = task.examples(nlp)
    task.train(nlp, examples, 20, nlp.initialize(lambda: examples))
    emissions = nlp.get_pipe("attn_ner").model.predict
    for sentence in task.sentences:
        plain = nlp.make_doc(sentence[0])
        for token in plain:
            token.is_sent_start = token.i in (0, 4)
        odd, _ = spaced(plain, 0.7, numpy.random.default_rng(1))
        ((expected,), (found,)) = emissions([plain]), emissions([odd])
        numpy.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("gaps", [0.3, 1.0])
def test_updates_are_those_of_the_text_without_it(task, gaps):
    """The loss of annotated documents with whitespace, also at edges of entities."""
    losses = []
    config = task.config
    config["model"]["tok2vec"]["embed"]["word_dropout"] = 0.0  # drawn for every token
    for share in (0.0, gaps):
        nlp = spacy.blank("en")
        nlp.add_pipe(task.name, config=config)
        plain = task.examples(nlp)
        sgd = nlp.initialize(lambda plain=plain: plain)
        rng = numpy.random.default_rng(2)
        examples = [example_with_gaps(task, eg, share, rng) for eg in plain]
        losses.append([nlp.update(examples, sgd=sgd)[task.name] for _ in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def example_with_gaps(task, example, share, rng):
    reference, places = spaced(example.reference, share, rng)
    if task.name == "attn_ner":  # entities up to the words beside them
        wide = [wider(ent) for ent in reference.ents]
        reference.set_ents(wide, default="outside")
    if task.name == "attn_rel":
        reference.set_ents(list(reference.ents), default="outside")
        relations = get_relations(example.reference)
        set_relations(
            reference,
            [
                Relation(
                    wider(moved(each.head, reference, places)),
                    wider(moved(each.tail, reference, places)),
                    each.label,
                )
                for each in relations
            ],
        )
    reference.cats = dict(example.reference.cats)
    predicted = Doc(reference.vocab, words=[token.text for token in reference])
    predicted.ents = [moved(ent, predicted, places) for ent in example.predicted.ents]
    return Example(predicted, reference)


def wider(span):
    """The span with the whitespace tokens around it."""
    start, end, doc = span.start, span.end, span.doc
    start -= start > 0 and doc[start - 1].is_space
    end += end < len(doc) and doc[end].is_space
    return Span(doc, start, end, span.label_)


@pytest.mark.parametrize(
    ("tokens", "entity", "tags"),
    [
        ("Ann ~ Lee left", (0, 3), "B L O"),
        ("Ann ~ left", (0, 2), "U O"),
        ("~ Ann left", (0, 2), "U O"),
        ("~ Ann ~ Lee ~", (0, 5), "B L"),
        ("left ~ Ann", (1, 2), "O O"),
        ("~ ~", (0, 2), ""),
    ],
)
def test_gold_entities_are_trimmed(nlp_of_words, tokens, entity, tags):
    reference = nlp_of_words(tokens)
    reference.set_ents([Span(reference, *entity, "PER")], default="outside")
    for predicted in (
        nlp_of_words(tokens),
        nlp_of_words(tokens.replace("left", "l eft")),
    ):
        found = gold_tags(Example(predicted, reference))
        expected = tags.split()
        if len(found) == len(expected):
            assert [tag[0] for tag in found] == expected
        else:  # another tokenization of "left"
            assert [tag[0] for tag in found if tag != "O"] == [
                tag for tag in expected if tag != "O"
            ]


def test_spans_that_are_no_entities_are_trimmed(nlp_of_words):
    reference = nlp_of_words("~ Ann ~ Lee ~ left")
    reference.spans["wrong"] = [
        Span(reference, 0, 5, "PER"),
        Span(reference, 2, 3, "PER"),
    ]
    example = Example(nlp_of_words("~ Ann ~ Lee ~ left"), reference)
    (path,) = incorrect_paths(example, "wrong", {"PER": 0})
    assert path.shape == (3, 5)
    assert path.argmax(1).tolist() == [1, 3, 0]  # B, L, anything


@pytest.fixture
def nlp_of_words(make_task):
    nlp = make_task("attn_ner").blank()

    def make(tokens):
        words = [word.replace("~", "\n") for word in tokens.split(" ")]
        return Doc(nlp.vocab, words=words, spaces=[False] * len(words))

    return make


def test_marginals_and_readings_say_nothing_of_whitespace(make_task):
    task = make_task("attn_ner")
    nlp = task.trained(steps=30)
    pipe = nlp.get_pipe("attn_ner")
    plain = nlp.make_doc(task.sentences[0][0])
    odd, places = spaced(plain, 1.0, numpy.random.default_rng(3))
    ((expected,), names), ((found,), _) = map(pipe.token_marginals, ([plain], [odd]))
    numpy.testing.assert_allclose(found[places], expected, atol=1e-6)
    blank = [i for i in range(len(odd)) if i not in places]
    assert found.shape == (len(odd), len(names))
    assert (found[blank, 0] == 1.0).all()
    assert not found[blank, 1:].any()
    (one,), (other,) = pipe.k_best([plain], 3), pipe.k_best([odd], 3)
    for reading, same in zip(one, other, strict=True):
        assert same.probability == pytest.approx(reading.probability, abs=1e-6)
        bounds = [(places[e.start], places[e.end - 1] + 1) for e in reading.ents]
        assert [(e.start, e.end) for e in same.ents] == bounds
