"""Pretrained encoders as a tok2vec: every family, stored whole, nothing left out."""

import json
import pickle
import shutil
import subprocess
import sys
from functools import partial
from itertools import product

import numpy
import pytest
import spacy
import torch
import transformers
from spacy import registry
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, Config, fix_random_seed

from spacy_attnner.models.batch import Batch
from spacy_attnner.models.pretrained import (
    ATTENTION,
    PretrainedEncoder,
    leave_padding_out,
)
from spacy_attnner.models.transformer_encoder import build_transformer_encoder
from tests.layers.test_varlen import one_by_one
from tests.tiny_encoders import FAMILIES, make_encoder, make_tokenizer

TEXTS = [
    "Maria Keller, who lives in Graz, works for Norvik Energy in Oslo.",
    "",
    "Graz  is\nfar from Oslo. \U0001f6a2 \ufe0f",
    "  ",
    "Ferries leave at 7.30 p.m. on Sundays, Ms. Keller said; they're full. " * 5,
]


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of a family's encoder, which is made once."""
    made = {}

    def folder(family="bert"):
        if family not in made:
            place = tmp_path_factory.mktemp("encoders") / family
            made[family] = make_encoder(place, family)
        return made[family]

    return folder


def make_model(name=None, **settings):
    return build_transformer_encoder(
        None if name is None else str(name), **{"margin": 7, **settings}
    )


def initialized(name, docs=(), **settings):
    model = make_model(name, **settings)
    model.initialize(X=list(docs))
    return model


def make_docs(nlp):
    return [nlp.make_doc(text) for text in TEXTS]


def train(model, docs, steps=2):
    optimizer = Adam(0.01)
    for _ in range(steps):
        Ys, backprop = model.begin_update(docs)
        backprop([numpy.tanh(Y) for Y in Ys])
        model.finish_update(optimizer)


def assert_same(found, expected, **tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_families(family, folders, nlp, tmp_path):
    """Two training steps, disk, bytes, pickles, copies: the same predictions."""
    docs = make_docs(nlp)
    model = initialized(folders(family), docs)
    before = model.predict(docs)
    assert [Y.shape for Y in before] == [(len(doc), 16) for doc in docs]
    train(model, docs)
    after = model.predict(docs)
    assert all(numpy.isfinite(Y).all() for Y in after)
    assert abs(after[0] - before[0]).max() > 1e-3
    model.to_disk(tmp_path / "model")
    loaded = make_model("/nowhere").from_disk(tmp_path / "model")
    assert_same(loaded.predict(docs), after)
    assert_same(make_model().from_bytes(model.to_bytes()).predict(docs), after)
    assert_same(model.copy().predict(docs), after)
    assert_same(pickle.loads(pickle.dumps(model)).predict(docs), after)
    alone = [model.predict([doc])[0] for doc in docs]
    assert_same(alone, after, atol=2e-5)


@pytest.mark.parametrize("top_layers", [1, 2])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_words_of_spaces_are_the_encoders_own(family, top_layers, folders, nlp):
    """Of words between spaces: what the encoder itself says of the whole text."""
    text = "Maria Keller lives in Graz and works in Oslo"
    doc = nlp.make_doc(text)
    model = initialized(folders(family), [doc], pooling="first", top_layers=top_layers)
    (found,) = model.predict([doc])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders(family))
    encoder = transformers.AutoModel.from_pretrained(folders(family)).eval()
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    begins = encoded.pop("offset_mapping")[0, 1:-1, 0].tolist()
    encoded.pop("token_type_ids", None)
    with torch.no_grad():
        states = encoder(**encoded, output_hidden_states=True)
    last = states.last_hidden_state
    if top_layers == 2:
        last = (states.hidden_states[-2] + states.hidden_states[-1]) / 2
    H = last[0, 1:-1].numpy()
    for token in doc:
        own = [i for i, n in enumerate(begins) if n in (token.idx, token.idx - 1)]
        numpy.testing.assert_allclose(found[token.i], H[own[0]], atol=1e-5)


def test_a_width_of_its_own(folders, nlp):
    docs = make_docs(nlp)
    same = initialized(folders(), docs, width=16)
    assert_same(same.predict(docs), initialized(folders(), docs).predict(docs))
    other = initialized(folders(), docs, width=11)
    train(other, docs)
    expected = other.predict(docs)
    assert [Y.shape for Y in expected] == [(len(doc), 11) for doc in docs]
    assert_same(
        make_model(width=11).from_bytes(other.to_bytes()).predict(docs), expected
    )


def test_the_mean_of_layers_is_trained_and_stored(folders, nlp):
    docs = make_docs(nlp)
    model = initialized(folders(), docs, top_layers=2)
    before = model.predict(docs)
    train(model, docs)
    after = model.predict(docs)
    assert abs(after[0] - before[0]).max() > 1e-3
    loaded = make_model(top_layers=2).from_bytes(model.to_bytes())
    assert_same(loaded.predict(docs), after)


