"""What documents take: what their own tokens need, as long as somebody holds them."""

import subprocess
import sys
import weakref

import pytest
import spacy

from ..tiny_encoders import make_encoder

LIMIT = 350  # MiB
SCRIPT = """
import random, string
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy_attnner.relations import Relation, set_relations

rng = random.Random(0)
words = ["".join(rng.choices(string.ascii_lowercase, k=6)) for _ in range(5000)]

def make(n):
    doc = Doc(nlp.vocab, words=rng.choices(words, k=n))
    starts = range(0, len(doc) - 2, 5)
    doc.ents = [Span(doc, i, i + 2, label=f"L{i % 20}") for i in starts]
    return doc

def peak():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

for name in ("attn_textcat", "attn_rel", "attn_ner"):
    nlp = spacy.blank("en")
    nlp.add_pipe(name)
    examples = []
    for doc in (make(100), make(100)):
        doc.cats = {"yes": 1.0, "no": 0.0}
        set_relations(doc, [Relation(*doc.ents[:2], "R", 1.0)])
        examples.append(Example(doc.copy(), doc))
    nlp.initialize(lambda: examples)
    docs = [make(rng.randint(0, 30)) for _ in range(255)]
    list(nlp.pipe([doc.copy() for doc in docs]))
    docs.insert(100, make(10_000))
    before = peak()
    assert len(list(nlp.pipe(docs, batch_size=256))) == 256
    print(name, peak() - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc/self/status"
)
def test_a_long_document_among_short_ones():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    growth = dict(line.split() for line in run.stdout.splitlines())
    assert list(growth) == ["attn_textcat", "attn_rel", "attn_ner"]
    assert all(float(each) < LIMIT for each in growth.values()), growth


@pytest.mark.parametrize("pretrained", [False, True])
def test_documents_are_gone_once_nobody_holds_them(
    task, pretrained, tmp_path, no_collector
):
    """In a circle they would stay until Python's collector comes by."""
    config = task.config
    if pretrained:
        config["model"]["tok2vec"] = {
            "@architectures": "spacy-attnner.TransformerEncoder.v1",
            "name": str(make_encoder(tmp_path / "encoder")),
            "margin": 7,
        }
    nlp = spacy.blank("en")
    nlp.add_pipe(task.name, config=config)
    sgd = nlp.initialize(lambda: task.examples(nlp))
    read = [weakref.ref(doc) for doc in nlp.pipe(task.docs(nlp))]
    assert not any(ref() for ref in read)
    examples = task.examples(nlp)
    learnt = [weakref.ref(example.predicted) for example in examples]
    nlp.update(examples, sgd=sgd)
    del examples
    assert not any(ref() for ref in learnt)
