"""Relations that cannot be learnt, or found, and those that now can."""

import warnings

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Corpus, Example

from spacy_attnner.relations import Relation, get_relations, set_relations

GIVEN = "GoldEntitiesCorpus"


@pytest.fixture
def rel(make_task):
    return make_task("attn_rel")


def without_entities(task, nlp):
    """As spaCy's own corpus gives them: nothing is set on `predicted`."""
    examples = task.examples(nlp)
    return [Example(nlp.make_doc(eg.text), eg.reference) for eg in examples]


def learns(task, nlp, examples, steps=90):
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, steps, sgd)
    for sentence in task.sentences:
        doc = nlp(task.doc(nlp, sentence))
        assert task.answers(doc) == task.gold(nlp, sentence), doc.text


def test_documents_without_entities_train_on_the_gold_ones(rel):
    nlp = rel.blank()
    examples = without_entities(rel, nlp)
    learns(rel, nlp, examples)
    for example in examples:
        nlp.get_pipe("attn_rel").update([example])
        assert not example.predicted.has_annotation("ENT_IOB")
        assert not example.predicted.spans


def test_other_tokens_than_the_gold_ones(rel):
    nlp = rel.blank()
    examples = [
        Example(Doc(nlp.vocab, [c for c in eg.text if c != " "]), eg.reference)
        for eg in rel.examples(nlp)
    ]
    nlp.initialize(lambda: examples)
    (found, *_) = nlp.get_pipe("attn_rel").inputs(examples)
    assert [span.text.replace(" ", "") for span in found.spans] == [
        *("MiraOkafor", "KestrelLines", "Bergen")
    ]
    assert found.doc is examples[0].predicted


def test_a_span_group_is_taken_from_the_reference_too(make_task):
    candidates = {"@misc": "spacy-attnner.CandidatePairs.v1", "spans_key": "sc"}
    task = make_task("attn_rel", {"get_candidates": candidates})
    nlp = task.blank()
    examples = without_entities(task, nlp)
    for example in examples:
        reference = example.reference
        reference.spans["sc"] = SpanGroup(reference, spans=list(reference.ents))
        reference.set_ents([], default="missing")
    sgd = nlp.initialize(lambda: examples)
    assert len(nlp.get_pipe("attn_rel").inputs(examples)[0]) == 3
    nlp.update(examples, sgd=sgd)
    assert not any(example.predicted.spans for example in examples)


def test_predicted_entities_stay_what_is_trained_on(rel):
    nlp = rel.blank()
    examples = without_entities(rel, nlp)
    nlp.initialize(lambda: examples)
    for example in examples:
        example.predicted.set_ents([], default="outside")
    assert not any(map(len, nlp.get_pipe("attn_rel").inputs(examples)))


@pytest.fixture
def shared(make_task):
    """`attn_ner,attn_rel` over a tok2vec."""
    ner, rel = make_task("attn_ner"), make_task("attn_rel")
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": rel.config["model"]["tok2vec"]})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}
    for task in (ner, rel):
        config = task.config
        config["model"]["tok2vec"] = listener
        nlp.add_pipe(task.name, config=config)
    return nlp


@pytest.mark.parametrize("names", [["attn_ner"], ["tok2vec", "attn_ner"], []])
def test_annotating_without_what_is_listened_to(rel, shared, names):
    shared.config["training"]["annotating_components"] = names
    shared._link_components()  # as `spacy train` does before it initializes
    if names != ["attn_ner"]:
        shared.initialize(lambda: rel.examples(shared))
        return
    with pytest.warns(UserWarning, match="add 'tok2vec' to training.annotating_comp"):
        shared.initialize(lambda: rel.examples(shared))


def test_a_config_as_init_config_writes_it(rel, shared, tmp_path):
    """spaCy's corpus, and nothing that annotates."""
    nlp = shared
    docs = [example.reference for example in rel.examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "corpus.spacy")
    corpus = Corpus(tmp_path / "corpus.spacy")
    examples = list(corpus(nlp))
    sgd = nlp.initialize(lambda: corpus(nlp))
    rel.train(nlp, examples, 90, sgd)
    scores = nlp.evaluate(list(corpus(nlp)))
    assert scores["ents_f"] > 0.9
    assert scores["rel_f"] > 0.9


def test_no_entity_anywhere_is_said_after_two_passes(rel):
    nlp = rel.blank()
    examples = without_entities(rel, nlp)
    sgd = nlp.initialize(lambda: examples)
    for example in examples:
        example.reference.set_ents([], default="missing")
    nlp.update(examples, sgd=sgd)  # four relations
    with pytest.warns(UserWarning, match=r"of 8 annotated .*8 were in .*GoldEntities"):
        nlp.update(examples, sgd=sgd)
    nlp.update(examples, sgd=sgd)


def test_entities_that_match_none_are_said_later(rel, monkeypatch):
    monkeypatch.setattr("spacy_attnner.pipeline.rel_reach.MOST_UPDATES", 5)
    nlp = rel.blank()
    examples = rel.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    for example in examples:
        doc = example.predicted
        doc.ents = [Span(doc, e.start, e.end, "PERSON") for e in doc.ents]
    for _ in range(4):
        nlp.update(examples, sgd=sgd)
    with pytest.warns(UserWarning, match=r"have the labels \['PERSON'\]\. Give it"):
        nlp.update(examples, sgd=sgd)


