"""`spacy attn calibrate` of entities whose confidences count in relations."""

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_attnner.corpora.layers import move_entities
from spacy_attnner.relations import get_relations
from tests.commands import invoke

LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}
LAYER = "layer"
KEPT = "its thresholds keep as many of them"


def make_pipeline(make_task, layer):
    """One encoder; entities and relations between them, in a layer or in `doc.ents`."""
    fix_random_seed(0)
    tasks = {name: make_task(name) for name in ("attn_ner", "attn_rel")}
    nlp = spacy.blank("en")
    nlp.add_pipe(
        "tok2vec", config={"model": tasks["attn_ner"].config["model"]["tok2vec"]}
    )
    settings = {
        "attn_ner": {"set_ents": False, "spans_key": layer} if layer else {},
        "attn_rel": {
            "get_candidates": {
                "@misc": "spacy-attnner.CandidatePairs.v1",
                "spans_key": layer,
            }
        },
    }
    for name, task in tasks.items():
        model = {**task.config["model"], "tok2vec": LISTENER}
        nlp.add_pipe(name, config={"model": model, **settings[name]})
    rel = tasks["attn_rel"]
    examples = rel.examples(nlp)
    docs = [example.reference for example in examples]
    for example in examples if layer else ():
        move_entities(example, layer)
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(70):  # not sure of much yet
        nlp.update(examples, sgd=sgd, drop=0.1)
    return nlp, [doc.text for doc in docs], rel


@pytest.fixture(params=[LAYER, ""], ids=["in a layer", "in doc.ents"])
def trained(request, make_task, tmp_path):
    nlp, texts, rel = make_pipeline(make_task, request.param)
    nlp.to_disk(tmp_path / "model")
    gold = [example.reference for example in rel.examples(spacy.blank("en"))]
    DocBin(docs=gold, store_user_data=True).to_disk(tmp_path / "dev.spacy")
    data = str(tmp_path / "dev.spacy")
    return nlp, texts, f"{request.param}={data}" if request.param else data


def found(nlp, texts):
    return sum(len(get_relations(doc)) for doc in nlp.pipe(texts))


def run(tmp_path, data, *args):
    return invoke(
        "calibrate",
        [str(tmp_path / "model"), data, str(tmp_path / "out"), *args],
    )


def test_as_many_relations_are_kept(trained, tmp_path):
    nlp, texts, data = trained
    result = run(tmp_path, data, "-c", "attn_ner", "--margin", "30")  # less sure
    assert result.exit_code == 0, result.output
    assert KEPT in " ".join(result.output.split())
    other = spacy.load(tmp_path / "out")
    old, new = nlp.get_pipe("attn_rel"), other.get_pipe("attn_rel")
    assert new.threshold < old.threshold
    assert found(other, texts) == found(nlp, texts) > 0


def test_thresholds_of_labels(trained, tmp_path):
    nlp, texts, data = trained
    pipe = nlp.get_pipe("attn_rel")
    gold = DocBin().from_disk(tmp_path / "dev.spacy").get_docs(nlp.vocab)
    docs = zip(nlp.pipe(texts), gold, strict=True)
    pipe.fit_thresholds([Example(doc, reference) for doc, reference in docs])
    nlp.to_disk(tmp_path / "model")
    assert run(tmp_path, data, "-c", "attn_ner").exit_code == 0
    other = spacy.load(tmp_path / "out")
    assert other.get_pipe("attn_rel").thresholds.keys() == pipe.thresholds.keys()
    assert other.get_pipe("attn_rel").thresholds != pipe.thresholds
    assert found(other, texts) == found(nlp, texts) > 0


def test_thresholds_that_stay(trained, tmp_path):
    nlp, _, data = trained
    result = run(tmp_path, data, "-c", "attn_ner", "--keep-threshold")
    said = " ".join(result.output.split())
    assert "count these confidences" in said
    assert KEPT not in said
    threshold = spacy.load(tmp_path / "out").get_pipe("attn_rel").threshold
    assert threshold == nlp.get_pipe("attn_rel").threshold


def test_relations_of_another_layer(trained, tmp_path):
    """Their scores do not count these entities, so nothing is said of them."""
    nlp, _, data = trained
    nlp.get_pipe("attn_rel").entity_confidence = False
    nlp.to_disk(tmp_path / "model")
    result = run(tmp_path, data, "-c", "attn_ner")
    assert result.exit_code == 0, result.output
    assert "count these" not in result.output


def test_a_layer_that_there_is_not(trained, tmp_path):
    *_, data = trained
    result = run(tmp_path, f"other={data.rpartition('=')[2]}", "-c", "attn_ner")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "no component sets the span group 'other'" in said
