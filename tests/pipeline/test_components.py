"""What all four components must do, one suite for all."""

import json

import numpy
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

ODD_TEXTS = ["", " ", "\n\n \t", "Ferry", ".", "the the the", "雨が降る", "👩‍🚀"]


def assert_same(found, expected, *, exact=True):
    assert found.keys() == expected.keys()
    if exact:
        assert found == expected
    for key, score in found.items():
        assert score == pytest.approx(expected[key], abs=1e-4)


def test_learns_a_handful_of_documents_by_heart(task, trained):
    for sentence in task.sentences:
        doc = trained(task.doc(trained, sentence))
        assert task.answers(doc) == task.gold(trained, sentence), sentence[0]


def test_scores(task, trained):
    scores = trained.evaluate(task.examples(trained))
    assert task.score_keys <= scores.keys()
    headline = {"attn_ner": "ents_f", "attn_rel": "rel_f"}.get(task.name, "cats_score")
    assert scores[headline] == 1.0
    weights = trained.get_pipe_meta(task.name).default_score_weights
    assert weights.keys() <= scores.keys()
    assert sum(weight or 0.0 for weight in weights.values()) == 1.0


def test_survives_disk_and_bytes(task, trained, tmp_path):
    trained.to_disk(tmp_path)
    from_disk = spacy.load(tmp_path)
    from_bytes = task.blank().from_bytes(trained.to_bytes())
    for loaded in (from_disk, from_bytes):
        assert loaded.get_pipe(task.name).labels == task.labels
        for doc, ours, theirs in zip(
            trained.pipe(task.docs(trained)),
            loaded.pipe(task.docs(loaded)),
            loaded.pipe(task.docs(loaded)),
            strict=True,
        ):
            assert_same(task.found(ours), task.found(doc))
            assert_same(task.found(theirs), task.found(doc))
    assert not any(path.suffix in (".pkl", ".pt") for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_pipe_is_call(task, trained, batch_size):
    docs = [*task.docs(trained), trained.make_doc(""), *task.docs(trained)]
    found = list(trained.pipe(docs, batch_size=batch_size))
    singles = [trained(doc.copy()) for doc in [*task.docs(trained)]]
    singles = [*singles, trained(""), *singles]
    for doc, single in zip(found, singles, strict=True):
        assert_same(task.found(doc), task.found(single), exact=False)


def test_two_processes(task, trained):
    docs = task.docs(trained)
    single = [task.found(doc) for doc in trained.pipe(task.docs(trained), batch_size=2)]
    found = list(trained.pipe(docs, n_process=2, batch_size=2))
    for doc, expected in zip(found, single, strict=True):
        assert_same(task.found(doc), expected)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts(task, trained, text):
    alone = trained(text)
    *_, last = trained.pipe([task.sentences[0][0], text])
    assert alone.text == last.text == text
    assert_same(task.found(last), task.found(alone), exact=False)
    if not text and not task.name.startswith("attn_textcat"):
        assert task.found(alone) == {}


def test_documents_without_tokens_alone_or_not_at_all(task, trained):
    pipe = trained.get_pipe(task.name)
    docs = [trained.make_doc(""), trained.make_doc("")]
    pipe.set_annotations(docs, pipe.predict(docs))
    assert task.found(docs[0]) == task.found(docs[1])
    assert list(trained.pipe([])) == []
    assert list(pipe.pipe(iter([]))) == []


@pytest.mark.parametrize("text", ["", " ", "Ferry"])
def test_odd_texts_in_an_update(task, text):
    nlp = task.blank()
    examples = task.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    odd = Example(nlp.make_doc(text), nlp.make_doc(text))
    for batch in ([odd], [odd, *examples[:2]], [*examples[2:], odd]):
        losses = nlp.update(batch, sgd=sgd)
        assert numpy.isfinite(losses[task.name])


def test_documents_that_come_first_may_be_empty(task):
    nlp = task.blank()
    empty = [Example(nlp.make_doc(""), nlp.make_doc("")) for _ in range(11)]
    examples = task.examples(nlp)
    sgd = nlp.initialize(lambda: [*empty, *examples])
    assert nlp.get_pipe(task.name).labels == task.labels
    assert nlp.update([*empty, *examples], sgd=sgd)[task.name] > 0.0


def test_missing_annotation_costs_nothing(task):
    nlp = task.blank()
    nlp.initialize(lambda: task.examples(nlp))
    pipe = nlp.get_pipe(task.name)
    blanks = [task.blank_example(nlp, sentence) for sentence in task.sentences]
    scores, _ = pipe.model.begin_update(inputs(pipe, blanks))
    loss, gradient = pipe.get_loss(blanks, scores)
    assert loss == pytest.approx(0.0, abs=1e-9)
    assert max((abs(g).max() for g in gradient if g.size), default=0.0) < 1e-9
    before = pipe.model.to_bytes()
    losses = nlp.update(blanks, sgd=Adam(0.01, L2=0.0), drop=0.0)
    assert losses[task.name] == pytest.approx(0.0, abs=1e-9)
    assert pipe.model.to_bytes() == before


def test_missing_annotation_is_not_a_negative_one(task):
    nlp = task.blank()
    nlp.initialize(lambda: task.examples(nlp))
    pipe = nlp.get_pipe(task.name)
    negatives = [task.negative_example(nlp, s) for s in task.sentences[:2]]
    scores, _ = pipe.model.begin_update(inputs(pipe, negatives))
    loss, gradient = pipe.get_loss(negatives, scores)
    assert loss > 0.01
    assert all(abs(g).max() > 0.01 for g in gradient)


def test_annotated_documents_learn_the_same_beside_missing_ones(task):
    nlp = task.blank()
    nlp.initialize(lambda: task.examples(nlp))
    pipe = nlp.get_pipe(task.name)
    gold = task.examples(nlp)[:3]
    blanks = [task.blank_example(nlp, sentence) for sentence in task.sentences[3:]]
    ours, _ = pipe.model.begin_update(inputs(pipe, gold))
    theirs, _ = pipe.model.begin_update(inputs(pipe, gold + blanks))
    _, alone = pipe.get_loss(gold, ours)
    _, mixed = pipe.get_loss(gold + blanks, theirs)
    for a, b in zip(alone, list(mixed)[:3], strict=True):
        numpy.testing.assert_allclose(a, b, atol=1e-5)


def inputs(pipe, examples):
    """What the model is fed; spaCy's text categorizers have no method for it."""
    if hasattr(pipe, "inputs"):
        return pipe.inputs(examples)
    return [example.predicted for example in examples]


def test_labels_are_sorted_whatever_the_order_of_the_examples(task):
    for order in (1, -1):
        nlp = task.blank()
        nlp.initialize(lambda n=nlp, o=order: task.examples(n, task.sentences[::o]))
        pipe = nlp.get_pipe(task.name)
        assert pipe.labels == tuple(pipe.label_data) == task.labels


def test_the_same_seed_gives_the_same_pipeline(task):
    found = []
    for _ in range(2):
        fix_random_seed(7)
        found.append(task.trained(steps=3).to_bytes())
    assert found[0] == found[1]


def test_given_labels_are_taken_as_they_are(task):
    nlp = task.blank()
    labels = [*task.labels[::-1], task.new_label]
    nlp.config["initialize"]["components"][task.name] = {"labels": labels}
    with pytest.warns(UserWarning, match=rf"cannot be learnt: \['{task.new_label}'\]"):
        nlp.initialize(lambda: task.examples(nlp))
    assert nlp.get_pipe(task.name).labels == tuple(labels)
    task.train(nlp, task.examples(nlp), 3)


def test_a_label_added_before_training(task):
    nlp = task.blank()
    pipe = nlp.get_pipe(task.name)
    assert pipe.add_label(task.new_label) == 1
    assert pipe.add_label(task.new_label) == 0
    examples = task.with_the_new_label(nlp)
    sgd = nlp.initialize(lambda: examples)
    assert set(pipe.labels) == {*task.labels, task.new_label}
    task.train(nlp, examples, 180, sgd)
    for example in examples:
        doc = nlp(example.predicted)
        assert task.answers(doc) == task.answers(example.reference)


def test_a_label_added_after_training(task, tmp_path):
    """The old labels' predictions survive, and the new label can be learnt."""
    nlp = task.blank()
    examples = task.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, 60, sgd)
    expected = [task.found(doc) for doc in nlp.pipe(task.docs(nlp))]
    pipe = nlp.get_pipe(task.name)
    assert pipe.add_label(task.new_label) == 1
    assert pipe.labels == (*task.labels, task.new_label)
    for doc, before in zip(nlp.pipe(task.docs(nlp)), expected, strict=True):
        found = task.found(doc)
        assert found.pop(task.new_label, 0.0) < 0.05
        assert found.keys() == before.keys()
        for key, score in found.items():
            assert score == pytest.approx(before[key], abs=0.05)
    examples = task.with_the_new_label(nlp)
    task.train(nlp, examples, 120, sgd)  # the same optimizer goes on
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for example in task.with_the_new_label(loaded):
        doc = loaded(example.predicted)
        assert task.answers(doc) == task.answers(example.reference), doc.text


