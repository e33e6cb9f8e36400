"""`configs/rel_given.cfg`: entities given, of one type; labels say the direction."""

from pathlib import Path

import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import DocBin

from spacy_attnner.corpora.semeval import read_marked_text
from spacy_attnner.corpora.training_data import GoldEntitiesCorpus
from spacy_attnner.relations import Relation, get_relations, set_relations

CONFIG = Path(__file__).parent.parent / "configs" / "rel_given.cfg"
PAIRS = "components.attn_rel.model"
# the same words and even the same sentences with other labels: what decides is where
# the two entities stand
SENTENCES = {
    "The <e1>frost</e1> killed the <e2>plums</e2> .": "Harm(e1,e2)",
    "The <e1>plums</e1> were killed by <e2>frost</e2> .": "Harm(e2,e1)",
    "A <e1>leak</e1> killed the <e2>pump</e2> .": "Harm(e1,e2)",
    "The <e1>pump</e1> was killed by a <e2>leak</e2> .": "Harm(e2,e1)",
    "The <e1>crate</e1> holds <e2>plums</e2> that frost killed .": "Content(e2,e1)",
    "The crate holds <e1>plums</e1> that <e2>frost</e2> killed .": "Harm(e2,e1)",
    "The <e1>crate</e1> holds plums that <e2>frost</e2> killed .": None,
    "<e1>Plums</e1> in the <e2>crate</e2> were killed by frost .": "Content(e1,e2)",
    "<e1>Plums</e1> in the crate were killed by <e2>frost</e2> .": "Harm(e2,e1)",
    "Plums in the <e1>crate</e1> were killed by <e2>frost</e2> .": None,
}


def make_doc(nlp, text, label):
    marked = read_marked_text(f'"{text}"', lambda *args, **kwargs: None)
    doc = nlp(marked.text)
    spans = [doc.char_span(*marked.places[name], "E") for name in ("e1", "e2")]
    doc.set_ents(spans)
    set_relations(doc, [Relation(*spans, label)] if label else [])
    return doc


@pytest.mark.filterwarnings("ignore::UserWarning")  # spaCy's, of its own commands
def test_one_entity_type_and_directed_labels_are_learnt(tmp_path):
    nlp = spacy.blank("en")
    docs = [make_doc(nlp, *each) for each in SENTENCES.items()]
    corpus = tmp_path / "corpus.spacy"
    DocBin(docs=docs).to_disk(corpus)
    small = {
        f"{PAIRS}.hidden": 22,
        f"{PAIRS}.n_heads": 2,
        f"{PAIRS}.tok2vec.width": 28,
        f"{PAIRS}.tok2vec.embed.vector_width": 0,
        f"{PAIRS}.tok2vec.embed.word_width": 24,
        f"{PAIRS}.tok2vec.embed.word_dropout": 0.0,
        "training.max_steps": 300,
        "training.eval_frequency": 60,
        "training.optimizer.learn_rate.warmup_steps": 10,
        "training.optimizer.learn_rate.total_steps": 300,
        "training.optimizer.learn_rate.initial_rate": 0.01,
        "training.optimizer.use_averages": False,
    }
    paths = {"paths.train": str(corpus), "paths.dev": str(corpus)}
    train(CONFIG, tmp_path, overrides={**small, **paths})
    trained = spacy.load(tmp_path / "model-best")
    for example in GoldEntitiesCorpus(corpus)(trained):
        doc = trained(example.predicted)
        expected = [r.label for r in get_relations(example.reference)]
        assert [r.label for r in get_relations(doc)] == expected, doc
        assert all(r.head.start < r.tail.start for r in get_relations(doc))
