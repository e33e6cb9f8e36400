"""Pipelines in other processes, however these start, and pickled and copied ones."""

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
from spacy.attrs import LOWER
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example

from spacy_attnner.relations import Relation, get_relations, set_relations

NAMES = ("attn_ner", "attn_rel", "attn_textcat", "attn_textcat_multilabel")
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}

SCRIPT = """
import json, multiprocessing, sys
import spacy
from joblib import Parallel, delayed
from spacy_attnner.relations import get_relations

TEXTS = [
    "Mira Okafor works for Kestrel Lines in Bergen .",
    "",
    "Tom Lind lives in Stavanger .",
    "Halden Bank opened an office in Tromsø last May .",
] * 2

def found(doc):
    ents = [(e.start, e.end, e.label_, e._.confidence) for e in doc.ents]
    pairs = [(r.head.start, r.tail.start, r.label, r.score) for r in get_relations(doc)]
    return [ents, pairs, doc.cats]

def predict(nlp, texts):
    return [found(doc) for doc in nlp.pipe(texts, batch_size=4)]

if __name__ == "__main__":
    nlp = spacy.load(sys.argv[1])
    expected = predict(nlp, TEXTS)
    assert any(ents for ents, _, _ in expected)
    assert any(pairs for _, pairs, _ in expected)
    result = {}
    for method in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method(method, force=True)
        docs = nlp.pipe(TEXTS, n_process=2, batch_size=4)
        result[method] = [found(doc) for doc in docs] == expected
    (loky,) = Parallel(n_jobs=2)([delayed(predict)(nlp, TEXTS)])
    result["loky"] = loky == expected
    result["weights stayed here"] = not any(
        weights.is_shared()
        for _, component in nlp.pipeline
        for node in component.model.walk()
        for shim in node.shims
        for weights in shim._model.parameters()
    )
    print(json.dumps(result))
"""


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def blank() -> Language:
    """With a table of vectors that is looked up by lower case."""
    table = {"@vectors": "spacy-attnner.Vectors.v1", "attr": "LOWER"}
    nlp = spacy.blank("en", config={"nlp": {"vectors": table}})
    nlp.vocab.vectors.name = "made_up"
    nlp.vocab.vectors.resize((4, 3))
    for i, word in enumerate(["mira", "bergen", "works", "kestrel"]):
        key = nlp.vocab.strings.add(word)
        nlp.vocab.vectors.add(key, vector=numpy.eye(4, 3)[i], row=i)
    return nlp


def example(nlp: Language, sentence: tuple) -> Example:
    text, entities, relations, cats = sentence
    predicted, reference = nlp.make_doc(text), nlp.make_doc(text)
    predicted.ents = [Span(predicted, *entity) for entity in entities]
    spans = [Span(reference, *entity) for entity in entities]
    reference.set_ents(spans, default="outside")
    gold = [Relation(spans[h], spans[t], label) for h, t, label in relations]
    set_relations(reference, gold)
    known = ("people", "trade", "weather")
    reference.cats = {label: float(label in cats) for label in known}
    return Example(predicted, reference)


@pytest.fixture(scope="module")
def nlp(make_task: Callable) -> Language:
    """All components: some listen to a shared encoder, others have their own."""
    nlp = blank()
    encoder = make_task("attn_ner").config["model"]["tok2vec"]
    encoder["embed"]["vector_width"] = 5
    nlp.add_pipe("tok2vec", config={"model": encoder})
    for name in NAMES:
        config = make_task(name).config
        listens = name in ("attn_ner", "attn_textcat")
        config["model"]["tok2vec"] = LISTENER if listens else encoder
        if name == "attn_rel":  # all pairs that it looks at
            config["threshold"] = 0.0
        nlp.add_pipe(name, config=config)
    examples = [example(nlp, each) for each in make_task("attn_ner").sentences]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(50):
        nlp.update(examples, sgd=sgd, drop=0.1)
    return nlp


def answers(nlp: Language) -> list:
    texts = ["Mira Okafor works for Kestrel Lines in Bergen .", "", "Tom Lind ."]
    return [
        [
            [(ent.start, ent.label_, ent._.confidence) for ent in doc.ents],
            [(r.head.start, r.tail.start, r.score) for r in get_relations(doc)],
            doc.cats,
        ]
        for doc in nlp.pipe(texts)
    ]


def test_workers_of_every_start_method_say_the_same(nlp, tmp_path: Path):
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf8")
    done = subprocess.run(
        [sys.executable, "script.py", "model"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"spawn", "loky"} <= result.keys()
    assert all(result.values()), result


@pytest.mark.parametrize("clone", [pickled, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_copies_of_a_trained_pipeline_say_the_same(nlp, clone: Callable):
    expected = answers(nlp)
    assert any(ents for ents, _, _ in expected)
    assert any(pairs for _, pairs, _ in expected)
    other = clone(nlp)
    assert answers(other) == expected
    assert other.vocab.vectors.name == "made_up"
    assert other.vocab.vectors.attr == LOWER == nlp.vocab.vectors.attr
    for name, component in nlp.pipeline:
        assert clone(component.model).to_bytes() == component.model.to_bytes(), name
        assert clone(component).to_bytes() == component.to_bytes(), name
