"""Entities given, pair classified with its direction: `attn_rel` by itself."""

import pytest
import spacy
from spacy.util import load_model_from_config, registry
from thinc.api import Config

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.relations import get_relations

# the same words in both directions, so that only their order tells the label
CORPUS = """
1\t"The <e1>frost</e1> brought on a <e2>shortage</e2> of plums."
Cause-Effect(e1,e2)

2\t"The <e1>shortage</e1> came from a late <e2>frost</e2>."
Cause-Effect(e2,e1)

3\t"A <e1>leak</e1> brought on the <e2>outage</e2>."
Cause-Effect(e1,e2)

4\t"That <e1>outage</e1> came from a <e2>leak</e2>."
Cause-Effect(e2,e1)

5\t"The <e1>crate</e1> holds forty <e2>plums</e2>."
Content-Container(e2,e1)

6\t"Forty <e1>plums</e1> fit into the <e2>crate</e2>."
Content-Container(e1,e2)

7\t"The <e1>crate</e1> stood near the <e2>leak</e2>."
Other

8\t"She counted every <e1>plum</e1> during the<e2>outage</e2>."
Other
Comment: a space is missing
"""
CONFIG = """
[nlp]
lang = "en"
pipeline = ["attn_rel"]

[components]

[components.attn_rel]
factory = "attn_rel"

[components.attn_rel.model]
@architectures = "spacy-attnner.EntityPairAttention.v1"
hidden = 22
n_heads = 2

[components.attn_rel.model.tok2vec]
@architectures = "spacy-attnner.AttentionEncoder.v1"
width = 26
n_heads = 2

[components.attn_rel.model.tok2vec.embed]
@architectures = "spacy-attnner.WordEmbed.v1"
vector_width = 0
word_width = 17
word_rows = 503
"""


@pytest.fixture
def read(write, tmp_path):
    """The corpus as training examples, through a `.spacy` file."""

    def read_examples(nlp, *, gold_preproc):
        path = tmp_path / "corpus.spacy"
        convert(write(CORPUS), path)
        settings = {"path": str(path), "gold_preproc": gold_preproc}
        reader = {"@readers": "spacy-attnner.GoldEntitiesCorpus.v1", **settings}
        return list(registry.resolve({"corpus": reader})["corpus"](nlp))

    return read_examples


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


def test_a_split_token_is_seen_with_gold_tokens_only(read):
    """What `read_semeval2010` says of `gold_preproc`."""
    nlp = spacy.blank("en")
    for gold_preproc, found in ((True, ["plum", "outage"]), (False, ["plum"])):
        example = read(nlp, gold_preproc=gold_preproc)[-1]
        assert [ent.text for ent in example.reference.ents] == ["plum", "outage"]
        assert [ent.text for ent in example.predicted.ents] == found


def test_pairs_and_their_direction_are_learnt(read):
    nlp = load_model_from_config(Config().from_str(CONFIG), auto_fill=True)
    examples = read(nlp, gold_preproc=True)
    sgd = nlp.initialize(lambda: examples)
    assert nlp.get_pipe("attn_rel").labels == ("Cause-Effect", "Content-Container")
    sgd.learn_rate = 0.01
    for _ in range(60):
        nlp.update(examples, sgd=sgd, drop=0.1)
    assert nlp.evaluate(read(nlp, gold_preproc=True))["rel_f"] == 1.0
    found = []
    for example in read(nlp, gold_preproc=True):
        doc = nlp(example.predicted)
        assert triples(doc) == triples(example.reference)
        found += triples(doc)
    assert ("frost", "Cause-Effect", "shortage") in found
    assert found.count(("plums", "Content-Container", "crate")) == 2
    assert len(found) == 6
