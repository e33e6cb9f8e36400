"""spaCy's embeddings under the encoder, and the encoder under spaCy's components."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vectors import Vectors
from thinc.api import Adam, set_dropout_rate

SPACY_EMBEDDINGS = {
    "MultiHashEmbed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 10,
        "attrs": ["NORM", "SHAPE"],
        "rows": [53, 31],
        "include_static_vectors": False,
    },
    "CharacterEmbed": {
        "@architectures": "spacy.CharacterEmbed.v2",
        "width": 10,
        "rows": 53,
        "nM": 3,
        "nC": 5,
        "include_static_vectors": False,
    },
    "MultiHashEmbed with vectors": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 10,
        "attrs": ["NORM"],
        "rows": [53],
        "include_static_vectors": True,
    },
    "Tok2Vec": {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": 10,
        "depth": 1,
        "embed_size": 53,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": False,
    },
}


@pytest.fixture
def with_vectors(blank):
    data = numpy.random.normal(size=(2, 3)).astype("float32")
    blank.vocab.vectors = Vectors(
        strings=blank.vocab.strings,
        data=data,
        keys=["ferry", "Bergen"],
        name="invented",
    )
    yield
    blank.vocab.vectors = Vectors(strings=blank.vocab.strings)


@pytest.mark.parametrize("characters", [True, False])
@pytest.mark.parametrize("name", SPACY_EMBEDDINGS)
def test_the_encoder_over_embeddings_of_spacy(
    name, characters, build, configs, docs, with_vectors
):
    changes = {"embed": SPACY_EMBEDDINGS[name]}
    if not characters:
        changes["characters"] = None
    model = build(configs["AttentionEncoder"], **changes)
    model.initialize(X=docs)
    set_dropout_rate(model, 0.0)
    goal = [numpy.random.normal(size=(len(doc), 14)).astype("float32") for doc in docs]
    optimizer = Adam(0.02)
    distances = []
    for _ in range(15):
        Y, backprop = model.begin_update(docs)
        gaps = [y - g for y, g in zip(Y, goal, strict=True)]
        distances.append(sum(float((gap**2).sum()) for gap in gaps))
        backprop(gaps)
        model.finish_update(optimizer)
    assert distances[-1] < 0.8 * distances[0]


TAGS = {
    "Ferries leave Bergen today .": ["NOUN", "VERB", "NAME", "NOUN", "PUNCT"],
    "Mira steers ferries .": ["NAME", "VERB", "NOUN", "PUNCT"],
    "Today Mira leaves .": ["NOUN", "NAME", "VERB", "PUNCT"],
}


@pytest.mark.parametrize("component", ["tagger", "ner"])
def test_the_encoder_in_components_of_spacy(component, configs, tmp_path):
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy.Tagger.v2"}
    if component == "ner":
        model = {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner",
            "extra_state_tokens": False,
            "hidden_width": 13,
            "maxout_pieces": 2,
            "use_upper": True,
        }
    encoder = configs["AttentionEncoder"]
    nlp.add_pipe(component, config={"model": {**model, "tok2vec": encoder}})
    examples = []
    for text, tags in TAGS.items():
        ents = ["B-NAME" if tag == "NAME" else "O" for tag in tags]
        reference = Doc(nlp.vocab, words=text.split(), tags=tags, ents=ents)
        examples.append(Example(nlp.make_doc(text), reference))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(40):
        losses = nlp.update(examples, sgd=optimizer, drop=0.1)
    assert losses[component] < 1.0
    scores = nlp.evaluate(examples)
    assert scores["tag_acc" if component == "tagger" else "ents_f"] == 1.0
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for text in TAGS:
        assert loaded(text).to_json() == nlp(text).to_json()
