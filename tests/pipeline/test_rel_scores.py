"""What `nlp.evaluate` says of `attn_rel`: end to end, and with gold entities given."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.relations import Relation, get_relations, set_relations

LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}
SCORER = {"@scorers": "spacy-attnner.relation_scorer.v1"}


def make_reference(nlp, sentence) -> Doc:
    text, entities, relations, _ = sentence
    doc = nlp.make_doc(text)
    spans = [Span(doc, *entity) for entity in entities]
    doc.set_ents(spans, default="outside")
    gold = [Relation(spans[h], spans[t], label) for h, t, label in relations]
    set_relations(doc, gold)
    return doc


def count_calls(monkeypatch, owner, name):
    calls = []
    original = getattr(owner, name)

    def counted(*args, **kwargs):
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)
    return calls


def with_predicted(nlp, sentence, entities) -> Example:
    """A document for which a recognizer found these entities."""
    example = Example(nlp.make_doc(sentence[0]), make_reference(nlp, sentence))
    doc = example.predicted
    doc.ents = [Span(doc, *entity) for entity in entities]
    return example


def with_pairs_apart(make_task):
    """Pairs do not see each other, which would teach them that none is ever missed."""
    config = make_task("attn_rel").config
    config["model"]["strongest"] = False
    return make_task("attn_rel", config)


def test_an_encoder_of_its_own(make_task, monkeypatch):
    """An entity was missed, so one of two relations is; given gold ones, none is."""
    rel = with_pairs_apart(make_task)
    nlp = rel.trained()
    pipe = nlp.get_pipe("attn_rel")
    sentence = rel.sentences[0]
    example = with_predicted(nlp, sentence, sentence[1][:2])
    passes = count_calls(monkeypatch, pipe, "predict")
    scores = nlp.evaluate([example])
    assert len(passes) == 2
    assert (scores["rel_p"], scores["rel_r"]) == (1.0, 0.5)
    assert scores["rel_gold_ents_p"] == scores["rel_gold_ents_r"] == 1.0
    assert scores["rel_gold_ents_f_per_type"].keys() == {"Works_For", "Based_In"}
    without = {"scorer": {**SCORER, "gold_entities": False}}
    pipe.scorer = spacy.registry.resolve(without)["scorer"]
    passes.clear()
    assert nlp.evaluate([example])["rel_gold_ents_f"] is None
    assert len(passes) == 1


def test_predictions_stay(make_task):
    """Scoring looks at copies."""
    rel = with_pairs_apart(make_task)
    nlp = rel.trained()
    sentence = rel.sentences[0]
    example = with_predicted(nlp, sentence, sentence[1][:2])
    example.predicted = nlp(example.predicted)
    before = example.predicted.to_bytes()
    scores = nlp.get_pipe("attn_rel").score([example])
    assert (scores["rel_r"], scores["rel_gold_ents_r"]) == (0.5, 1.0)
    assert example.predicted.to_bytes() == before
    assert len(get_relations(example.predicted)) == 1


def test_what_is_never_a_candidate_is_a_miss_with_gold_entities_too(make_task):
    """Too far apart, and of types that no relation joined in training."""
    rel = make_task(
        "attn_rel",
        {
            "get_candidates": {
                "@misc": "spacy-attnner.CandidatePairs.v1",
                "max_length": 4,
            }
        },
    )
    nlp = rel.trained()
    far = (
        "Tom Lind , who says that he likes rain , lives in Stavanger .",
        [(0, 2, "PER"), (12, 13, "LOC")],
        [(0, 1, "Lives_In")],
        [],
    )
    unknown = (
        "Kestrel Lines owns Halden Bank .",
        [(0, 2, "ORG"), (3, 5, "ORG")],
        [(0, 1, "Based_In")],
        [],
    )
    examples = [rel.example(nlp, each) for each in (*rel.sentences, far, unknown)]
    n_gold = sum(len(get_relations(example.reference)) for example in examples)
    scores = nlp.evaluate(examples)
    for prefix in ("rel", "rel_gold_ents"):
        assert scores[f"{prefix}_p"] == 1.0
        assert scores[f"{prefix}_r"] == pytest.approx((n_gold - 2) / n_gold)


@pytest.fixture
def shared(make_task):
    """One encoder for entities and relations, trained to know the sentences."""
    tasks = {name: make_task(name) for name in ("attn_ner", "attn_rel")}
    nlp = spacy.blank("en")
    nlp.add_pipe(
        "tok2vec", config={"model": tasks["attn_ner"].config["model"]["tok2vec"]}
    )
    for name, task in tasks.items():
        model = {**task.config["model"], "tok2vec": LISTENER}
        nlp.add_pipe(name, config={"model": model})
    sentences = tasks["attn_rel"].sentences
    examples = [with_predicted(nlp, each, each[1]) for each in sentences]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(100):
        nlp.update(examples, sgd=sgd, drop=0.1)
    return nlp, sentences


def raw(nlp, sentences):
    return [
        Example(nlp.make_doc(each[0]), make_reference(nlp, each)) for each in sentences
    ]


def test_a_shared_encoder(shared, monkeypatch):
    """The listener reads what the encoder left on the documents, copies of which are
    predicted again: the encoder does not run twice.
    """
    nlp, sentences = shared
    # a recognizer that finds places alone, so that nothing is left to relate
    ner = nlp.get_pipe("attn_ner")
    original = ner.set_annotations

    def only_places(docs, scores):
        original(docs, scores)
        for doc in docs:
            doc.ents = [ent for ent in doc.ents if ent.label_ == "LOC"]

    monkeypatch.setattr(ner, "set_annotations", only_places)
    calls = {
        name: count_calls(monkeypatch, nlp.get_pipe(name), "predict")
        for name in nlp.pipe_names
    }
    scores = nlp.evaluate(raw(nlp, sentences))
    assert [len(calls[name]) for name in ("tok2vec", "attn_ner", "attn_rel")] == [
        *(1, 1, 2)
    ]
    assert scores["rel_r"] == 0.0
    assert scores["rel_gold_ents_p"] == scores["rel_gold_ents_r"] == 1.0


def test_it_is_what_the_pipeline_says_of_documents_with_gold_entities(shared):
    """On a sentence with other gold relations, too, so that not all are right."""
    nlp, sentences = shared
    text, entities, relations, _ = sentences[0]
    reversed_pairs = [(tail, head, label) for head, tail, label in relations]
    sentences = [*sentences, (text, entities, reversed_pairs, [])]
    given = nlp.evaluate(raw(nlp, sentences))
    with nlp.select_pipes(disable="attn_ner"):
        examples = [with_predicted(nlp, each, each[1]) for each in sentences]
        directly = nlp.evaluate(examples)
    assert 0.0 < given["rel_gold_ents_f"] < 1.0
    for key in ("p", "r", "f", "macro_f", "f_per_type"):
        assert given[f"rel_gold_ents_{key}"] == directly[f"rel_{key}"]


def test_it_can_be_selected_on():
    """The key is among the weights of a config that spaCy fills."""
    meta = spacy.blank("en").get_factory_meta("attn_rel")
    assert meta.default_score_weights["rel_gold_ents_f"] is None
    assert "rel_gold_ents_f" in meta.scores
