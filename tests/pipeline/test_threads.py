"""One pipeline used from many threads says what it says in one."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import fix_random_seed

from spacy_attnner.relations import doc_to_json, get_relations

from ..tiny_encoders import make_encoder

N_THREADS = 8
NAMES = ("attn_ner", "attn_rel", "attn_textcat", "attn_textcat_multilabel")
LISTENER: dict[str, Any] = {"@architectures": "spacy.Tok2VecListener.v1"}
WIDTHS = {"own": 26, "transformer": 16}
TEXTS = [
    "Mira Okafor works for Kestrel Lines in Bergen .",
    "Tom Lind lives in Stavanger .",
    "Halden Bank opened an office in Tromsø last May . " * 4,
    "Rain and fog stayed over the coast .",
    "",
    "Ferries .",
] * 4


def make_pipeline(make_task: Callable, encoder: dict[str, Any], width: int) -> Language:
    """All components; the recognizer and a classifier listen to a shared encoder."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": copy.deepcopy(encoder)})
    for name in NAMES:
        config = make_task(name).config
        listens = name in ("attn_ner", "attn_textcat")
        config["model"]["tok2vec"] = (
            LISTENER | {"width": width} if listens else copy.deepcopy(encoder)
        )
        if name == "attn_rel":  # all pairs that it looks at
            config |= {"threshold": 0.0, "known_types_only": False}
        nlp.add_pipe(name, config=config)
    examples = []
    for name in NAMES:
        task = make_task(name)
        examples += task.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=sgd, drop=0.1)  # models are in training mode now
    # so that there are pairs of entities, whatever a hardly trained recognizer finds
    settings = {"overwrite_ents": True}
    ruler: Any = nlp.add_pipe("entity_ruler", before="attn_rel", config=settings)
    names = {"Mira Okafor": "PER", "Kestrel Lines": "ORG", "Bergen": "LOC"}
    ruler.add_patterns([{"label": label, "pattern": n} for n, label in names.items()])
    return nlp


@pytest.fixture(params=["own", "transformer"])
def nlp(request, make_task: Callable, tmp_path) -> Language:
    fix_random_seed(0)
    encoder = make_task("attn_ner").config["model"]["tok2vec"]
    if request.param == "transformer":
        folder = str(make_encoder(tmp_path / "encoder"))
        encoder = {
            "@architectures": "spacy-attnner.TransformerEncoder.v1",
            "name": folder,
            "margin": 7,
        }
    return make_pipeline(make_task, encoder, WIDTHS[request.param])


def found(doc: Doc) -> dict[str, Any]:
    """All that components say, to five digits: sums have other orders elsewhere."""
    return rounded(doc_to_json(doc))


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def test_threads_say_what_one_says(nlp):
    barrier = threading.Barrier(N_THREADS)

    def read(number: int) -> list[dict[str, Any]]:
        barrier.wait(60)  # the first predictions after an update, all at once
        order = TEXTS[number:] + TEXTS[:number]
        docs = [*map(nlp, order[:12]), *nlp.pipe(order[12:], batch_size=5)]
        return [doc_to_json(doc) for doc in docs]

    with ThreadPoolExecutor(N_THREADS) as pool:
        answers = list(pool.map(read, range(N_THREADS)))
    expected = {text: found(nlp(text)) for text in set(TEXTS)}
    assert any(get_relations(nlp(text)) for text in TEXTS)
    for number, answer in enumerate(answers):
        order = TEXTS[number:] + TEXTS[:number]
        assert answer == [expected[text] for text in order]


def test_a_memory_zone_changes_nothing(nlp):
    expected = {text: found(nlp(text)) for text in set(TEXTS)}
    for _ in range(2):
        with nlp.memory_zone():
            nlp("Words that nobody has seen before or since qzx .")
            answers = [doc_to_json(doc) for doc in nlp.pipe(TEXTS, batch_size=7)]
        assert answers == [expected[text] for text in TEXTS]