@pytest.mark.parametrize("label", [7, None])
def test_labels_that_are_none(task, label):
    with pytest.raises(ValueError, match=r"label|E187"):
        task.blank().get_pipe(task.name).add_label(label)


def test_no_label_in_the_data(task):
    nlp = task.blank()
    blanks = [task.blank_example(nlp, sentence) for sentence in task.sentences]
    message = rf"'{task.name}' found no (entities|relations|categories) in the training"
    with pytest.raises(ValueError, match=message) as caught:
        nlp.initialize(lambda: blanks)
    assert "take the component out of the pipeline" in str(caught.value)


def test_an_unknown_label_in_an_update(task):
    nlp = task.blank()
    sgd = nlp.initialize(lambda: task.examples(nlp))
    unknown = task.example(nlp, task.new_sentence)
    with pytest.raises(ValueError, match=rf"'{task.new_label}'.* call add_label") as e:
        nlp.update([unknown], sgd=sgd)
    named = {"attn_ner": "Aurora", "attn_rel": "Nils Aune"}
    assert named.get(task.name, task.new_sentence[0]) in str(e.value)
    assert str(list(task.labels)) in str(e.value)


def plain(value):
    """Whether a value is made of Python's own types alone."""
    if isinstance(value, (list, tuple)):
        return type(value) in (list, tuple) and all(map(plain, value))
    if isinstance(value, dict):
        return all(plain(part) for pair in value.items() for part in pair)
    return type(value) in (str, int, float, bool, type(None))


