"""`MixedCorpus.v1`: shares, missing labels, and corpora that do not go together."""

import math
import random
import warnings
from collections import Counter

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import registry
from thinc.api import fix_random_seed

from spacy_attnner.annotated import (
    ENTITIES,
    RELATIONS,
    annotated_labels,
    layer,
    set_annotated_labels,
)
from spacy_attnner.corpora.mixing import counts, create_mixed_corpus
from spacy_attnner.pipeline.biluo import allowed_tags
from spacy_attnner.relations import (
    Relation,
    get_relations,
    has_relations,
    set_relations,
)
from spacy_attnner.scoring import score_entities_looked_for, score_relations
from tests.training.trainings import make_config

NLP = spacy.blank("en")


def make_doc(text, ents=None, relations=None, cats=None):
    """ents: (text, label). relations: (head, label, tail), by the texts."""
    doc = Doc(NLP.vocab, words=text.split())
    if ents is not None:
        spans = []
        for words, label in ents:
            begin = doc.text.index(words)
            spans.append(doc.char_span(begin, begin + len(words), label))
        doc.set_ents(spans, default="outside")
    if relations is not None:
        by_text = {ent.text: ent for ent in doc.ents}
        triples = [Relation(by_text[h], by_text[t], x) for h, x, t in relations]
        set_relations(doc, triples)
    doc.cats = cats or {}
    return doc


def reader(*docs):
    return lambda nlp: [Example(Doc(nlp.vocab, [t.text for t in d]), d) for d in docs]


def news(n=4):
    return [
        make_doc(f"Ada left Bergen {i}", [("Ada", "PER"), ("Bergen", "LOC")])
        for i in range(n)
    ]


def medicine(n=2):
    return [make_doc(f"Ada took aspirin {i}", [("aspirin", "DRUG")]) for i in range(n)]


def texts(examples):
    return Counter(example.reference.text.split()[1] for example in examples)


def test_an_epoch_has_every_document():
    mixed = create_mixed_corpus({"news": reader(*news()), "drugs": reader(*medicine())})
    assert texts(mixed(NLP)) == {"left": 4, "took": 2}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"shares": {"news": 0.5, "drugs": 0.5}}, {"left": 4, "took": 4}),
        ({"shares": {"news": 0.2, "drugs": 0.8}}, {"left": 4, "took": 16}),
        ({"shares": {"news": 0.8, "drugs": 0.2}}, {"left": 8, "took": 2}),
        ({"temperature": 2.0}, {"left": 4, "took": 3}),
        ({"temperature": 1e9}, {"left": 4, "took": 4}),
    ],
)
def test_shares(settings, expected):
    corpora = {"news": reader(*news()), "drugs": reader(*medicine())}
    found = list(create_mixed_corpus(corpora, **settings)(NLP))
    assert texts(found) == expected
    assert len({id(each.reference) for each in found}) == 6


def test_counts_of_large_corpora():
    sizes = {"long": (1000, 200_000), "short": (10, 500), "empty": (2, 0)}
    assert counts(sizes, None, 1.0) == {"long": 1000, "short": 10, "empty": 2}
    shares = {"long": 0.8, "short": 0.1, "empty": 0.1}
    assert counts(sizes, shares, 1.0) == {"long": 1000, "short": 500, "empty": 50_000}


def test_labels_that_a_corpus_does_not_have_are_missing():
    corpora = {"news": reader(*news()), "drugs": reader(*medicine())}
    found = list(create_mixed_corpus(corpora)(NLP))
    labels = {"DRUG": 0, "LOC": 1, "PER": 2}
    allowed = allowed_tags(found[0], labels, "attn_ner")  # Ada left Bergen 0
    drug, others = slice(1, 5), slice(5, 13)
    assert allowed[0].sum() == 1  # U-PER
    assert allowed[0, 4 * 2 + 4]
    assert allowed[1, 0]
    assert allowed[1, drug].all()
    assert not allowed[1, others].any()
    allowed = allowed_tags(found[4], labels, "attn_ner")  # Ada took aspirin 0
    assert allowed[0].sum() == 9  # O, or one of the others
    assert not allowed[0, drug].any()
    assert annotated_labels(found[4].reference, ENTITIES) == {"DRUG"}
    assert annotated_labels(found[4].reference, RELATIONS) is None


