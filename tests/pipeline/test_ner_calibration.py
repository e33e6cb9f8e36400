"""`attn_ner.calibrate` and `spacy attn calibrate`."""

import os
import shutil

import numpy
import pytest
import spacy
from spacy.tokens import DocBin, Span
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli
from spacy_attnner.confidence.calibration import Calibration
from spacy_attnner.confidence.reliability import expected_calibration_error
from spacy_attnner.fitting import read_grouped_examples, write_pipeline


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


@pytest.fixture
def nlp(ner):
    return ner.trained()


@pytest.fixture
def dev(ner):
    return annotated_otherwise(ner.sentences)


def annotated_otherwise(sentences):
    """What the model was trained on, with other entities here and there."""
    sentences = list(sentences)
    text, entities, *rest = sentences[1]
    sentences[1] = (text, [(*entities[0][:2], "ORG"), entities[1]], *rest)
    text, entities, *rest = sentences[5]
    sentences[5] = (text, entities[:1], *rest)
    return sentences


def found(nlp, ner):
    return [
        [(ent.start, ent.end, ent.label_, ent._.confidence) for ent in doc.ents]
        for doc in nlp.pipe(ner.docs(nlp))
    ]


def reliability(nlp, ner, dev):
    confidences, correct = [], []
    for example in ner.examples(nlp, dev):
        gold = ner.answers(example.reference)
        for ent in nlp(example.predicted).ents:
            confidences.append(ent._.confidence)
            correct.append((ent.start, ent.end, ent.label_) in gold)
    return numpy.array(confidences), numpy.array(correct, dtype=float)


def test_calibrating_changes_confidences_alone(ner, nlp, dev):
    before = found(nlp, ner)
    result = nlp.get_pipe("attn_ner").calibrate(ner.examples(nlp, dev), margin=0.0)
    after = found(nlp, ner)
    assert [[e[:3] for e in doc] for doc in after] == [
        [e[:3] for e in doc] for doc in before
    ]
    assert after != before
    assert isinstance(result, Calibration)
    assert result.n_entities == sum(map(len, before))
    confidences, correct = reliability(nlp, ner, dev)
    assert 0.0 < correct.mean() < 1.0
    assert result.accuracy == correct.mean()
    ece = expected_calibration_error(confidences, correct)
    assert result.ece_after == pytest.approx(ece, abs=1e-5)
    assert result.log_loss_after < result.log_loss_before


def test_the_margin_makes_less_sure(ner, nlp, dev):
    pipe = nlp.get_pipe("attn_ner")
    fits = [
        pipe.calibrate(ner.examples(nlp, dev), margin=margin) for margin in (0.0, 2.0)
    ]
    assert fits[0].temperature == fits[1].temperature
    assert fits[1].log_odds_offset < fits[0].log_odds_offset
    assert fits[1].log_loss_before == pytest.approx(fits[0].log_loss_after)


def test_a_calibration_is_stored_with_the_model(ner, nlp, dev, tmp_path):
    nlp.get_pipe("attn_ner").calibrate(ner.examples(nlp, dev))
    expected = found(nlp, ner)
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), ner.blank().from_bytes(nlp.to_bytes())):
        assert found(loaded, ner) == expected
        attrs = loaded.get_pipe("attn_ner").model.attrs
        assert attrs["temperature"] != 1.0
        assert attrs["log_odds_offset"] != 0.0


def test_a_temperature_of_the_config(make_task, ner, nlp):
    cool = make_task("attn_ner", {"model": {**ner.config["model"], "temperature": 4.0}})
    other = spacy.blank("en")
    other.add_pipe("attn_ner", config={"model": cool.settings["model"]})
    assert other.get_pipe("attn_ner").model.attrs["temperature"] == 4.0
    with pytest.raises(ValueError, match=r"temperature -1 is not positive"):
        spacy.blank("en").add_pipe(
            "attn_ner", config={"model": {**cool.settings["model"], "temperature": -1}}
        )


def test_a_large_temperature_gives_every_path_its_share(ner, nlp):
    """With all scores gone, a word alone is O or a U of one of three labels."""
    model = nlp.get_pipe("attn_ner").model
    model.get_ref("output_layer").get_param("b")[4] += 100.0  # U of the first label
    model.attrs["temperature"] = 1e9
    doc = nlp("Bergen")
    assert [ent._.confidence for ent in doc.ents] == [0.25]
    model.attrs["log_odds_offset"] = -1.0
    doc = nlp("Bergen")
    expected = 0.25 / (0.25 + 0.75 * numpy.e)
    assert doc.ents[0]._.confidence == pytest.approx(expected, abs=1e-6)