def test_documents_keep_plain_values_only(task, trained):
    for doc in trained.pipe(task.docs(trained)):
        assert plain(doc.user_data)
        assert plain(doc.cats)
        for group in doc.spans.values():
            assert plain(dict(group.attrs))
            json.dumps(group.attrs)
        json.dumps(doc.to_json())


def test_annotations_survive_storage(task, trained):
    for doc in trained.pipe(task.docs(trained)):
        data = DocBin(docs=[doc], store_user_data=False, attrs=["ENT_IOB", "ENT_TYPE"])
        (binned,) = DocBin().from_bytes(data.to_bytes()).get_docs(trained.vocab)
        from_bytes = type(doc)(trained.vocab).from_bytes(doc.to_bytes())
        copied = doc.copy()
        for other in (binned, from_bytes, copied):
            assert_same(task.found(other), task.found(doc))


def test_nothing_is_kept_past_a_memory_zone(task, trained):
    expected = [task.found(doc) for doc in trained.pipe(task.docs(trained))]
    for round in range(3):
        with trained.memory_zone():
            found = [task.found(doc) for doc in trained.pipe(task.docs(trained))]
            assert len(trained(f"Zyxt{round} quorfle{round} .")) == 3
        for each, other in zip(found, expected, strict=True):
            assert_same(each, other)


def test_weights_are_averaged_in_training(task):
    nlp = task.blank()
    examples = task.examples(nlp)
    nlp.initialize(lambda: examples)
    sgd = Adam(0.02, use_averages=True)
    for _ in range(5):
        nlp.update(examples, sgd=sgd)
    pipe = nlp.get_pipe(task.name)
    now = pipe.model.to_bytes()
    with nlp.use_params(sgd.averages):
        assert pipe.model.to_bytes() != now
    assert pipe.model.to_bytes() == now


def test_gradients_wait_without_an_optimizer(task):
    nlp = task.blank()
    examples = task.examples(nlp)
    nlp.initialize(lambda: examples)
    pipe = nlp.get_pipe(task.name)
    before = pipe.model.to_bytes()
    pipe.update(examples)
    pipe.update(examples)
    assert pipe.model.to_bytes() == before
    pipe.finish_update(Adam(0.01))
    assert pipe.model.to_bytes() != before
