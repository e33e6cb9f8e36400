"""Transformers of other packages below our components, where those are installed.

Tiny ones with random weights: `transformer` of spacy-transformers and
`curated_transformer` of spacy-curated-transformers, with their listeners.
"""

import copy
from importlib.util import find_spec

import numpy
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import load_model_from_config

from spacy_attnner.explain import explain
from spacy_attnner.pipeline.upstream import listeners_of
from spacy_attnner.relations import get_relations

WIDTH = 32
UPSTREAM = "trf"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MEAN = {"@layers": "reduce_mean.v1"}
SIZES = {"num_attention_heads": 2, "num_hidden_layers": 1}


def pieces(sentences):
    """A vocabulary in which short words are one piece and longer ones two."""
    words = {word for text, *_ in sentences for word in text.split()}
    parts = {part for word in words for part in (word[:5], "##" + word[5:])}
    return [*SPECIAL, *sorted(parts - {"##"})]


def write_vocab(folder, sentences):
    file = folder / "vocab.txt"
    file.write_text("\n".join(pieces(sentences)) + "\n", encoding="utf8")
    return file


def save_bert(folder, sentences):
    """A folder as of the hub: configuration, weights and a fast tokenizer."""
    import transformers

    vocab = str(write_vocab(folder, sentences))
    tokenizer = transformers.BertTokenizerFast(vocab, do_lower_case=False)
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=37,
        max_position_embeddings=64,
        **SIZES,
    )
    transformers.BertModel(config).save_pretrained(folder)


class SpacyTransformers:
    """`transformer` and its listener."""

    package = "spacy_transformers"

    @property
    def listener(self):
        prefix = "spacy-transformers"
        return {"@architectures": f"{prefix}.TransformerListener.v1", "pooling": MEAN}

    def add_to(self, nlp, folder, sentences):
        save_bert(folder, sentences)
        spans = {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 16,
            "stride": 12,
        }
        model = {
            "@architectures": "spacy-transformers.TransformerModel.v3",
            "name": str(folder),
            "get_spans": spans,
            "tokenizer_config": {"use_fast": True},
        }
        nlp.add_pipe("transformer", name=UPSTREAM, config={"model": model})


class CuratedTransformers:
    """`curated_transformer` and its listener."""

    package = "spacy_curated_transformers"

    @property
    def listener(self):
        prefix = "spacy-curated-transformers"
        return {
            "@architectures": f"{prefix}.LastTransformerLayerListener.v1",
            "width": WIDTH,
            "pooling": MEAN,
        }

    def add_to(self, nlp, folder, sentences):
        file = write_vocab(folder, sentences)
        prefix = "spacy-curated-transformers"
        model = {
            "@architectures": f"{prefix}.BertTransformer.v1",
            "vocab_size": len(pieces(sentences)),
            "hidden_width": WIDTH,
            "intermediate_width": 37,
            "piece_encoder": {"@architectures": f"{prefix}.BertWordpieceEncoder.v1"},
            "with_spans": {
                "@architectures": f"{prefix}.WithStridedSpans.v1",
                "window": 16,
                "stride": 12,
            },
            **SIZES,
        }
        nlp.add_pipe("curated_transformer", name=UPSTREAM, config={"model": model})
        nlp.config["initialize"]["components"][UPSTREAM] = {
            "piecer_loader": {
                "@model_loaders": f"{prefix}.WordpieceLoader.v1",
                "path": str(file),
            }
        }


KINDS = {
    each.package: each()
    for each in (SpacyTransformers, CuratedTransformers)
    if find_spec(each.package)
}
if not KINDS:
    pytest.skip("neither package is installed", allow_module_level=True)


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    if request.param == "spacy_curated_transformers":
        # 0.3.1 counts its loss as float(array of one number), which NumPy 2.4 refuses
        where = "spacy_curated_transformers.pipeline.transformer.float"
        monkeypatch.setattr(where, lambda loss: loss.item(), raising=False)
    return KINDS[request.param]


def context_above(listener):
    encoder = {
        "@architectures": "spacy-attnner.AttentionEncoder.v1",
        "width": 26,
        "n_heads": 2,
        "sentences": True,
        "embed": listener,
    }
    return {
        "@architectures": "spacy-attnner.DocumentContext.v1",
        "width": WIDTH,
        "value_width": 8,
        "tok2vec": encoder,
    }


ABOVE = {"nothing": dict, "encoder and context": context_above}


def add_component(nlp, task, kind, above="nothing"):
    config = task.config
    config["model"]["tok2vec"] = ABOVE[above](kind.listener)
    if task.name == "attn_rel":
        config["threshold"] = 0.0  # all scores are compared
    if task.name != "attn_ner":
        config["model"]["width"] = WIDTH
    nlp.add_pipe(task.name, config=config)


def make_nlp(task, kind, folder, above="nothing"):
    nlp = spacy.blank("en")
    kind.add_to(nlp, folder, task.sentences)
    add_component(nlp, task, kind, above)
    nlp.initialize(lambda: task.examples(nlp))
    return nlp


def batch_of(nlp, texts):
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in texts]


def update(nlp, examples, steps=10):
    """Returns the losses of the last of these steps, the first if there is one."""
    sgd = nlp.create_optimizer()
    sgd.learn_rate = 0.002
    for _ in range(steps):
        losses = nlp.update(examples, sgd=sgd)
    return losses