def test_layers_that_an_encoder_lacks(folders, nlp):
    docs = make_docs(nlp)
    both = initialized(folders(), top_layers=2).predict(docs)
    assert_same(initialized(folders(), top_layers=4).predict(docs), both)
    with pytest.raises(ValueError, match="top_layers is 0: set 1 for the last layer"):
        initialized(folders(), top_layers=0)


def test_initialize_begins_anew(folders, nlp):
    docs = make_docs(nlp)
    model = initialized(folders(), docs)
    expected = model.predict(docs)
    train(model, docs)
    assert abs(model.predict(docs)[0] - expected[0]).max() > 1e-3
    model.initialize(X=docs)
    assert_same(model.predict(docs), expected)


def test_whitespace_changes_nothing(folders, nlp):
    plain, spaced = nlp.make_doc("Ann is here."), nlp.make_doc("Ann  is\n here.")
    model = initialized(folders("roberta"), [plain])
    one, other = model.predict([plain, spaced])
    words = [token.i for token in spaced if not token.is_space]
    numpy.testing.assert_allclose(other[words], one, atol=1e-6)
    assert not other[[token.i for token in spaced if token.is_space]].any()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_weights_of_attention_are_not_dropped(family, folders, nlp, monkeypatch):
    """Everything else is, as in pretraining."""
    rates = []
    fused = torch.nn.functional.scaled_dot_product_attention

    def attention(*args, dropout_p=0.0, **settings):
        rates.append(dropout_p)
        return fused(*args, dropout_p=dropout_p, **settings)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)
    docs = make_docs(nlp)
    model = initialized(folders(family), docs)
    found = [model.begin_update(docs[:1])[0][0] for _ in range(2)]
    assert abs(found[0] - found[1]).max() > 0 or family in ("albert", "modernbert")
    assert not any(rates)


def test_half_precision(folders, nlp):
    docs = make_docs(nlp)
    whole = initialized(folders(), docs)
    half = initialized(folders(), docs, half_precision=True)
    assert len(half.to_bytes()) < 0.75 * len(whole.to_bytes())
    loaded = make_model(half_precision=True).from_bytes(half.to_bytes())
    assert_same(loaded.predict(docs), whole.predict(docs), atol=0.01)
    weights = {p.dtype for p in loaded.layers[0].shims[0]._model.parameters()}
    assert weights == {torch.float32}
    assert_same(half.copy().predict(docs), half.predict(docs))
    assert_same(pickle.loads(pickle.dumps(half)).predict(docs), half.predict(docs))


def test_mixed_precision(folders, nlp):
    docs = make_docs(nlp)
    model = initialized(folders(), docs, mixed_precision=True)
    train(model, docs)
    assert {Y.dtype for Y in model.predict(docs)} == {numpy.dtype("float32")}


def test_sentences_are_context(folders, nlp):
    """A long document is cut between its sentences, and these see their neighbours."""
    sentences = [f"Ship {n} left Oslo for Graz with much coal ." for n in range(9)]
    words = [word for sentence in sentences for word in sentence.split()]
    n_words = len(sentences[0].split())
    starts = [i % n_words == 0 for i in range(len(words))]
    known = Doc(nlp.vocab, words, sent_starts=starts)
    unknown = Doc(nlp.vocab, words)
    model = initialized(folders(), [known])
    one, other = model.predict([known, unknown])
    assert abs(one - other).max() > 1e-5
    alone = Doc(nlp.vocab, words[:n_words])
    assert abs(model.predict([alone])[0] - one[:n_words]).max() > 1e-5


# inside a pipeline