def test_labels_that_were_looked_for_in_vain():
    """A small part of a corpus lacks some labels by chance."""

    def mixed(**annotates):
        corpora = {"news": reader(*news()), "drugs": reader(*medicine())}
        return create_mixed_corpus(corpora, annotates=annotates)

    def found(nlp, **annotates):
        examples = list(mixed(**annotates)(nlp))
        return [
            annotated_labels(examples[i].reference, ENTITIES) for i in (0, len(news()))
        ]

    assert found(NLP) == [{"LOC", "PER"}, {"DRUG"}]
    assert found(NLP, drugs=["PER"]) == [{"LOC", "PER"}, {"DRUG", "PER"}]
    assert found(NLP, drugs=["PER", "LOC"]) == [{"LOC", "PER"}, None]
    with pytest.warns(UserWarning, match="'DISS', which was looked for .* 'drugs'"):
        assert found(NLP, drugs=["DISS"]) == [{"LOC", "PER"}, {"DRUG", "DISS"}]

    # what is evaluated has no disease, and a component knows them
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner").add_label("DISEASE")
    assert found(nlp, drugs=["DISEASE"]) == [{"LOC", "PER"}, {"DRUG", "DISEASE"}]
    (*_, example) = mixed(drugs=["DISEASE"])(nlp)
    example.predicted.set_ents([Span(example.predicted, 0, 1, "DISEASE")])
    assert score_entities_looked_for([example])["ents_p"] == 0.0
    with pytest.raises(ValueError, match="no corpus 'drug'; the corpora are news, "):
        mixed(drug=["DISEASE"])


@pytest.fixture
def layer_of_two():
    """The entities of two corpora, which know other labels, in one span group."""
    corpora = {"news": reader(*news()), "drugs": reader(*medicine())}
    spans = {"news": "layer", "drugs": "layer"}
    return list(create_mixed_corpus(corpora, spans=spans)(NLP))


def make_layer():
    nlp = spacy.blank("en")
    config = make_config("tagger")["components"]["attn_ner"]
    config.pop("factory")
    settings = {"set_ents": False, "spans_key": "layer"}
    return nlp, nlp.add_pipe("attn_ner", config=config | settings)


def test_labels_of_a_layer_that_a_corpus_does_not_have_are_missing(layer_of_two):
    news_labels, drug_labels = layer_of_two[0].reference, layer_of_two[4].reference
    assert annotated_labels(news_labels, layer("layer")) == {"LOC", "PER"}
    assert annotated_labels(drug_labels, layer("layer")) == {"DRUG"}
    assert annotated_labels(drug_labels, ENTITIES) is None
    _, pipe = make_layer()
    labels = {"DRUG": 0, "LOC": 1, "PER": 2}
    drug = slice(1, 5)
    allowed = allowed_tags(pipe.view(layer_of_two[4]), labels, "layer")
    assert allowed[0].sum() == 9  # O, a LOC or a PER
    assert not allowed[0, drug].any()
    assert allowed[2].sum() == 1
    allowed = allowed_tags(pipe.view(layer_of_two[0]), labels, "layer")
    assert allowed[1, drug].all()


def test_a_layer_learns_nothing_of_what_was_not_looked_for(layer_of_two):
    """A word is a name in one corpus, and no drug in the other: no contradiction."""
    nlp, pipe = make_layer()
    sgd = nlp.initialize(lambda: layer_of_two)
    sgd.learn_rate = 0.05
    for _ in range(20):
        nlp.update(layer_of_two, sgd=sgd)
    doc = nlp(Doc(nlp.vocab, words=["Ada", "took", "aspirin", "0"]))
    found = {(span.text, span.label_) for span in doc.spans["layer"]}
    assert found >= {("Ada", "PER"), ("aspirin", "DRUG")}
    example = Example(doc, layer_of_two[4].reference)
    scored = {"set_ents": False, "spans_key": "layer"}
    assert score_entities_looked_for([example], **scored)["spans_layer_f"] == 1.0
    assert len(doc.spans["layer"]) == len(found)
    result = pipe.calibrate([example], margin=0.0)
    assert (result.n_entities, result.accuracy) == (1, 1.0)