def test_entities_where_nothing_is_known_do_not_count(ner, nlp, dev):
    pipe = nlp.get_pipe("attn_ner")
    examples = ner.examples(nlp, dev)
    before = pipe.calibrate(examples)
    blanks = [ner.blank_example(nlp, sentence) for sentence in ner.sentences]
    pipe.model.attrs.update(temperature=1.0, log_odds_offset=0.0)
    after = pipe.calibrate([*examples, *blanks])
    assert after.n_entities == before.n_entities
    assert after.temperature == before.temperature


def test_data_that_nothing_can_be_fitted_on(ner, nlp):
    pipe = nlp.get_pipe("attn_ner")
    before = dict(pipe.model.attrs)
    nothing = [ner.negative_example(nlp, sentence) for sentence in ner.sentences]
    with pytest.raises(ValueError, match="none of the 6 documents has annotated ent"):
        pipe.calibrate(nothing)
    with pytest.raises(ValueError, match="none of the 0 documents"):
        pipe.calibrate([])
    text = ("a .", [(0, 1, "PER")], [], [])
    model = pipe.model.get_ref("output_layer")
    model.get_param("b")[0] = 1e4
    with pytest.raises(ValueError, match=r"no entity is predicted .* train the comp"):
        pipe.calibrate([ner.example(nlp, text)])
    assert pipe.model.attrs == before


# the command


def run(*args):
    return CliRunner().invoke(attn_cli, ["calibrate", *map(str, args)])


@pytest.fixture
def model(ner, nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def data(ner, nlp, dev, tmp_path):
    """Two sentences a document, of which the first begins a sentence, too."""
    docs = [example.reference for example in ner.examples(nlp, dev)]
    for doc in docs:
        for token in doc:
            token.is_sent_start = token.i == 0
    joined = [
        spacy.tokens.Doc.from_docs(docs[i : i + 2]) for i in range(0, len(docs), 2)
    ]
    DocBin(docs=joined).to_disk(tmp_path / "dev.spacy")
    return tmp_path / "dev.spacy"


@pytest.mark.parametrize("options", [[], ["-s"], ["--gold-preproc", "--margin", "0"]])
def test_the_command(ner, nlp, model, data, tmp_path, options):
    result = run(model, data, tmp_path / "deep" / "output", *options)
    assert result.exit_code == 0, result.output
    for word in ("ECE (15 bins)", "Log loss", "before", "after", "temperature"):
        assert word in result.output
    loaded = spacy.load(tmp_path / "deep" / "output")
    before, after = found(nlp, ner), found(loaded, ner)
    assert after != before
    assert [[e[:3] for e in doc] for doc in after] == [
        [e[:3] for e in doc] for doc in before
    ]
    assert sorted(os.listdir(tmp_path / "deep")) == ["output"]


def test_gold_sentences_are_shown(nlp, data):
    def starts(**settings):
        examples, groups = read_grouped_examples(nlp, data, **settings)
        shown = [[t.i for t in e.predicted if t.is_sent_start] for e in examples]
        return shown, groups

    whole, groups = starts()
    assert {tuple(starts) for starts in whole} == {(0,)}
    shown, same = starts(gold_sents=True)
    assert same == groups
    assert [len(starts) for starts in shown] == [2, 2, 2]


def test_one_kind_of_sentences(model, data, tmp_path):
    result = run(model, data, tmp_path / "output", "--gold-sents", "--gold-preproc")
    assert result.exit_code == 1
    assert "exclude each other" in result.output


@pytest.mark.parametrize("calibrated", [True, False])
def test_too_few_entities(ner, nlp, model, data, tmp_path, calibrated):
    examples, _ = read_grouped_examples(nlp, data)
    there = sum(len(doc.ents) for doc in nlp.pipe(e.predicted for e in examples))
    n = there if calibrated else there + 1
    result = run(model, data, tmp_path / "output", "--min-entities", n)
    assert result.exit_code == 0, result.output
    loaded = spacy.load(tmp_path / "output")
    assert (found(loaded, ner) != found(nlp, ner)) == calibrated
    warning = f"Fewer than {n} entities are predicted in"
    assert (warning in result.output) != calibrated
    assert ("temperature" in result.output) == calibrated


def test_no_entity_is_too_few(nlp, data, tmp_path):
    model = nlp.get_pipe("attn_ner").model
    model.get_ref("output_layer").get_param("b")[0] = 1e4
    nlp.to_disk(tmp_path / "silent")
    result = run(tmp_path / "silent", data, tmp_path / "output")
    assert result.exit_code == 1
    result = run(tmp_path / "silent", data, tmp_path / "output", "--min-entities", 1)
    assert result.exit_code == 0, result.output
    assert spacy.load(tmp_path / "output").pipe_names == ["attn_ner"]


def test_in_place(ner, nlp, model, data, tmp_path):
    (tmp_path / "link").symlink_to(model, target_is_directory=True)
    result = run(model, data, tmp_path / "link")
    assert result.exit_code == 0, result.output
    assert found(spacy.load(model), ner) != found(nlp, ner)
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["dev.spacy", "link", "model"]


@pytest.mark.parametrize("moment", ["to_disk", "first rename", "second rename"])
def test_an_interrupted_write_leaves_the_old_pipeline(
    ner, nlp, dev, model, tmp_path, monkeypatch, moment
):
    expected = found(nlp, ner)
    nlp.get_pipe("attn_ner").calibrate(ner.examples(nlp, dev))
    renames = []

    def replace(source, target, replace=os.replace):
        renames.append(target)
        if len(renames) == ["first rename", "second rename"].index(moment) + 1:
            raise KeyboardInterrupt
        replace(source, target)

    def to_disk(path):
        (path / "meta.json").write_text("{")
        raise KeyboardInterrupt

    if moment == "to_disk":
        monkeypatch.setattr(nlp, "to_disk", to_disk)
    else:
        monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write_pipeline(nlp, model)
    monkeypatch.undo()
    assert found(spacy.load(model), ner) == expected
    assert sorted(os.listdir(tmp_path)) == ["model"]


def test_components_before_are_run(ner, nlp, model, data, tmp_path):
    """Those that set what the component reads: here the shared encoder."""
    listening = spacy.blank("en")
    listening.add_pipe("tok2vec", config={"model": ner.config["model"]["tok2vec"]})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}
    tagger = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": listener}
    listening.add_pipe("attn_ner", config={"model": tagger})
    examples = ner.examples(listening)
    sgd = listening.initialize(lambda: examples)
    ner.train(listening, examples, 20, sgd)
    listening.to_disk(tmp_path / "listening")
    result = run(tmp_path / "listening", data, tmp_path / "output")
    assert result.exit_code == 0, result.output
    assert found(spacy.load(tmp_path / "output"), ner) != found(listening, ner)