def said(task, nlp):
    """All that the component says of documents, some of which are empty."""
    texts = ["", "\n\n", " "]
    docs = [*map(nlp.make_doc, texts[:2]), *task.docs(nlp), nlp.make_doc(texts[2])]
    docs = list(nlp.pipe(docs, batch_size=4))
    if task.name != "attn_ner":
        return [task.found(doc) for doc in docs]
    marginals, _ = nlp.get_pipe(task.name).token_marginals(docs)
    return [numpy.asarray(array) for array in marginals]


def approx(scores):
    """As before, but for what the place of numbers in memory does to a sum."""
    return pytest.approx(scores, abs=1e-5)


def assert_says(task, nlp, expected):
    for found, before in zip(said(task, nlp), expected, strict=True):
        assert found == approx(before)


@pytest.mark.parametrize("above", ABOVE)
def test_trained_saved_and_loaded(task, kind, above, tmp_path):
    nlp = make_nlp(task, kind, tmp_path, above)
    examples = [*batch_of(nlp, ["", " "]), *task.examples(nlp)]
    untrained = nlp.get_pipe(UPSTREAM).model.to_bytes()
    first = update(nlp, examples, 1)[task.name]
    assert 0.0 < update(nlp, examples)[task.name] < first
    assert nlp.get_pipe(UPSTREAM).model.to_bytes() != untrained
    expected = said(task, nlp)
    nlp.to_disk(tmp_path / "nlp")
    assert_says(task, spacy.load(tmp_path / "nlp"), expected)
    other = load_model_from_config(nlp.config)
    assert_says(task, other.from_bytes(nlp.to_bytes()), expected)


@pytest.mark.parametrize("above", ABOVE)
def test_nothing_to_read_does_no_harm(task, kind, above, tmp_path):
    nlp = make_nlp(task, kind, tmp_path, above)
    plain = task.sentences[0][0]
    for texts in ([""], ["", ""], [" ", "\n\n \t"], ["", " "], [plain, " ", ""]):
        batch = batch_of(nlp, texts)
        nlp.evaluate(batch)
        assert numpy.isfinite(update(nlp, batch, 1)[task.name]), texts
        assert [doc.text for doc in nlp.pipe(texts, batch_size=3)] == texts


def test_it_is_run_on_documents_that_it_has_not_seen(task, kind, tmp_path):
    nlp = make_nlp(task, kind, tmp_path)
    update(nlp, task.examples(nlp), 3)
    expected = approx(task.found(nlp(task.docs(nlp)[0])))
    component = nlp.get_pipe(task.name)
    assert task.found(component(task.docs(nlp)[0])) == expected
    with nlp.select_pipes(disable=[UPSTREAM]):
        assert task.found(nlp(task.docs(nlp)[0])) == expected
    docs = [nlp.make_doc(""), *task.docs(nlp), nlp.make_doc(" ")]
    nlp.get_pipe(UPSTREAM)(docs[2])
    assert task.found(list(component.pipe(docs))[1]) == expected
    merged, unseen = nlp(task.docs(nlp)[0]), task.docs(nlp)[0]
    for doc in (merged, unseen):
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[2:4])
    assert task.found(component(merged)) == approx(task.found(component(unseen)))


@pytest.mark.parametrize("above", ABOVE)
def test_explanations_are_of_its_vectors(task, kind, above, tmp_path):
    nlp = make_nlp(task, kind, tmp_path, above)
    update(nlp, task.examples(nlp), 3)
    doc = nlp(task.docs(nlp)[0])
    target = {
        "attn_ner": lambda: Span(doc, 0, 2, label="PER"),
        "attn_rel": lambda: get_relations(doc)[0],
    }.get(task.name, lambda: "people")()
    with pytest.warns(UserWarning, match="know their context"):
        found = explain(nlp, doc, target)
    assert len(found.weights) == len(doc)
    assert numpy.isfinite(found.weights).all()
    assert any(found.weights)


def test_where_it_is_not_to_be_found(task, kind, tmp_path):
    nlp = make_nlp(task, kind, tmp_path)
    alone = copy.deepcopy(nlp.get_pipe(task.name))
    with pytest.raises(
        ValueError, match=r"component '\*', which the document 'Mira Oka"
    ):
        alone(task.docs(nlp)[0])


def test_an_update_leaves_nothing_behind(task, kind, tmp_path):
    nlp = make_nlp(task, kind, tmp_path)
    (listener,) = listeners_of(nlp.get_pipe(task.name).model)
    state = listener.attrs.get("_state")
    names = ("_batch_id", "_outputs", "_backprop")
    for texts in ([" "], [task.sentences[0][0]]):
        update(nlp, batch_of(nlp, texts), 1)
        if state is None:
            assert not any(getattr(listener, name) for name in names), texts
        else:
            assert not any(getattr(state, name[1:]) for name in names), texts


def test_two_components_share_it(make_task, kind, tmp_path):
    """What one of them learns does not depend on the other's place."""
    tasks = [make_task("attn_ner"), make_task("attn_textcat")]
    nlp = spacy.blank("en")
    kind.add_to(nlp, tmp_path, tasks[0].sentences)
    for task in tasks:
        add_component(nlp, task, kind)
    examples = [example for task in tasks for example in task.examples(nlp)]
    nlp.initialize(lambda: examples)
    first = update(nlp, examples, 1)
    last = update(nlp, examples)
    assert all(0.0 < last[task.name] < first[task.name] for task in tasks)
    expected = [said(task, nlp) for task in tasks]
    for task in tasks:
        nlp.replace_listeners(UPSTREAM, task.name, ["model.tok2vec"])
    nlp.remove_pipe(UPSTREAM)
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    for task, before in zip(tasks, expected, strict=True):
        assert_says(task, loaded, before)
    update(nlp, [*batch_of(nlp, [""]), *examples], 1)