def test_the_same_labels_are_all_looked_for():
    corpora = {"one": reader(*news(2)), "two": reader(*news(3))}
    for example in create_mixed_corpus(corpora)(NLP):
        assert annotated_labels(example.reference, ENTITIES) is None
        assert allowed_tags(example, {"LOC": 0, "PER": 1}, "x").sum() == 4


def test_new_names():
    doc = make_doc(
        "Ada left Bergen",
        [("Ada", "Peop"), ("Bergen", "Loc")],
        [("Ada", "left", "Bergen")],
        {"pos": 1.0, "very pos": 0.5, "neg": 0.0},
    )
    doc.spans["layer"] = [Span(doc, 0, 1, "Peop", span_id="a"), doc[0:2]]
    corpora = {"mine": reader(doc), "news": reader(*news())}
    cats = {"pos": "POS", "very pos": "POS"}
    names = {"mine": {"Peop": "PER", "Loc": "LOC", "left": "Left"} | cats}
    example = next(iter(create_mixed_corpus(corpora, labels=names)(NLP)))
    reference = example.reference
    assert [ent.label_ for ent in reference.ents] == ["PER", "LOC"]
    (relation,) = get_relations(reference)
    assert (relation.head.label_, relation.label, relation.tail.label_) == (
        *("PER", "Left", "LOC"),
    )
    assert annotated_labels(reference, ENTITIES) is None
    first, second = reference.spans["layer"]
    assert (first.label_, first.id_, second.label_) == ("PER", "a", "")
    assert reference.cats == {"POS": 1.0, "neg": 0.0}


def test_an_old_name_that_no_document_has():
    corpora = {"news": reader(*news()), "drugs": reader(*medicine())}
    names = {"news": {"PER": "Person", "LCO": "Place"}}
    with pytest.warns(UserWarning, match="'news' has the label 'LCO', which") as caught:
        list(create_mixed_corpus(corpora, labels=names)(NLP))
    assert len(caught) == 1


def test_a_new_name_that_is_empty():
    with pytest.raises(ValueError, match="new name of 'PER', a label of the"):
        create_mixed_corpus({"x": reader(*news())}, labels={"x": {"PER": ""}})


@pytest.mark.parametrize("shares", [None, {"news": 0.5, "drugs": 0.5}])
def test_a_stream_has_all_corpora_at_any_time(shares):
    nlp = spacy.blank("en", config={"training": {"max_epochs": -1}})
    corpora = {"news": reader(*news(300)), "drugs": reader(*medicine(30))}
    mixed = create_mixed_corpus(corpora, shares=shares)
    found = list(mixed(nlp))
    n = texts(found)
    assert n == texts(mixed(NLP))
    for i in range(0, len(found) - 21, 22):
        part = texts(found[i : i + 22])
        assert part["took"] == pytest.approx(22 * n["took"] / len(found), abs=1)
    assert set(texts(found[:2])) == {"left", "took"}


def test_gold_entities_of_training_get_the_new_names_too():
    doc = make_doc("Ada left Bergen", [("Ada", "Peop")], [])

    def gold_entities(nlp):
        return [Example(doc.copy(), doc)]

    mixed = create_mixed_corpus({"x": gold_entities}, labels={"x": {"Peop": "PER"}})
    (example,) = mixed(NLP)
    assert [ent.label_ for ent in example.predicted.ents] == ["PER"]


