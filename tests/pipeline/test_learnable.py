"""What all components do where there is nothing to learn."""

import warnings

import numpy
import pytest
import spacy
from spacy.training import Corpus, Example
from spacy.util import load_model_from_config
from thinc.api import Config

TEXT = "Tom Lind lives in Stavanger ."


@pytest.fixture
def blank(task):
    return task.blank()


@pytest.mark.parametrize("text", [TEXT, ""])
def test_not_initialized_is_said_as_spacy_says_it(task, blank, text):
    example = Example(blank.make_doc(text), blank.make_doc(text))
    for use in (
        lambda: blank(text),
        lambda: list(blank.pipe([text])),
        lambda: blank.update([example]),
    ):
        with pytest.raises(ValueError, match=rf"E109\] Component '{task.name}'"):
            use()


def test_labels_may_be_added_before_initialize_without_examples(task, blank):
    pipe = blank.get_pipe(task.name)
    for label in task.labels:
        pipe.add_label(label)
    examples = task.examples(blank)
    sgd = blank.initialize()
    assert pipe.labels == task.labels
    steps = 90 if task.name == "attn_rel" else 60
    task.train(blank, examples, steps, sgd)
    found = blank(task.doc(blank, task.sentences[0]))
    assert task.answers(found) == task.gold(blank, task.sentences[0])


def test_an_added_label_that_no_example_has(task, blank):
    blank.get_pipe(task.name).add_label(task.new_label)
    message = rf"none of the 6 training examples .* \['{task.new_label}'\]; .*: \d"
    with pytest.warns(UserWarning, match=message):
        blank.initialize(lambda: task.examples(blank))


def test_labels_where_nothing_is_annotated(task, blank):
    settings = {"labels": list(task.labels)}
    blank.config["initialize"]["components"][task.name] = settings
    nothing = [task.blank_example(blank, each) for each in task.sentences]
    with pytest.warns(UserWarning, match=r"none of the 6 .* the examples have \{\}"):
        blank.initialize(lambda: nothing)


def test_no_warning_about_labels_of_a_stream(task, blank):
    """Of a streamed corpus spaCy shows `initialize` the first hundred examples."""
    blank.config["training"]["max_epochs"] = -1
    blank.get_pipe(task.name).add_label(task.new_label)
    blank.initialize(lambda: task.examples(blank))


def test_updates_without_annotation_are_said_once(task, blank, monkeypatch):
    monkeypatch.setattr("spacy_attnner.pipeline.surveys.FEW", 7)
    examples = task.examples(blank)
    sgd = blank.initialize(lambda: examples)
    nothing = [task.blank_example(blank, each) for each in task.sentences]
    blank.update(nothing, sgd=sgd)
    with pytest.warns(UserWarning, match="annotated in none of the 12 examples"):
        blank.update(nothing, sgd=sgd)
    blank.update(nothing, sgd=sgd)
    blank.initialize(lambda: examples)
    blank.update(examples[:1], sgd=sgd)
    for _ in range(4):
        blank.update(nothing, sgd=sgd)


def test_a_loss_that_is_no_number_changes_nothing(task, blank):
    examples = task.examples(blank)
    sgd = blank.initialize(lambda: examples)
    pipe = blank.get_pipe(task.name)
    weights = pipe.model.get_ref("output_layer").get_param("W")
    weights[:] = numpy.nan
    before = pipe.model.to_bytes()
    with pytest.raises(ValueError, match=rf"the loss of '{task.name}' is nan"):
        blank.update(examples, sgd=sgd)
    assert pipe.model.to_bytes() == before


@pytest.mark.filterwarnings("ignore:.*W090")
@pytest.mark.parametrize("name", ["corpus.jsonl", "folder"])
def test_a_corpus_that_is_not_spacy_s_format(task, blank, tmp_path, name):
    path = tmp_path / name
    if path.suffix:
        path.write_text('{"text": "Rain ."}\n', encoding="utf8")
    else:
        path.mkdir()
    with pytest.raises(ValueError, match=r"no documents .*spacy attn convert"):
        blank.initialize(lambda: Corpus(path)(blank))
    reader = {
        "@readers": "spacy-attnner.GoldEntitiesCorpus.v1",
        "path": str(path),
        "gold_preproc": False,
    }
    corpus = spacy.registry.resolve({"corpus": reader})["corpus"]
    with pytest.raises(ValueError, match=rf"no documents in .*{name}"):
        list(corpus(blank))


def test_no_documents_to_score(task, blank):
    blank.initialize(lambda: task.examples(blank))
    with pytest.warns(UserWarning, match=rf"'{task.name}' has no documents to be sco"):
        blank.evaluate([])


SCHEDULE = """
[nlp]
lang = "en"
pipeline = ["attn_ner"]

[components]

[components.attn_ner]
factory = "attn_ner"

[training]
max_epochs = {epochs}
eval_frequency = 10

[training.batcher]
@batchers = "spacy.batch_by_words.v1"
size = 30
"""


@pytest.mark.parametrize(("epochs", "said"), [(3, True), (6, False), (0, False)])
def test_a_training_that_ends_before_its_first_evaluation(make_task, epochs, said):
    config = Config().from_str(SCHEDULE.format(epochs=epochs))
    config["components"]["attn_ner"].update(make_task("attn_ner").config)
    nlp = load_model_from_config(config, auto_fill=True)
    examples = make_task("attn_ner").examples(nlp)  # 47 words: two batches
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.initialize(lambda: examples)
    found = [str(each.message) for each in caught if each.category is UserWarning]
    assert bool(found) is said
    if said:
        assert "3 epochs of 6 training examples are about 6 steps" in found[0]
        assert "set training.eval_frequency to 2" in found[0]


class TestSentences:
    """A model that uses sentences and was trained without them."""

    @pytest.fixture
    def nlp(self, task):
        nlp = spacy.blank("en")
        config = task.config
        config["model"]["tok2vec"]["sentences"] = True
        nlp.add_pipe(task.name, config=config)
        nlp.initialize(lambda: task.examples(nlp))
        return nlp

    def examples(self, task, nlp, *, sentences):
        examples = task.examples(nlp)
        for example in examples:
            for token in example.predicted if sentences else ():
                token.is_sent_start = token.i == 0
        return examples

    def test_sentences_that_it_never_saw_are_said_once(self, task, nlp, tmp_path):
        nlp.update(self.examples(task, nlp, sentences=False))
        nlp.to_disk(tmp_path)
        nlp(TEXT)
        loaded = spacy.load(tmp_path)
        for each in (nlp, loaded):
            each.add_pipe("sentencizer", first=True)
            with pytest.warns(UserWarning, match="none that it was trained on had"):
                list(each.pipe([TEXT, TEXT]))
            each(TEXT)

    def test_sentences_that_it_saw(self, task, nlp):
        nlp.update(self.examples(task, nlp, sentences=True))
        nlp.update(self.examples(task, nlp, sentences=False))
        nlp.add_pipe("sentencizer", first=True)
        nlp(TEXT)

    def test_a_model_that_does_not_use_them(self, task):
        nlp = task.blank()
        nlp.initialize(lambda: task.examples(nlp))
        nlp.update(task.examples(nlp))
        nlp.add_pipe("sentencizer", first=True)
        nlp(TEXT)