def ner_config(folder, **encoder):
    tok2vec = {
        "@architectures": "spacy-attnner.TransformerEncoder.v1",
        "name": str(folder),
        "width": 16,
        "margin": 7,
        **encoder,
    }
    return {
        "model": {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": tok2vec}
    }


def make_examples(nlp):
    """Documents of some sentences, each with or without a place."""
    examples = []
    places = ("Graz", "Oslo", "Bergen", "here", "afar")
    for i, (word, place) in enumerate(product(("ships", "coal", "rain"), places)):
        sentences = [("Much", word, "comes", "from", place, ".")]
        sentences += [("Much", "coal", "comes", "from", places[i % 5], ".")] * (i % 4)
        words = [each for sentence in sentences for each in sentence]
        doc = Doc(nlp.vocab, words)
        gold = doc.copy()
        known = [i for i, each in enumerate(words) if each in places[:3]]
        gold.set_ents([Span(gold, i, i + 1, "LOC") for i in known], default="outside")
        examples.append(Example(doc, gold))
    return examples


def overfit(nlp, examples, steps=120, rate=0.005):
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    optimizer = Adam(rate)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


def make_recognizer(folder, **encoder):
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner", config=ner_config(folder, **encoder))
    return overfit(nlp, make_examples(nlp))


@pytest.fixture(scope="module")
def recognizer(folders):
    return make_recognizer(folders())


def entities(doc):
    return [(ent.start, ent.text, ent.label_) for ent in doc.ents]


def test_an_entity_at_token_5000(recognizer):
    words = ["Much", "rain", "comes", "from", "here", "."] * 1000
    words[5000:5002] = ["from", "Oslo"]
    doc = Doc(recognizer.vocab, words)
    assert entities(recognizer(doc)) == [(5001, "Oslo", "LOC")]


def test_a_pipeline_on_disk_needs_neither_folder_nor_network(
    recognizer, tmp_path, monkeypatch
):
    text = "Much coal comes from Bergen ."
    recognizer.to_disk(tmp_path / "nlp")
    script = (
        "import socket, spacy; socket.socket.connect = None; "
        f"nlp = spacy.load({str(tmp_path / 'nlp')!r}); "
        f"print(next(iter(nlp.pipe([{text!r}]))).ents)"
    )
    config = Config().from_disk(tmp_path / "nlp" / "config.cfg")
    config["components"]["attn_ner"]["model"]["tok2vec"]["name"] = "no/such"
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "(Bergen,)", done.stderr


@pytest.mark.parametrize("n_process", [1, 2])
def test_batches_and_processes(recognizer, n_process):
    texts = ["Much coal comes from Bergen .", "", "  ", "Much rain  comes from Graz ."]
    docs = recognizer.pipe(texts * 3, batch_size=4, n_process=n_process)
    found = [[ent.text for ent in doc.ents] for doc in docs]
    assert found == [["Bergen"], [], [], ["Graz"]] * 3


def test_a_shared_encoder(folders):
    nlp = spacy.blank("en")
    config = ner_config(folders())["model"]["tok2vec"]
    nlp.add_pipe("tok2vec", config={"model": config})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16}
    context = {
        "@architectures": "spacy-attnner.DocumentContext.v1",
        "tok2vec": listener,
        "value_width": 8,
        "n_heads": 2,
    }
    for name, tok2vec in (("one", listener), ("two", context)):
        model = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": tok2vec}
        nlp.add_pipe("attn_ner", name=name, config={"model": model, "spans_key": name})
    overfit(nlp, make_examples(nlp))
    for pipeline in (nlp, spacy.blank("en").from_config(nlp.config)):
        pipeline.from_bytes(nlp.to_bytes())
        doc = pipeline("Much rain comes from Graz .")
        for name in ("one", "two"):
            assert [span.text for span in doc.spans[name]] == ["Graz"]


def test_beside_other_embeddings(folders):
    """Characters and shapes tell capitals, which an uncased encoder does not see."""
    config = ner_config(folders())
    config["model"]["tok2vec"] = {
        "@architectures": "spacy-attnner.AttentionEncoder.v1",
        "width": 20,
        "n_heads": 0,
        "embed": {
            "@architectures": "spacy-attnner.WordEmbed.v1",
            "vector_width": 0,
            "shape_width": 6,
        },
        "characters": {"@architectures": "spacy-attnner.CharacterCNN.v1", "width": 8},
        "transformer": config["model"]["tok2vec"],
    }
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner", config=config)
    overfit(nlp, make_examples(nlp))
    loaded = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert entities(loaded("Much rain comes from Graz .")) == [(4, "Graz", "LOC")]


def test_a_frozen_encoder(folders, monkeypatch):
    """It stays as it is, and computes nothing in a second epoch."""
    tuning = {"@misc": "spacy-attnner.FineTuning.v1", "frozen": "all"}
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner", config=ner_config(folders(), tuning=tuning))
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    (module,) = [
        shim._model
        for node in nlp.get_pipe("attn_ner").model.walk()
        for shim in node.shims
        if isinstance(shim._model, PretrainedEncoder)
    ]
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimizer = Adam(0.01)
    nlp.update(examples, sgd=optimizer)
    monkeypatch.setattr(module.encoder, "forward", None)
    losses = [nlp.update(examples, sgd=optimizer)["attn_ner"] for _ in range(9)]
    assert losses[-1] < losses[0]
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, before[name])


# bad input


def refused(name, match, error=ValueError):
    with pytest.raises(error, match=match):
        initialized(name)


def test_no_name():
    with pytest.raises(ValueError, match="has no name: set it to a folder"):
        make_model().initialize()
    with pytest.raises(ValueError, match="is not loaded: initialize the pipeline"):
        make_model().predict([Doc(spacy.blank("en").vocab, ["Graz"])])


