"""Pipelines whose pretrained encoder ONNX Runtime runs."""

import json
import pickle
import sys

import numpy
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_attnner.errors import UserError
from spacy_attnner.explain import Explainer
from spacy_attnner.explain.faithfulness import RANDOM, evaluate_explanations
from spacy_attnner.explain.methods import methods_of
from spacy_attnner.onnx import encoders_of, export_to_onnx
from spacy_attnner.serving.batch_reader import BatchReader, Job
from tests.commands import invoke
from tests.tiny_encoders import make_encoder

TEXTS = [
    "Maria Keller, who lives in Graz, works for Norvik Energy in Oslo.",
    "",
    "Ferries leave at 7.30 p.m. on Sundays, Ms. Keller said; they're full. " * 5,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline over the mean of two layers, as it is, as ONNX and as int8."""
    folder = tmp_path_factory.mktemp("onnx")
    transformer = {
        "@architectures": "spacy-attnner.TransformerEncoder.v1",
        "name": str(make_encoder(folder / "encoder", "bert")),
        "margin": 7,
        "top_layers": 2,
    }
    nlp = spacy.blank("en")
    tagger = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": transformer}
    nlp.add_pipe("attn_ner", config={"model": tagger}).add_label("PER")
    nlp.initialize()
    nlp.to_disk(folder / "plain")
    for name, options in (("onnx", []), ("int8", ["--int8"])):
        args = [str(folder / "plain"), str(folder / name), *options]
        result = invoke("onnx", args)
        assert result.exit_code == 0, result.output
        assert "attn_ner: vectors differ by" in result.output
    return folder


def vectors(nlp):
    docs = list(map(nlp.make_doc, TEXTS))
    return nlp.get_pipe("attn_ner").model.get_ref("tok2vec").predict(docs)


def assert_close(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(one, other, atol=tolerance)


def test_predictions_are_the_same(folder):
    plain, onnx = spacy.load(folder / "plain"), spacy.load(folder / "onnx")
    assert_close(vectors(onnx), vectors(plain), 1e-5)
    expected = [
        [(span.text, span.label_) for span in doc.ents] for doc in plain.pipe(TEXTS)
    ]
    for n_process in (1, 2):
        docs = onnx.pipe(TEXTS, n_process=n_process)
        found = [[(span.text, span.label_) for span in doc.ents] for doc in docs]
        assert found == expected


def test_8_bits_are_close(folder):
    expected, found = (
        numpy.concatenate(vectors(spacy.load(folder / name)))
        for name in ("plain", "int8")
    )
    error = ((found - expected) ** 2).mean() / expected.var()
    assert 0 < error < 0.05**2


def test_copies(folder):
    nlp = spacy.load(folder / "onnx")
    model = nlp.get_pipe("attn_ner").model.get_ref("tok2vec")
    docs, expected = [nlp.make_doc(TEXTS[0])], vectors(nlp)[:1]
    for copied in (model.copy(), pickle.loads(pickle.dumps(model))):
        assert_close(copied.predict(docs), expected, 0)
    again = spacy.load(folder / "plain").from_bytes(nlp.to_bytes())
    assert_close(vectors(again), vectors(nlp), 0)


def test_training_needs_a_frozen_encoder(folder):
    nlp = spacy.load(folder / "onnx")
    doc = nlp.make_doc(TEXTS[0])
    example = Example.from_dict(doc, {"entities": [(0, 12, "PER")]})
    with pytest.raises(ValueError, match="has no gradients"):
        nlp.update([example])
    tuning = {"@misc": "spacy-attnner.FineTuning.v1", "frozen": "all"}
    config = spacy.util.load_config(folder / "onnx" / "config.cfg")
    config["components"]["attn_ner"]["model"]["tok2vec"]["tuning"] = tuning
    frozen = spacy.util.load_model_from_config(config).from_disk(folder / "onnx")
    before = vectors(frozen)
    losses = [frozen.update([example])["attn_ner"] for _ in range(20)]
    assert losses[-1] < losses[0]
    assert_close(vectors(frozen), before, 0)


def refused(model, output, message):
    with pytest.raises(UserError, match=message):
        export_to_onnx(str(model), output)
    assert not output.exists()


def test_a_service_explains_by_leave_one_out(folder):
    nlp = spacy.load(folder / "onnx")
    ruler = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "PER", "pattern": "Maria Keller"}])
    (outcome,) = BatchReader(nlp).read([Job(TEXTS[0], explain=True)])
    assert not outcome.failed, outcome.content
    explanations = json.loads(outcome.content)["explanations"]
    assert {each["method"] for each in explanations} == {"leave_one_out"}


def test_what_needs_gradients_explains_nothing(folder):
    nlp = spacy.load(folder / "onnx")
    doc = nlp(TEXTS[0])
    question = Explainer(nlp).question(doc, Span(doc, 0, 2, "PER"))
    assert methods_of(question) == ["leave_one_out"]
    doc.ents = [Span(doc, 0, 2, "PER")]
    result = evaluate_explanations(nlp, [doc], "entity")
    assert list(result.comprehensiveness) == ["leave_one_out", RANDOM]


def test_no_second_time(folder, tmp_path):
    refused(folder / "onnx", tmp_path / "out", "an ONNX graph already")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("encoder", "encoder is there and is no pipeline"),
        ("plain/onnx", "lies inside"),
        ("plain", "holds the pipeline, and would be replaced"),
    ],
)
def test_outputs_in_the_way(output, message, folder):
    before = sorted(path.name for path in (folder / "plain").iterdir())
    with pytest.raises(UserError, match=message):
        export_to_onnx(str(folder / "plain"), folder / output)
    assert sorted(path.name for path in (folder / "plain").iterdir()) == before


def test_no_encoder(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "model")
    refused(tmp_path / "model", tmp_path / "out", "has no encoder of spacy-attnner")


def test_packages_that_are_missing(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    refused(folder / "plain", tmp_path / "out", r"spacy-attnner\[onnx\]")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(folder / "plain", tmp_path / "out", r"spacy-attnner\[onnx\]")
    nlp = spacy.load(folder / "onnx")
    with pytest.raises(ImportError, match=r"spacy-attnner\[onnx\]"):
        nlp(TEXTS[0])


def test_an_encoder_is_found_once(folder):
    ((name, _),) = encoders_of(spacy.load(folder / "plain"))
    assert name == "attn_ner"
