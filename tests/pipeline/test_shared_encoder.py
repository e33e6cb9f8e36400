"""One encoder for several components: spaCy's tok2vec and its listeners."""

import shutil

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.relations import Relation, has_relations, set_relations
from tests.tiny_encoders import make_encoder

NAMES = ("attn_ner", "attn_rel", "attn_textcat", "attn_textcat_multilabel")
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}


@pytest.fixture
def tasks(make_task):
    return {name: make_task(name) for name in NAMES}


def make_nlp(tasks, names, own=()):
    """own: Components with an encoder of their own above the shared one."""
    nlp = spacy.blank("en")
    encoder = tasks["attn_ner"].config["model"]["tok2vec"]
    nlp.add_pipe("tok2vec", config={"model": encoder})
    for name in names:
        tok2vec = {**encoder, "embed": LISTENER} if name in own else LISTENER
        model = {**tasks[name].config["model"], "tok2vec": tok2vec}
        nlp.add_pipe(name, config={"model": model})
    return nlp


def make_example(nlp, sentence, *, annotate=("ents", "relations", "cats")):
    """With gold entities on the predicted document, for the relations."""
    text, entities, relations, cats = sentence
    predicted, reference = nlp.make_doc(text), nlp.make_doc(text)
    predicted.ents = [Span(predicted, *entity) for entity in entities]
    spans = [Span(reference, *entity) for entity in entities]
    if "ents" in annotate:
        reference.set_ents(spans, default="outside")
    if "relations" in annotate:
        gold = [Relation(spans[h], spans[t], label) for h, t, label in relations]
        set_relations(reference, gold)
    if "cats" in annotate:
        known = ("people", "trade", "weather")
        reference.cats = {label: float(label in cats) for label in known}
    return Example(predicted, reference)


def assert_learnt(nlp, tasks, names, sentences):
    for sentence in sentences:
        doc = nlp(sentence[0])
        for name in names:
            assert tasks[name].answers(doc) == tasks[name].gold(nlp, sentence), name


@pytest.mark.parametrize(
    "names",
    [
        ("attn_ner", "attn_rel"),
        ("attn_textcat", "attn_ner"),
        ("attn_textcat_multilabel", "attn_ner", "attn_rel"),
    ],
)
def test_components_that_share_an_encoder(tasks, names, tmp_path):
    nlp = make_nlp(tasks, names)
    sentences = tasks["attn_ner"].sentences
    examples = [make_example(nlp, sentence) for sentence in sentences]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    for _ in range(120):
        nlp.update(examples, sgd=sgd, drop=0.1)
    assert nlp.get_pipe("tok2vec").model.to_bytes() != before
    assert_learnt(nlp, tasks, names, sentences)
    nlp.to_disk(tmp_path)
    assert_learnt(spacy.load(tmp_path), tasks, names, sentences)


def test_an_encoder_of_its_own_above_the_shared_one(tasks, tmp_path):
    """As in configs/rel.cfg; such a component can be taken out with all it reads."""
    names = ("attn_ner", "attn_rel")
    nlp = make_nlp(tasks, names, own=["attn_ner"])
    sentences = tasks["attn_ner"].sentences
    examples = [make_example(nlp, sentence) for sentence in sentences]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(120):
        nlp.update(examples, sgd=sgd, drop=0.1)
    assert_learnt(nlp, tasks, names, sentences)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_learnt(loaded, tasks, names, sentences)
    loaded.replace_listeners("tok2vec", "attn_ner", ["model.tok2vec.embed"])
    loaded.replace_listeners("tok2vec", "attn_rel", ["model.tok2vec"])
    loaded.remove_pipe("tok2vec")
    assert_learnt(loaded, tasks, names, sentences)


def test_three_corpora_that_annotate_one_thing_each(tasks):
    """What a document does not annotate costs nothing, so all can train at once."""
    names = ("attn_ner", "attn_rel", "attn_textcat")
    nlp = make_nlp(tasks, names)
    sentences = tasks["attn_ner"].sentences
    examples = [
        make_example(nlp, sentence, annotate=[kind])
        for sentence in sentences
        for kind in ("ents", "relations", "cats")
    ]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(120):
        nlp.update(examples, sgd=sgd, drop=0.1)
    assert_learnt(nlp, tasks, names, sentences)


