"""All tasks in other languages, with the embedding for those without vectors.

The sentences, all invented, hold marks that combine with the letter before them, text
from right to left, words without spaces, and an umlaut of two code points.
"""

import copy
from pathlib import Path

import pytest
import spacy
from spacy.training import Example
from thinc.api import Config

from spacy_attnner.relations import Relation, get_relations, set_relations

PATH = Path(__file__).resolve().parents[1] / "configs" / "ner_no_vectors.cfg"
MODELS = {
    "attn_ner": {"@architectures": "spacy-attnner.CRFTagger.v1"},
    "attn_rel": {
        "@architectures": "spacy-attnner.EntityPairAttention.v1",
        "hidden": 16,
        "n_heads": 2,
    },
    "attn_textcat": {
        "@architectures": "spacy-attnner.AttentionTextClassifier.v1",
        "exclusive_classes": True,
        "n_heads": 2,
        "hidden": 8,
    },
}
# text, entities as they are written, whether the first lives in the second
SENTENCES = {
    "zh": [
        ("王小梅住在青石镇。", [("王小梅", "PER"), ("青石镇", "LOC")], True),
        ("李大海昨天离开了柳河𠮷村。", [("李大海", "PER"), ("柳河𠮷村", "LOC")], False),
        ("今天下了一场大雨。", [], False),
    ],
    "ar": [
        ("تَسْكُنُ سَلْمَى في بَلْدَةِ النخيل.", [("سَلْمَى", "PER"), ("النخيل", "LOC")], True),
        ("غادر كريم مدينة الزهراء أمس.", [("كريم", "PER"), ("الزهراء", "LOC")], False),
        ("هَطَلَ المَطَرُ طَوَالَ اليوم.", [], False),
    ],
    "hi": [
        ("मीरा शर्मा नीलगाँव में रहती हैं।", [("मीरा शर्मा", "PER"), ("नीलगाँव", "LOC")], True),
        ("अर्जुन ने कल फूलपुर छोड़ दिया।", [("अर्जुन", "PER"), ("फूलपुर", "LOC")], False),
        ("आज दिन भर बारिश हुई।", [], False),
    ],
    "de": [
        (
            "Jo\u0308rg Ahlmann wohnt in Moorstedt.",
            [("Jo\u0308rg Ahlmann", "PER"), ("Moorstedt", "LOC")],
            True,
        ),
        (
            "Frau Süßkind verließ Dünenrode.",
            [("Süßkind", "PER"), ("Dünenrode", "LOC")],
            False,
        ),
        ("Der Regenwetterbericht kam spät.", [], False),
    ],
    "es": [
        (
            "Íñigo Peralta vive en Valdeolmos.",
            [("Íñigo Peralta", "PER"), ("Valdeolmos", "LOC")],
            True,
        ),
        ("¿Salió Begoña de Ribafría?", [("Begoña", "PER"), ("Ribafría", "LOC")], False),
        ("Llovió todo el día.", [], False),
    ],
}


def tok2vec():
    """The encoder of the config, made small."""
    config = Config().from_disk(PATH).interpolate()
    found = copy.deepcopy(config["components"]["attn_ner"]["model"]["tok2vec"])
    found.update(width=32, value_width=16)
    found["tok2vec"]["width"] = 32
    embed = found["tok2vec"]["embed"]
    embed.update({key: 500 for key in embed if key.endswith("_rows")})
    return found


def pipeline(lang, name):
    nlp = spacy.blank(lang)
    model = {**MODELS[name], "tok2vec": tok2vec()}
    nlp.add_pipe(name, config={"model": model})
    return nlp


def spans_of(doc, entities):
    found = []
    for text, label in entities:
        start = doc.text.index(text)
        found.append(doc.char_span(start, start + len(text), label=label))
    assert None not in found, f"{entities} are no words of {list(doc)}"
    return found


def given(nlp, name, sentence):
    """What a component is given: relations need their entities."""
    doc = nlp.make_doc(sentence[0])
    if name == "attn_rel":
        doc.set_ents(spans_of(doc, sentence[1]), default="outside")
    return doc


def example(nlp, name, sentence):
    _, entities, lives_in = sentence
    reference = nlp.make_doc(sentence[0])
    spans = spans_of(reference, entities)
    if name == "attn_textcat":
        reference.cats = {"people": float(bool(spans)), "weather": float(not spans)}
    else:
        reference.set_ents(spans, default="outside")
    if name == "attn_rel":
        relations = [Relation(*spans, "Lives_In")] if lives_in else []
        set_relations(reference, relations)
    return Example(given(nlp, name, sentence), reference)


def answers(name, doc):
    if name == "attn_ner":
        return [(ent.text, ent.label_) for ent in doc.ents]
    if name == "attn_rel":
        return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]
    return max(doc.cats, key=doc.cats.get)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("lang", SENTENCES)
def test_a_blank_pipeline_learns(lang, name):
    nlp = pipeline(lang, name)
    sentences = SENTENCES[lang]
    examples = [example(nlp, name, sentence) for sentence in sentences]
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(30):
        nlp.update(examples, sgd=sgd, drop=0.1)
    stored = pipeline(lang, name)
    stored.from_bytes(nlp.to_bytes())
    for each in (nlp, stored):
        docs = list(each.pipe([given(each, name, s) for s in sentences]))
        gold = [example(each, name, s).reference for s in sentences]
        assert [answers(name, d) for d in docs] == [answers(name, d) for d in gold]