def test_a_new_name_leaves_missing_tokens_missing():
    doc = make_doc("Ada left Bergen")
    doc.set_ents([doc[0:1]], outside=[doc[1:2]], default="missing")
    doc.set_ents([Span(doc, 0, 1, "Peop")], outside=[doc[1:2]], default="missing")
    corpora = {"mine": reader(doc)}
    (example,) = create_mixed_corpus(corpora, labels={"mine": {"Peop": "PER"}})(NLP)
    assert [t.ent_iob_ for t in example.reference] == ["B", "O", ""]


def test_what_was_looked_for_survives_on_disk(tmp_path):
    doc = news(1)[0]
    set_annotated_labels(doc, ENTITIES, ["PER"])
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "x.spacy")
    (found,) = DocBin().from_disk(tmp_path / "x.spacy").get_docs(NLP.vocab)
    assert annotated_labels(found, ENTITIES) == {"PER"}
    assert annotated_labels(doc.copy(), ENTITIES) == {"PER"}


def test_predictions_of_labels_that_were_not_looked_for_are_not_scored():
    gold = make_doc("Ada took aspirin", [("aspirin", "DRUG")])
    found = make_doc("Ada took aspirin", [("Ada", "PER"), ("aspirin", "DRUG")])
    example = Example(found, gold)
    assert score_entities_looked_for([example])["ents_p"] == 0.5
    set_annotated_labels(gold, ENTITIES, ["DRUG"])
    assert score_entities_looked_for([example])["ents_p"] == 1.0
    assert len(example.predicted.ents) == 2
    gold = make_doc("Ada left Bergen", [("Ada", "A"), ("Bergen", "B")], [])
    found = make_doc(
        "Ada left Bergen", [("Ada", "A"), ("Bergen", "B")], [("Ada", "Left", "Bergen")]
    )
    assert score_relations([Example(found, gold)])["rel_p"] == 0.0
    set_annotated_labels(gold, RELATIONS, ["Kills"])
    found = score_relations([Example(found, gold)])
    assert found["rel_f_per_type"] == {}


def test_relations_that_were_not_looked_for_cost_nothing():
    gold = make_doc(
        "Ada left Bergen", [("Ada", "A"), ("Bergen", "B")], [("Ada", "L", "Bergen")]
    )
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-attnner.EntityPairAttention.v1",
        "hidden": 8,
        "n_heads": 2,
        "tok2vec": make_config("tagger")["components"]["attn_ner"]["model"]["tok2vec"],
    }
    pipe = nlp.add_pipe("attn_rel", config={"model": model})
    example = Example(Doc(nlp.vocab, words=["Ada", "left", "Bergen"]), gold)
    pipe.add_label("Other")
    with pytest.warns(UserWarning, match="cannot be learnt"):
        nlp.initialize(lambda: [example])
    scores = [numpy.zeros((len(pipe.inputs([example])[0]), 2), dtype="float32")]
    whole, d_whole = pipe.get_loss([example], scores)
    set_annotated_labels(gold, RELATIONS, ["L"])
    part, d_part = pipe.get_loss([example], scores)
    assert part == pytest.approx(whole / 2)
    column = pipe.labels.index("L")
    numpy.testing.assert_array_equal(d_part[0][:, column], d_whole[0][:, column])
    assert not d_part[0][:, 1 - column].any()


def test_tasks_of_a_corpus():
    def doc():
        return make_doc(
            "Ada left Bergen",
            [("Ada", "PER"), ("Bergen", "LOC")],
            [("Ada", "Left", "Bergen")],
            {"news": 1.0},
        )

    def found(tasks):
        mixed = create_mixed_corpus({"news": reader(doc())}, tasks={"news": tasks})
        (example,) = mixed(NLP)
        reference = example.reference
        return (
            len(reference.ents) if reference.has_annotation("ENT_IOB") else None,
            len(get_relations(reference)) if has_relations(reference) else None,
            dict(reference.cats),
        )

    assert found(["entities"]) == (2, None, {})
    assert found(["entities", "relations"]) == (2, 1, {})
    assert found(["categories"]) == (None, None, {"news": 1.0})


