"""Components that listen to a shared encoder never read the zeros of one not run."""

import copy

import pytest
import spacy
from spacy import registry
from spacy.training import Example
from thinc.api import Model

LISTENER = {
    "@architectures": "spacy.Tok2VecListener.v1",
    "width": 26,
    "upstream": "tok2vec",
}


@pytest.fixture
def nlp(task):
    nlp = spacy.blank("en")
    config = task.config
    encoder = config["model"]["tok2vec"]
    nlp.add_pipe("tok2vec", config={"model": encoder})
    if task.name == "attn_ner":
        config["model"]["tok2vec"] = LISTENER
    else:
        config["model"] |= {"tok2vec": LISTENER, "width": 26}
    nlp.add_pipe(task.name, config=config)
    examples = task.examples(nlp)
    task.train(nlp, examples, 15, nlp.initialize(lambda: examples))
    return nlp


def questions(task, pipe):
    """What a component is asked of a document beside being called in the pipeline."""
    yield lambda doc: pipe.predict([doc])
    if task.name == "attn_ner":
        yield lambda doc: pipe.k_best([doc], 2)
        yield lambda doc: pipe.token_marginals([doc])
    if task.name == "attn_rel":
        yield lambda doc: pipe.attention(doc, [(doc[0:1], doc[3:4])])


def test_it_is_run_on_documents_that_it_has_not_seen(task, nlp):
    pipe = nlp.get_pipe(task.name)
    for ask in questions(task, pipe):
        unseen, seen = (task.doc(nlp, task.sentences[0]) for _ in range(2))
        nlp.get_pipe("tok2vec")(seen)
        assert str(ask(unseen)) == str(ask(seen))
        assert unseen.tensor.any()


def test_also_where_it_is_disabled(task, nlp):
    expected = task.found(nlp(task.doc(nlp, task.sentences[0])))
    with nlp.select_pipes(enable=task.name):
        assert task.found(nlp(task.doc(nlp, task.sentences[0]))) == expected


def test_where_it_is_not_to_be_found(task, nlp):
    alone = copy.deepcopy(nlp.get_pipe(task.name))
    for ask in questions(task, alone):
        with pytest.raises(ValueError, match="the vectors of the component 'tok2vec'"):
            ask(task.doc(nlp, task.sentences[0]))
    assert len(alone.predict([nlp.make_doc(""), nlp.make_doc("")])) == 2


def test_rehearsing_and_calibrating_read_it(make_task, request):
    task = make_task("attn_ner")
    nlp = spacy.blank("en")
    config = task.config
    nlp.add_pipe("tok2vec", config={"model": config["model"]["tok2vec"]})
    config["model"]["tok2vec"] = LISTENER
    nlp.add_pipe("attn_ner", config=config)
    examples = task.examples(nlp)
    task.train(nlp, examples, 80, nlp.initialize(lambda: examples))
    before = nlp.evaluate(task.examples(nlp))["ents_f"]
    assert before == 1.0
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    for _ in range(15):
        known = [
            Example(nlp.make_doc(s[0]), nlp.make_doc(s[0])) for s in task.sentences
        ]
        losses = nlp.rehearse(known, sgd=optimizer)
        assert losses["attn_ner"] < 0.01  # nothing was learnt since: nothing to mend
    assert nlp.evaluate(task.examples(nlp))["ents_f"] == before
    unseen = task.examples(nlp)
    seen = task.examples(nlp)
    for example in seen:
        nlp.get_pipe("tok2vec")(example.predicted)
    pipe = nlp.get_pipe("attn_ner")
    found = [copy.deepcopy(pipe).calibrate(seen), pipe.calibrate(unseen)]
    assert found[0].temperature == pytest.approx(found[1].temperature)


@pytest.mark.parametrize("name", ["EntityPairAttention", "InnerProductPairs"])
def test_a_width_that_is_learnt_late_is_projected(make_task, name):
    build = registry.architectures.get(f"spacy-attnner.{name}.v1")
    task = make_task("attn_rel")
    nlp = task.blank()
    tok2vec = registry.resolve({"model": task.config["model"]["tok2vec"]})["model"]
    late = Model(
        "late",
        lambda model, X, is_train: model.layers[0](X, is_train),
        init=lambda model, X=None, Y=None: model.layers[0].initialize(X=X),
        layers=[tok2vec],
        dims={"nO": None},
    )
    nlp.get_pipe("attn_rel").model = build(late, hidden=20)
    examples = task.examples(nlp)
    task.train(nlp, examples, 2, nlp.initialize(lambda: examples))
    assert len(list(nlp.pipe(["Mira Okafor left .", ""]))) == 2