def test_relations_learn_from_predicted_entities(tasks):
    """`annotating_components`: no gold entities on the predicted document.

    The encoder is one of them, for the listener reads what it left on the document.
    """
    nlp = make_nlp(tasks, ("attn_ner", "attn_rel"))
    sentences = tasks["attn_ner"].sentences

    def examples():
        made = [make_example(nlp, sentence) for sentence in sentences]
        return [Example(nlp.make_doc(eg.text), eg.reference) for eg in made]

    sgd = nlp.initialize(examples)
    sgd.learn_rate = 0.01
    for _ in range(120):
        nlp.update(examples(), sgd=sgd, drop=0.1, annotates=["tok2vec", "attn_ner"])
    assert_learnt(nlp, tasks, ("attn_ner", "attn_rel"), sentences)


def test_empty_documents_in_a_shared_batch(tasks):
    nlp = make_nlp(tasks, NAMES)
    sentences = tasks["attn_ner"].sentences
    examples = [make_example(nlp, sentence) for sentence in sentences]
    sgd = nlp.initialize(lambda: examples)
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    for batch in ([empty], [empty, *examples], [*examples, empty]):
        losses = nlp.update(batch, sgd=sgd)
        assert all(loss >= 0.0 for loss in losses.values())
    for doc in nlp.pipe(["", sentences[0][0], " ", ""], batch_size=3):
        assert has_relations(doc)
        assert isinstance(doc, Doc)


def test_a_sourced_component_keeps_its_encoder(tasks):
    """In another pipeline."""
    trained = {name: tasks[name].trained() for name in ("attn_ner", "attn_textcat")}
    nlp = spacy.blank("en")
    for name, source in trained.items():
        nlp.add_pipe(name, source=source)
    for sentence in tasks["attn_ner"].sentences:
        doc = nlp(sentence[0])
        for name, source in trained.items():
            expected = tasks[name].found(source(sentence[0]))
            assert tasks[name].found(doc) == expected


def test_a_sourced_component_keeps_a_pretrained_encoder(tasks, tmp_path):
    """In another pipeline; the encoder's folder is not needed."""
    task = tasks["attn_textcat"]
    encoder = {
        "@architectures": "spacy-attnner.TransformerEncoder.v1",
        "name": str(make_encoder(tmp_path / "encoder")),
        "width": LISTENER["width"],
        "margin": 7,
    }
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": encoder})
    model = {**task.config["model"], "tok2vec": LISTENER}
    nlp.add_pipe("attn_textcat", config={"model": model})
    examples = task.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=sgd)
    nlp.to_disk(tmp_path / "trained")
    shutil.rmtree(tmp_path / "encoder")
    expected = [task.found(nlp(sentence[0])) for sentence in task.sentences]
    trained = spacy.load(tmp_path / "trained")
    trained.replace_listeners("tok2vec", "attn_textcat", ["model.tok2vec"])
    assembled = spacy.blank("en")
    assembled.add_pipe("attn_textcat", source=trained)
    assembled.to_disk(tmp_path / "assembled")
    loaded = spacy.load(tmp_path / "assembled")
    found = [task.found(loaded(sentence[0])) for sentence in task.sentences]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_replaced_listeners_have_weights_of_their_own(tasks):
    """An optimizer, and its averages, tell the copies of the encoder apart."""
    names = ("attn_ner", "attn_textcat")
    nlp = make_nlp(tasks, names)
    examples = [make_example(nlp, each) for each in tasks["attn_ner"].sentences]
    nlp.initialize(lambda: examples)
    for name in names:
        nlp.replace_listeners("tok2vec", name, ["model.tok2vec"])
    first, second = (
        {shim.id for node in nlp.get_pipe(name).model.walk() for shim in node.shims}
        for name in names
    )
    assert len(first) == 2  # the encoder and its characters
    assert not first & second