def test_a_recognizer_may_need_a_while(rel):
    nlp = rel.blank()
    examples = rel.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    found = [list(example.predicted.ents) for example in examples]
    for example in examples:
        example.predicted.set_ents([], default="outside")
    for _ in range(20):
        nlp.update(examples, sgd=sgd)
    for example, ents in zip(examples, found, strict=True):
        example.predicted.set_ents(ents)
    nlp.update(examples, sgd=sgd)
    assert nlp.get_pipe("attn_rel")._reach.done


def reach(nlp, words, ents, pair, **settings):
    """Examples of one document, repeated."""
    doc = Doc(nlp.vocab, words, sent_starts=[w == "She" for w in words])
    spans = [Span(doc, i, i + 1, "PER") for i in range(len(words)) if i in ents]
    doc.set_ents(spans, default="outside")
    head, tail = (Span(doc, i, i + 1, "PER") for i in pair)
    set_relations(doc, [Relation(head, tail, "Knows")])
    candidates = {"@misc": "spacy-attnner.CandidatePairs.v1", **settings}
    return candidates, [Example(doc, doc)] * 30


@pytest.mark.parametrize(
    ("n_between", "ents", "settings", "said"),
    [
        (47, (0, 48), {"max_length": 40}, "30 .* 47 words .*max_length to 47"),
        (47, (0, 48), {"same_sentence": True}, "30 .* 47 words .* same_sentence"),
        (3, (0,), {}, "30 because head or tail is not among the spans"),
        (3, (0, 4), {"spans_key": "other"}, "30 because head or tail .* spans_key"),
        (47, (0, 48), {"max_length": 47}, None),
    ],
)
def test_relations_out_of_reach(rel, n_between, ents, settings, said):
    words = [*["She", "then"] * n_between][: n_between + 1]
    words.append("Nils")
    nlp = spacy.blank("en")
    pair = (0, n_between + 1)
    candidates, examples = reach(nlp, words, ents, pair, **settings)
    nlp.add_pipe("attn_rel", config={**rel.config, "get_candidates": candidates})
    if said is None:
        nlp.initialize(lambda: examples)
        return
    message = f"can neither learn nor find 30 of 30 annotated relations: {said}"
    with pytest.warns(UserWarning, match=message):
        nlp.initialize(lambda: examples)


def test_entities_that_only_the_predicted_documents_have(rel):
    nlp = rel.blank()
    examples = rel.examples(nlp)
    for example in examples[:2]:  # one reference without, one with others
        example.reference.set_ents([], default="missing")
    examples[1].reference.set_ents([], default="outside")
    nlp.initialize(lambda: examples)


def test_some_relations_out_of_reach_are_no_matter(rel):
    """As in CoNLL04, where 8 of 1,273 are further apart than `configs/rel.cfg` has."""
    nlp = spacy.blank("en")
    words = ["Mira", *["then"] * 5, "Nils"]
    candidates, near = reach(nlp, words, (0, 6), (0, 6), max_length=5)
    _, far = reach(nlp, [*words[:6], "then", "Nils"], (0, 7), (0, 7))
    nlp.add_pipe("attn_rel", config={**rel.config, "get_candidates": candidates})
    nlp.initialize(lambda: [*near * 2, far[0]])


def test_entities_with_labels_of_another_kind(rel):
    nlp = rel.trained(2)
    others = {"PER": "PERSON", "LOC": "GPE", "ORG": "COMPANY"}

    def docs(n):
        for i in range(n):
            doc = rel.docs(nlp)[i % 3]
            doc.ents = [Span(doc, e.start, e.end, others[e.label_]) for e in doc.ents]
            yield doc

    list(nlp.pipe(docs(19)))
    message = r"20 documents have the labels \['COMPANY', 'GPE', 'PERSON'\].*'LOC'"
    with pytest.warns(UserWarning, match=message):
        list(nlp.pipe(docs(1)))
    list(nlp.pipe(docs(40)))


def test_some_entities_of_another_kind_are_no_matter(rel):
    nlp = rel.trained(2)
    nlp(rel.docs(nlp)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for doc in rel.docs(nlp)[:3] * 10:
            doc.ents = [Span(doc, e.start, e.end, "DATE") for e in doc.ents]
            nlp(doc)


def test_a_development_corpus_without_entities(rel):
    nlp = rel.blank()
    nlp.initialize(lambda: rel.examples(nlp))
    with pytest.warns(UserWarning, match=rf"entities in the 3 that .*{GIVEN}"):
        scores = nlp.evaluate(without_entities(rel, nlp))
    assert scores["rel_f"] == 0.0
    nlp.evaluate(without_entities(rel, nlp))


def test_nothing_is_said_of_documents_without_relations(rel):
    nlp = rel.blank()
    nlp.initialize(lambda: rel.examples(nlp))
    plain = [Example(nlp.make_doc("Rain ."), nlp.make_doc("Rain ."))]
    nlp.evaluate(plain)
    assert not get_relations(nlp("Rain ."))