def test_a_name_that_cannot_be_fetched(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused("no-such/encoder", "hf download no-such/encoder --local-dir")


def test_a_folder_that_is_none(tmp_path):
    refused(tmp_path / "nowhere", "nowhere is not a folder")
    refused("./nowhere", "nowhere is not a folder")
    refused(tmp_path, "has no config.json")


@pytest.fixture
def copied(folders, tmp_path):
    return shutil.copytree(folders(), tmp_path / "copy")


def test_a_folder_without_a_tokenizer(copied):
    for path in copied.glob("*token*"):
        path.unlink()
    refused(copied, r"has no tokenizer \(tokenizer.json\)")


def test_a_folder_without_weights(copied):
    (copied / "model.safetensors").unlink()
    refused(copied, r"has no weights \(model.safetensors\)$")
    (copied / "pytorch_model.bin").write_bytes(b"")
    refused(copied, "is a pickle, which could run any code .* python -c")


def test_weights_that_are_cut_short(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:999])
    refused(copied, "cannot be read")


def test_weights_of_another_model(copied, folders):
    shutil.copy(folders("electra") / "model.safetensors", copied)
    refused(copied, "no weights for|cannot be read")


def test_a_tokenizer_of_another_vocabulary(copied):
    config = json.loads((copied / "config.json").read_text())
    n_pieces = config["vocab_size"]
    make_encoder(copied, vocab_size=99)
    assert json.loads((copied / "config.json").read_text())["vocab_size"] == 99
    refused(copied, f"tokenizer has {n_pieces} word pieces .* vectors of 99")


def test_a_tokenizer_without_a_fast_form(folders, monkeypatch):
    slow = type("SlowTokenizer", (), {})()
    monkeypatch.setattr(
        transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: slow
    )
    refused(folders(), "SlowTokenizer, is written in Python alone")


def test_transformers_that_is_not_installed(folders, nlp, monkeypatch):
    docs = make_docs(nlp)
    stored = initialized(folders(), docs).to_bytes()
    monkeypatch.setitem(sys.modules, "transformers", None)
    for load in (
        make_model(folders()).initialize,
        partial(make_model().from_bytes, stored),
    ):
        with pytest.raises(ImportError, match=r"spacy-attnner\[transformers\]"):
            load()


def test_windows_that_do_not_fit(folders):
    with pytest.raises(ValueError, match="window 41 is more than the 40 word pieces"):
        initialized(folders(), window=41)
    with pytest.raises(ValueError, match="leaves no core between two margins of 19"):
        initialized(folders(), margin=19)
    shorter = initialized(folders("roberta")).layers[0].shims[0]._model
    assert shorter.room == 40 - 2 - 2  # positions begin behind the padding's


def test_an_encoder_with_a_decoder(tmp_path):
    tokenizer = make_tokenizer("unigram")
    config = transformers.T5Config(
        vocab_size=700, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2
    )
    transformers.T5Model(config).save_pretrained(tmp_path)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<unk>"
    )
    fast.save_pretrained(tmp_path)
    refused(tmp_path, "an encoder and a decoder")


def test_pooling_is_one_of_two():
    config = {
        "model": {
            "@architectures": "spacy-attnner.TransformerEncoder.v1",
            "name": "x",
            "pooling": "sum",
        }
    }
    with pytest.raises(Exception, match="pooling"):
        registry.resolve(config)


def test_stored_weights_that_do_not_fit(folders, nlp):
    docs = make_docs(nlp)
    model = initialized(folders(), docs)
    shim = model.layers[0].shims[0]
    shim._model.config["hidden_size"] = 18
    with pytest.raises(ValueError, match="stored weights do not fit"):
        make_model().from_bytes(model.to_bytes())


def test_batches_are_laid_out_once(folders, nlp):
    docs = Batch(make_docs(nlp))
    model = initialized(folders(), docs)
    assert_same(model.predict(docs), model.predict(list(docs)))


# on a GPU

OLD = not getattr(transformers.BertModel, "_supports_attention_backend", False)


@pytest.mark.skipif(OLD, reason="encoders of this version have no interface for it")
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_attention_without_padding(family, folders, nlp, monkeypatch):
    """As on a CUDA GPU, whose kernel is played by one call a sequence."""
    monkeypatch.setattr("spacy_attnner.layers.varlen.varlen_attn", one_by_one)
    docs = make_docs(nlp)
    model = initialized(folders(family), docs, mixed_precision=True)
    expected = model.predict(docs)
    module = model.layers[0].shims[0]._model
    if not leave_padding_out(module.encoder, module.config):
        assert family in ("deberta-v2", "modernbert", "mpnet")
        return
    assert module.encoder.config._attn_implementation == ATTENTION
    assert_same(model.predict(docs), expected, atol=0.05)
    train(model, docs)
    assert all(numpy.isfinite(Y).all() for Y in model.predict(docs))
