"""The four components as tasks that one suite runs. All sentences are invented."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.relations import Relation, get_relations, set_relations

ENCODER = {
    "@architectures": "spacy-attnner.AttentionEncoder.v1",
    "width": 26,
    "n_heads": 2,
    "window": 23,
    "margin": 5,
    "embed": {
        "@architectures": "spacy-attnner.WordEmbed.v1",
        "vector_width": 0,
        "word_width": 17,
        "word_rows": 503,
        "word_dropout": 0.1,
        "shape_width": 5,
        "shape_rows": 101,
    },
    "characters": {
        "@architectures": "spacy-attnner.CharacterCNN.v1",
        "width": 11,
        "embed_width": 7,
    },
}
MODELS = {
    "attn_ner": {"@architectures": "spacy-attnner.CRFTagger.v1"},
    "attn_rel": {
        "@architectures": "spacy-attnner.EntityPairAttention.v1",
        "hidden": 22,
        "n_heads": 2,
        "type_width": 3,
        "distance_width": 5,
    },
    "attn_textcat": {
        "@architectures": "spacy-attnner.AttentionTextClassifier.v1",
        "exclusive_classes": True,
        "n_heads": 3,
        "hidden": 7,
    },
    "attn_textcat_multilabel": {
        "@architectures": "spacy-attnner.AttentionTextClassifier.v1",
        "exclusive_classes": False,
        "n_heads": 3,
        "hidden": 7,
    },
}
SCORES = {
    "attn_ner": {"ents_p", "ents_r", "ents_f", "ents_per_type"},
    "attn_rel": {
        *("rel_p", "rel_r", "rel_f", "rel_macro_f", "rel_f_per_type"),
        *("rel_boundaries_p", "rel_boundaries_r", "rel_boundaries_f"),
    },
    "attn_textcat": {"cats_score", "cats_macro_f", "cats_f_per_type"},
    "attn_textcat_multilabel": {"cats_score", "cats_macro_auc", "cats_f_per_type"},
}
LABELS = {
    "attn_ner": ("LOC", "ORG", "PER"),
    "attn_rel": ("Based_In", "Lives_In", "Works_For"),
    "attn_textcat": ("people", "trade", "weather"),
    "attn_textcat_multilabel": ("people", "trade", "weather"),
}
# text, entities, relations (head, tail, label), categories
Sentence = tuple[str, list, list, list]
SENTENCES: list[Sentence] = [
    (
        "Mira Okafor works for Kestrel Lines in Bergen .",
        [(0, 2, "PER"), (4, 6, "ORG"), (7, 8, "LOC")],
        [(0, 1, "Works_For"), (1, 2, "Based_In")],
        ["people"],
    ),
    (
        "Tom Lind lives in Stavanger .",
        [(0, 2, "PER"), (4, 5, "LOC")],
        [(0, 1, "Lives_In")],
        ["people"],
    ),
    (
        "Halden Bank opened an office in Tromsø last May .",
        [(0, 2, "ORG"), (6, 7, "LOC")],
        [(0, 1, "Based_In")],
        ["trade"],
    ),
    ("Rain and fog stayed over the coast .", [], [], ["weather"]),
    ("The ferry was late again because of heavy rain .", [], [], ["weather"]),
    (
        "Kestrel Lines sold two ferries to Nils Aune .",
        [(0, 2, "ORG"), (6, 8, "PER")],
        [],
        ["trade"],
    ),
]
# a label that the component does not know at first, and where to learn it
NEW: dict[str, tuple[str, Sentence]] = {
    "attn_ner": (
        "SHIP",
        ("They painted the Aurora red .", [(3, 4, "SHIP")], [], ["trade"]),
    ),
    "attn_rel": (
        "Kin_Of",
        (
            "Tom Lind , a cousin of Nils Aune , slept .",
            [(0, 2, "PER"), (6, 8, "PER")],
            [(0, 1, "Kin_Of")],
            ["people"],
        ),
    ),
    "attn_textcat": ("sport", ("The home side won the cup final .", [], [], ["sport"])),
}
NEW["attn_textcat_multilabel"] = NEW["attn_textcat"]


@dataclass
class Task:
    """A component with its small config, its documents and how to read its output."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    sentences: list[Sentence] = field(default_factory=lambda: SENTENCES)

    @property
    def labels(self) -> tuple[str, ...]:
        return LABELS[self.name]

    @property
    def score_keys(self) -> set[str]:
        return SCORES[self.name]

    @property
    def new_label(self) -> str:
        return NEW[self.name][0]

    @property
    def new_sentence(self) -> Sentence:
        return NEW[self.name][1]

    @property
    def config(self) -> dict[str, Any]:
        model = {**MODELS[self.name], "tok2vec": ENCODER}
        return copy.deepcopy({"model": model, **self.settings})

    def blank(self) -> Language:
        nlp = spacy.blank("en")
        nlp.add_pipe(self.name, config=self.config)
        return nlp

    def doc(self, nlp: Language, sentence: Sentence) -> Doc:
        """What the component is given: relations need their entities."""
        doc = nlp.make_doc(sentence[0])
        if self.name == "attn_rel":
            doc.ents = [Span(doc, *entity) for entity in sentence[1]]
        return doc

    def docs(self, nlp: Language) -> list[Doc]:
        return [self.doc(nlp, sentence) for sentence in self.sentences]

    def annotate(self, doc: Doc, sentence: Sentence) -> None:
        """Set the gold annotation of this task, and that of no other."""
        _, entities, relations, cats = sentence
        spans = [Span(doc, *entity) for entity in entities]
        if self.name == "attn_ner":
            doc.set_ents(spans, default="outside")
        elif self.name == "attn_rel":
            doc.set_ents(spans, default="outside")
            gold = [Relation(spans[h], spans[t], label) for h, t, label in relations]
            set_relations(doc, gold)
        else:
            doc.cats = {label: float(label in cats) for label in (*self.labels, *cats)}

    def example(self, nlp: Language, sentence: Sentence) -> Example:
        reference = nlp.make_doc(sentence[0])
        self.annotate(reference, sentence)
        return Example(self.doc(nlp, sentence), reference)

    def examples(self, nlp: Language, sentences: Iterable | None = None) -> list:
        chosen = self.sentences if sentences is None else sentences
        return [self.example(nlp, sentence) for sentence in chosen]

    def with_the_new_label(self, nlp: Language) -> list[Example]:
        """All sentences and, three times, the one with the label that they lack."""
        examples = self.examples(nlp, [*self.sentences, *[self.new_sentence] * 3])
        if self.name.startswith("attn_textcat"):
            for example in examples:
                example.reference.cats.setdefault(self.new_label, 0.0)
        return examples

    def blank_example(self, nlp: Language, sentence: Sentence) -> Example:
        """The same document, its reference without this task's annotation."""
        return Example(self.doc(nlp, sentence), nlp.make_doc(sentence[0]))

    def negative_example(self, nlp: Language, sentence: Sentence) -> Example:
        """Annotated as having nothing to find."""
        text, entities, _, _ = sentence
        nothing = (text, entities if self.name == "attn_rel" else [], [], [])
        return self.example(nlp, nothing)

    def found(self, doc: Doc) -> dict[Any, float]:
        """What the component says, with its scores."""
        if self.name == "attn_ner":
            return {
                (ent.start, ent.end, ent.label_): ent._.confidence for ent in doc.ents
            }
        if self.name == "attn_rel":
            return {
                ((r.head.start, r.head.end), r.label, (r.tail.start, r.tail.end)): (
                    r.score
                )
                for r in get_relations(doc)
            }
        return dict(doc.cats)

    def answers(self, doc: Doc) -> set[Any]:
        """What the component says, without scores."""
        if self.name.startswith("attn_textcat"):
            return {label for label, score in doc.cats.items() if score > 0.5}
        return set(self.found(doc))

    def gold(self, nlp: Language, sentence: Sentence) -> set[Any]:
        return self.answers(self.example(nlp, sentence).reference)

    def train(
        self, nlp: Language, examples: list[Example], steps: int, sgd: Any = None
    ) -> dict[str, float]:
        if sgd is None:
            sgd = nlp.create_optimizer()
        sgd.learn_rate = 0.01
        losses: dict[str, float] = {}
        for _ in range(steps):
            losses = nlp.update(examples, sgd=sgd, drop=0.1)
        return losses

    def trained(self, steps: int | None = None) -> Language:
        """A new pipeline that has learnt the sentences by heart."""
        if steps is None:
            steps = 90 if self.name == "attn_rel" else 60
        nlp = self.blank()
        examples = self.examples(nlp)
        sgd = nlp.initialize(lambda: examples)
        self.train(nlp, examples, steps, sgd)
        return nlp


@pytest.fixture(params=list(MODELS))
def task(request: pytest.FixtureRequest) -> Task:
    return Task(request.param)


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    """`make_task(name, settings, sentences)` for tests of one component."""
    return Task


@pytest.fixture(scope="session")
def _trained() -> dict[str, Language]:
    return {}


@pytest.fixture
def trained(task: Task, _trained: dict[str, Language]) -> Language:
    """A trained pipeline of the task, shared by the tests: only to be read."""
    if task.name not in _trained:
        _trained[task.name] = task.trained()
    return _trained[task.name]
