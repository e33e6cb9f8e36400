"""The factories of the components, which spaCy loads wherever it is used.

So nothing else is imported here before a component is made.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model

from ..confidence import CONFIDENCES_KEY
from ..relations import RELATIONS_KEY

if TYPE_CHECKING:
    from .ner import AttnNER
    from .rel import AttnRel
    from .textcat import AttnMultiLabelTextCategorizer, AttnTextCategorizer


def default_model(
    architecture: str,
    *,
    width: int,
    depth: int,
    n_heads: int,
    characters: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """A model over an encoder of its own that needs no static vectors.

    architecture: Registered name of the model, which takes a `tok2vec`.
    width, depth, n_heads: Of `AttentionEncoder.v1`.
    characters: Whether words are also read letter by letter.
    settings: Of the architecture.
    """
    tok2vec: dict[str, Any] = {
        "@architectures": "spacy-attnner.AttentionEncoder.v1",
        "width": width,
        "depth": depth,
        "n_heads": n_heads,
        "embed": {
            "@architectures": "spacy-attnner.WordEmbed.v1",
            "vector_width": 0,
            "word_width": 64,
        },
    }
    if characters:
        tok2vec["characters"] = {
            "@architectures": "spacy-attnner.CharacterCNN.v1",
            "width": 60,
        }
    return {"@architectures": architecture, **settings, "tok2vec": tok2vec}


@Language.factory(
    "attn_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "span._.confidence"],
    default_config={
        "model": default_model(
            "spacy-attnner.CRFTagger.v1", width=256, depth=1, n_heads=4
        ),
        "spans_key": CONFIDENCES_KEY,
        "threshold": 0.0,
        "overwrite": True,
        "incorrect_spans_key": None,
        "set_ents": True,
        "loss_weight": 1.0,
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
def make_attn_ner(
    nlp: Language,
    name: str,
    model: Model,
    spans_key: str,
    threshold: float,
    overwrite: bool,
    incorrect_spans_key: str | None,
    set_ents: bool,
    loss_weight: float,
    scorer: Callable | None,
) -> "AttnNER":
    """Build an `attn_ner` component.

    model: From documents to emissions, `spacy-attnner.CRFTagger.v1`.
    spans_key: Span group that keeps the entities with their scores.
    threshold: Entities with a smaller confidence are dropped.
    overwrite: Whether to replace the entities that a document already has; if not,
        predictions that overlap them are dropped.
    incorrect_spans_key: Span group of training documents whose spans are known not to
        be entities with their label, as spaCy's EntityRecognizer has it; each adds
        -log(1 - p) to the loss, p the exact probability of that entity.
    set_ents: Whether it learns and sets `doc.ents`; if not, it learns the spans of
        `spans_key` in training documents and sets those alone, a second layer of
        entities by other guidelines.
    loss_weight: How much its loss counts in an encoder that components share.
    scorer: spaCy's entity scorer.
    """
    from .ner import AttnNER

    return AttnNER(
        nlp.vocab,
        model,
        name,
        spans_key=spans_key,
        threshold=threshold,
        overwrite=overwrite,
        incorrect_spans_key=incorrect_spans_key,
        set_ents=set_ents,
        loss_weight=loss_weight,
        scorer=scorer,
    ).belongs_to(nlp)


@Language.factory(
    "attn_rel",
    requires=["doc.ents"],
    assigns=["doc._.relations", "doc._.rel"],
    default_config={
        "model": default_model(
            "spacy-attnner.EntityPairAttention.v1", width=256, depth=2, n_heads=0
        ),
        "get_candidates": {
            "@misc": "spacy-attnner.CandidatePairs.v1",
            "max_length": 64,
        },
        "threshold": 0.5,
        "thresholds": {},
        "known_types_only": True,
        "entity_confidence": True,
        "overwrite": True,
        "relations_key": RELATIONS_KEY,
        "loss_weight": 1.0,
        "scorer": {"@scorers": "spacy-attnner.relation_scorer.v1"},
    },
    default_score_weights={
        "rel_f": 1.0,
        "rel_p": 0.0,
        "rel_r": 0.0,
        "rel_boundaries_f": None,
        "rel_macro_f": None,
        "rel_gold_ents_f": None,
        "rel_f_per_type": None,
    },
)
def make_attn_rel(
    nlp: Language,
    name: str,
    model: Model,
    get_candidates: Callable,
    threshold: float | None,
    thresholds: dict[str, float],
    known_types_only: bool,
    entity_confidence: bool,
    overwrite: bool,
    relations_key: str,
    loss_weight: float,
    scorer: Callable | None,
) -> "AttnRel":
    """Build an `attn_rel` component.

    model: From candidate pairs to logits, `spacy-attnner.EntityPairAttention.v1`.
    get_candidates: Which pairs are looked at, `spacy-attnner.CandidatePairs.v1`.
    threshold: Score from which on a relation is stored; with null each label has its
        own.
    thresholds: That of each label where `threshold` is null, as `fit_thresholds` finds
        them; 0.5 for labels without one.
    known_types_only: Skip pairs of entity types that no relation joined in training.
    entity_confidence: Multiply the probability of a relation by the confidences of its
        two entities, so that its score says how sure all three are; entities without
        a confidence (given, or set by a rule) count as certain.
    overwrite: Whether to replace the relations that `relations_key` already has; if
        not, they stay, and predictions that repeat a relation of the document are
        dropped.
    relations_key: Span group that keeps the component's relations. `doc._.relations` is
        the union of all groups, so that components with keys of their own add up.
    loss_weight: How much its loss counts in an encoder that components share.
    scorer: `spacy-attnner.relation_scorer.v1`.
    """
    from .rel import AttnRel

    return AttnRel(
        nlp.vocab,
        model,
        name,
        get_candidates=get_candidates,
        threshold=threshold,
        thresholds=thresholds,
        known_types_only=known_types_only,
        entity_confidence=entity_confidence,
        overwrite=overwrite,
        relations_key=relations_key,
        loss_weight=loss_weight,
        scorer=scorer,
    ).belongs_to(nlp)


default_classifier = partial(
    default_model,
    "spacy-attnner.AttentionTextClassifier.v1",
    width=128,
    depth=1,
    n_heads=0,
    characters=False,
)
SCORE_WEIGHTS = {
    "cats_score": 1.0,
    "cats_score_desc": None,
    "cats_micro_p": None,
    "cats_micro_r": None,
    "cats_micro_f": None,
    "cats_macro_p": None,
    "cats_macro_r": None,
    "cats_macro_f": None,
    "cats_macro_auc": None,
    "cats_f_per_type": None,
}


@Language.factory(
    "attn_textcat",
    assigns=["doc.cats"],
    default_config={
        "model": default_classifier(exclusive_classes=True),
        "threshold": 0.0,
        "loss_weight": 1.0,
        "class_weights": {},
        "focal_gamma": 0.0,
        "scorer": {"@scorers": "spacy.textcat_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_attn_textcat(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Any]],
    threshold: float,
    loss_weight: float,
    class_weights: str | dict[str, float],
    focal_gamma: float,
    scorer: Callable | None,
) -> "AttnTextCategorizer":
    """Build an `attn_textcat` component: exactly one category applies.

    model: From documents to probabilities, `spacy-attnner.AttentionTextClassifier.v1`.
    threshold: Unused for exclusive classes, as in spaCy's `textcat`.
    loss_weight: How much its loss counts in an encoder that components share.
    class_weights: How much categories count where they apply, 1 if they are not named;
        "balanced" lets them count alike, however frequent they are.
    focal_gamma: Exponent of the focal loss, with which a document counts the less the
        surer the model is of its category; 0 is the cross-entropy.
    scorer: spaCy's category scorer.
    """
    from .textcat import AttnTextCategorizer

    component = AttnTextCategorizer(
        nlp.vocab,
        model,
        name,
        threshold=threshold,
        loss_weight=loss_weight,
        class_weights=class_weights,
        focal_gamma=focal_gamma,
        scorer=scorer,
    )
    return component.belongs_to(nlp)


@Language.factory(
    "attn_textcat_multilabel",
    assigns=["doc.cats"],
    default_config={
        "model": default_classifier(exclusive_classes=False),
        "threshold": 0.5,
        "thresholds": {},
        "loss_weight": 1.0,
        "class_weights": {},
        "focal_gamma": 0.0,
        "scorer": {"@scorers": "spacy.textcat_multilabel_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_attn_textcat_multilabel(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Any]],
    threshold: float,
    thresholds: dict[str, float],
    loss_weight: float,
    class_weights: str | dict[str, float],
    focal_gamma: float,
    scorer: Callable | None,
) -> "AttnMultiLabelTextCategorizer":
    """Build an `attn_textcat_multilabel` component: any number of categories apply.

    model: From documents to probabilities, `spacy-attnner.AttentionTextClassifier.v1`.
    threshold: Probability from which on the scorer counts a category as predicted.
    thresholds: That of single categories, as `fit_thresholds` finds them.
    loss_weight: How much its loss counts in an encoder that components share.
    class_weights: How much categories count where they apply, 1 if they are not named;
        "balanced" lets them count alike, however frequent they are.
    focal_gamma: Exponent of the focal loss, with which a document counts the less the
        surer the model is of its category; 0 is the cross-entropy.
    scorer: spaCy's category scorer.
    """
    from .textcat import AttnMultiLabelTextCategorizer

    component = AttnMultiLabelTextCategorizer(
        nlp.vocab,
        model,
        name,
        threshold=threshold,
        thresholds=thresholds,
        loss_weight=loss_weight,
        class_weights=class_weights,
        focal_gamma=focal_gamma,
        scorer=scorer,
    )
    return component.belongs_to(nlp)