def test_blocks_of_a_config(tmp_path):
    for name, docs in {"news": news(), "drugs": medicine()}.items():
        DocBin(docs=docs).to_disk(tmp_path / f"{name}.spacy")
    block = {
        "@readers": "spacy-attnner.MixedCorpus.v1",
        "corpora": {
            name: {
                "@readers": "spacy.Corpus.v1",
                "path": str(tmp_path / f"{name}.spacy"),
                "gold_preproc": False,
                "augmenter": {"@augmenters": "spacy-attnner.GoldSentences.v1"},
            }
            for name in ("news", "drugs")
        },
    }
    mixed = registry.resolve({"x": block})["x"]
    assert texts(mixed(NLP)) == {"left": 4, "took": 2}


def test_the_beginning_is_read_alone():
    read = Counter()

    def counting(name, docs):
        def examples(nlp):
            for example in reader(*docs)(nlp):
                read[name] += 1
                yield example

        return examples

    mixed = create_mixed_corpus(
        {"news": counting("news", news()), "drugs": counting("drugs", medicine())}
    )
    assert next(iter(mixed(NLP)))
    assert read == {"news": 5, "drugs": 2}  # once to see what there is
    assert next(iter(mixed(NLP)))
    assert read == {"news": 6, "drugs": 2}


def test_a_label_in_two_senses():
    places = [f"Place{i}" for i in range(12)]
    one = [make_doc(f"{place} voted", [(place, "LOC")]) for place in places]
    two = [make_doc(f"{place} voted", [(place, "ORG")]) for place in places]
    two.append(make_doc("Bergen", [("Bergen", "LOC")]))
    corpora = {"one": reader(*one), "two": reader(*two)}
    with pytest.warns(UserWarning, match="'LOC' seems to have two senses: .* 12 have"):
        list(create_mixed_corpus(corpora)(NLP))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(create_mixed_corpus(corpora, labels={"one": {"LOC": "GPE"}})(NLP))


def test_a_label_of_a_layer_in_two_senses():
    def corpus(label):
        docs = [make_doc(f"Place{i} voted") for i in range(12)]
        for doc in docs:
            # one of the layers says what the other does
            doc.spans["one"] = doc.spans["two"] = [Span(doc, 0, 1, label)]
        bergen = make_doc("Bergen")
        bergen.spans["one"] = bergen.spans["two"] = [Span(bergen, 0, 1, "LOC")]
        return reader(*docs, bergen)

    mixed = create_mixed_corpus({"one": corpus("LOC"), "two": corpus("ORG")})
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        list(mixed(NLP))
    (message,) = (str(each.message) for each in found)
    assert message.startswith("the label 'LOC' seems to have two senses")