def test_one_of_several_components(ner, nlp, model, data, tmp_path):
    nlp.add_pipe("attn_ner", name="second", source=spacy.load(model))
    nlp.to_disk(tmp_path / "two")
    result = run(tmp_path / "two", data, tmp_path / "output")
    assert result.exit_code == 1
    assert "['attn_ner', 'second']" in " ".join(result.output.split())
    result = run(tmp_path / "two", data, tmp_path / "output", "-c", "third")
    said = " ".join(result.output.split())
    assert "attn_textcat_multilabel component 'third'" in said
    assert "Of these it has ['attn_ner', 'second']" in said
    result = run(tmp_path / "two", data, tmp_path / "output", "-c", "second")
    assert result.exit_code == 0, result.output
    loaded = spacy.load(tmp_path / "output")
    temperatures = [pipe.model.attrs["temperature"] for _, pipe in loaded.pipeline]
    assert temperatures[0] == 1.0 != temperatures[1]


def test_what_is_wrong_is_said(ner, nlp, model, data, tmp_path):
    output = tmp_path / "output"
    spacy.blank("en").to_disk(tmp_path / "blank")
    DocBin().to_disk(tmp_path / "empty.spacy")
    (tmp_path / "broken.spacy").write_bytes(b"no DocBin")
    doc = nlp.make_doc("Nobody was there .")
    doc.set_ents([], default="outside")
    DocBin(docs=[doc]).to_disk(tmp_path / "none.spacy")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "letter.txt").touch()
    (tmp_path / "unreadable").mkdir()
    shutil.copy(model / "meta.json", tmp_path / "unreadable")
    cases = [
        ((tmp_path / "nowhere", data, output), "neither a folder nor"),
        ((tmp_path / "unreadable", data, output), "does not load"),
        ((model, tmp_path / "nothing.spacy", output), "nothing.spacy is missing"),
        ((model, tmp_path / "empty.spacy", output), "holds no documents with tokens"),
        ((model, tmp_path / "broken.spacy", output), "cannot be read"),
        ((model, folder, output), "cannot be read"),
        ((model, tmp_path / "none.spacy", output), "has annotated entities"),
        ((tmp_path / "blank", data, output), "has no attn_ner or attn_rel or"),
        ((model, data, folder), "is no pipeline"),
        ((model, data, output, "--gpu-id", "987"), "GPU 987 cannot be used"),
    ]
    for args, message in cases:
        result = run(*args)
        assert result.exit_code == 1, args
        assert message in " ".join(result.output.split()), args
        assert not output.exists()


def test_a_span_that_crosses_the_gold_entity_is_wrong(ner):
    """An entity counts as right only with its exact bounds and label."""
    nlp = ner.trained()
    example = ner.example(nlp, ner.sentences[1])  # Tom Lind lives in Stavanger .
    reference = example.reference
    reference.ents = [Span(reference, 0, 3, "PER"), Span(reference, 4, 5, "ORG")]
    result = nlp.get_pipe("attn_ner").calibrate([example])
    assert (result.n_entities, result.accuracy) == (2, 0.0)
