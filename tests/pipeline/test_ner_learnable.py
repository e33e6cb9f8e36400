"""A recognizer that is never told what is no entity."""

import pytest
import spacy
from spacy.tokens import Span, SpanGroup
from spacy.training import Example
from spacy.util import registry

from spacy_attnner.corpora.conversion import convert

SEMEVAL = """
1\t"The <e1>frost</e1> brought on a <e2>shortage</e2> of plums."
Cause-Effect(e1,e2)

2\t"Forty <e1>plums</e1> fit into the <e2>crate</e2>."
Content-Container(e1,e2)
"""


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


def positives(task, nlp):
    """Examples in which only entities are annotated, the rest is missing."""
    examples = task.examples(nlp)
    for example in examples:
        reference = example.reference
        reference.set_ents(list(reference.ents), default="missing")
    return examples


def test_positive_spans_alone_are_said(ner):
    nlp = ner.blank()
    message = r"every token is an entity: .* tokens 15 are in one, 37 are not annotated"
    with pytest.warns(UserWarning, match=message):
        nlp.initialize(lambda: positives(ner, nlp))


def test_semeval_is_such_a_corpus(ner, tmp_path):
    source = tmp_path / "semeval.txt"
    source.write_text(SEMEVAL.lstrip(), encoding="utf8")
    convert(source, tmp_path / "corpus.spacy")
    reader = {
        "@readers": "spacy.Corpus.v1",
        "path": str(tmp_path / "corpus.spacy"),
        "gold_preproc": False,
        "max_length": 0,
        "limit": 0,
        "augmenter": None,
    }
    corpus = registry.resolve({"corpus": reader})["corpus"]
    nlp = ner.blank()
    with pytest.warns(UserWarning, match="attn_rel alone .*init-config rel-given"):
        nlp.initialize(lambda: corpus(nlp))


def test_one_document_annotated_as_a_whole_is_enough(ner):
    nlp = ner.blank()
    nlp.initialize(lambda: [*positives(ner, nlp), *ner.examples(nlp)[:1]])


def test_spans_that_are_no_entities_are_enough(ner):
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner", config={**ner.config, "incorrect_spans_key": "wrong"})
    examples = positives(ner, nlp)
    doc = examples[1].reference
    doc.spans["wrong"] = SpanGroup(doc, spans=[Span(doc, 2, 3, "PER")])
    sgd = nlp.initialize(lambda: examples)
    only_wrong = nlp.make_doc(doc.text)
    only_wrong.spans["wrong"] = SpanGroup(only_wrong, spans=[Span(only_wrong, 2, 3)])
    nlp.update([Example(nlp.make_doc(doc.text), only_wrong)], sgd=sgd)
    assert nlp.get_pipe("attn_ner").watch.done