def test_a_relation_in_two_senses():
    def corpus(head, tail, n=12):
        ents = [("Ada", head), ("Bergen", tail)]
        triples = [("Ada", "based", "Bergen")]
        return reader(*(make_doc("Ada left Bergen", ents, triples) for _ in range(n)))

    corpora = {"one": corpus("PER", "LOC"), "two": corpus("ORG", "LOC")}
    with pytest.warns(UserWarning, match="'based' .* joins PER → LOC in 'one', ORG →"):
        list(create_mixed_corpus(corpora)(NLP))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few = {**corpora, "two": corpus("ORG", "LOC", 9)}
        list(create_mixed_corpus(few)(NLP))
        for new in ({"based": "based_in"}, {"ORG": "PER"}):
            list(create_mixed_corpus(corpora, labels={"two": new})(NLP))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": {"news": 0.5, "drugs": 0.4}}, "add up to 0.9, not to 1"),
        ({"shares": {"news": 1.0}}, "shares are of news; the corpora are news, drugs"),
        ({"shares": {"news": 1.5, "drugs": -0.5}}, "are not all above 0"),
        ({"shares": {"news": math.nan, "drugs": 0.5}}, "are not all above 0"),
        ({"temperature": 0.0}, "temperature 0.0 is no number above 0"),
        ({"temperature": math.nan}, "temperature nan is no number above 0"),
        (
            {"temperature": 2.0, "shares": {"news": 0.5, "drugs": 0.5}},
            "give shares or temperature 2.0",
        ),
        ({"labels": {"old": {"A": "B"}}}, "no corpus 'old'; the corp"),
        ({"spans": {"old": "key"}}, "there is no corpus 'old'"),
        ({"tasks": {"old": ["entities"]}}, "there is no corpus 'old'"),
        ({"tasks": {"news": ["parse"]}}, "no task 'parse', as of the corpus 'news'"),
        ({"tasks": {"news": ["relations"]}}, "'news' are relations without entities"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    corpora = {"news": reader(*news()), "drugs": reader(*medicine())}
    with pytest.raises(ValueError, match=message):
        create_mixed_corpus(corpora, **settings)


def test_no_corpora():
    with pytest.raises(ValueError, match="no corpora to mix"):
        create_mixed_corpus({})


def test_a_corpus_that_has_nothing():
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner")
    mixed = create_mixed_corpus({"news": reader(*news()), "none": reader()})
    with pytest.raises(ValueError, match="the corpus 'none' has no documents"):
        list(mixed(nlp))
    plain = make_doc("It rains", cats={"weather": 1.0})
    mixed = create_mixed_corpus({"news": reader(*news()), "talk": reader(plain)})
    with pytest.raises(
        ValueError, match=r"'talk' annotates no entities, .* 1 documents"
    ):
        list(mixed(nlp))
    nlp.add_pipe("attn_textcat")
    assert len(list(mixed(nlp))) == 5


def test_a_corpus_that_has_nothing_beside_other_components():
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("attn_ner")
    nlp.add_pipe("tagger")
    plain = make_doc("It rains", cats={"weather": 1.0})
    mixed = create_mixed_corpus({"news": reader(*news()), "talk": reader(plain)})
    with pytest.raises(ValueError, match="'talk' annotates no TAG and no entities"):
        list(mixed(nlp))
    tagged = Doc(NLP.vocab, words=["It", "rains"], tags=["PRP", "VBZ"])
    mixed = create_mixed_corpus({"news": reader(*news()), "tags": reader(tagged)})
    assert len(list(mixed(nlp))) == 5


def test_components_that_are_switched_off():
    corpora = {
        "news": reader(*news()),
        "talk": reader(make_doc("It rains", cats={"weather": 1.0})),
    }
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner")
    nlp.add_pipe("attn_textcat")
    with nlp.select_pipes(disable=["attn_textcat"]):  # one that goes on learning
        assert len(list(create_mixed_corpus(corpora)(nlp))) == 5


def test_entities_by_other_guidelines_are_a_layer_of_their_own():
    mine = make_doc(
        "Ada left Bergen",
        [("Ada left", "PER"), ("Bergen", "LOC")],
        [("Ada left", "L", "Bergen")],
    )
    corpora = {"mine": reader(mine), "news": reader(*news())}
    mixed = create_mixed_corpus(corpora, spans={"mine": "other"})
    found = list(mixed(NLP))
    reference = found[0].reference
    assert not reference.has_annotation("ENT_IOB")
    assert [span.text for span in reference.spans["other"]] == ["Ada left", "Bergen"]
    assert get_relations(reference)[0].head.text == "Ada left"
    assert "other" not in found[1].reference.spans
    assert annotated_labels(reference, ENTITIES) is None


def test_when_a_corpus_is_surveyed_does_not_change_what_is_drawn():
    def drawing(nlp):
        for example in reader(*news())(nlp):
            random.random()
            numpy.random.uniform()
            yield example

    mixed = create_mixed_corpus({"news": drawing})
    drawn = []
    for _ in ("surveyed", "read again"):
        fix_random_seed(1)
        next(iter(mixed(NLP)))
        drawn.append((random.random(), numpy.random.uniform()))
    assert drawn[0] == drawn[1]
