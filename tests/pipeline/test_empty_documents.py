"""Documents without tokens, or of nothing but whitespace, wherever they come."""

import numpy
import pytest
import spacy
from spacy import registry
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

WIDTH = 26
TEXT = "Tom Lind lives in Stavanger ."
BATCHES = [[""], ["", ""], [" ", "\n\n \t"], ["", " "], ["", TEXT], [TEXT, " ", ""]]
EMBED = {
    "own": None,
    "shared": {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH},
    "transformer": {"@architectures": "tests.NoWidthForEmpty.v1"},
}


@registry.architectures("tests.NoWidthForEmpty.v1")
def build_no_width_for_empty() -> Model:
    """Like spacy-transformers' listener: no width known, none of empty documents."""

    def forward(model, docs: list[Doc], is_train):
        Xs = []
        for doc in docs:
            numbers = doc.to_array("ORTH").astype("float64").reshape(-1, 1)
            X = numpy.sin(numbers % 1009 * numpy.arange(1, WIDTH + 1))
            Xs.append(X.astype("float32") if len(doc) else model.ops.alloc2f(0, 0))
        numpy.concatenate([X for X in Xs if len(X)])  # it fails where none has rows
        return Xs, lambda dXs: []

    return Model("no_width_for_empty", forward)


@pytest.fixture(params=list(EMBED))
def pipeline(request, task):
    """An initialized pipeline that uses sentences, with a tok2vec of each kind."""
    nlp = spacy.blank("en")
    config = task.config
    model = config["model"]
    encoder = {**model["tok2vec"], "sentences": True}
    if request.param == "shared":
        nlp.add_pipe("tok2vec", config={"model": encoder})
    model["tok2vec"] = EMBED[request.param] or encoder
    if task.name == "attn_ner":
        model["sentences"] = True
    else:
        model["width"] = WIDTH
    nlp.add_pipe(task.name, config=config)
    nlp.initialize(lambda: task.examples(nlp))
    return nlp


def batch_of(nlp, texts, *, annotated):
    """As a reader gives it, nothing or everything annotated."""
    examples = [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in texts]
    for example in examples if annotated else []:
        example.reference.set_ents([], default="outside")
        for token in example.predicted:
            token.is_sent_start = token.i == 0
    return examples


def test_nothing_to_read_does_no_harm(task, pipeline):
    plain = task.sentences[0][0]
    for texts in BATCHES:
        for annotated in (True, False):
            batch = batch_of(pipeline, texts, annotated=annotated)
            losses = pipeline.update(batch, drop=0.1)
            assert numpy.isfinite(losses[task.name]), texts
            pipeline.evaluate(batch)
        found = list(pipeline.pipe([*texts, plain], batch_size=2))
        assert [doc.text for doc in found] == [*texts, plain]
        assert task.found(found[-1]).keys() == task.found(pipeline(plain)).keys()
    *_, beside = pipeline.pipe(["", plain, ""], batch_size=3)
    assert task.found(pipeline("")) == pytest.approx(task.found(beside))
    loss = pipeline.update(task.examples(pipeline), drop=0.0)[task.name]
    assert numpy.isfinite(loss)
    assert loss > 0.0


def test_nothing_to_rehearse_does_no_harm(task):
    nlp = task.blank()
    nlp.initialize(lambda: task.examples(nlp))
    nlp.resume_training()
    model = nlp.get_pipe(task.name).model
    for texts in BATCHES:
        before = model.to_bytes()
        for loss in nlp.rehearse(batch_of(nlp, texts, annotated=True)).values():
            assert numpy.isfinite(loss), texts
        assert any(texts) or model.to_bytes() == before
