"""What the project evaluates, and the scores that count there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """One row of the results: a pipeline on a test set.

    model: Folder below the training folder.
    data: Folder below the corpus folder.
    gold_sents: Give the pipeline the gold sentence starts of its documents, where they
        are annotated.
    gold_entities: Give the pipeline the gold entities instead of its own.
    uncalibrated: Folder of the pipeline before its confidences were calibrated, whose
        calibration error is measured, too.
    """

    name: str
    title: str
    model: str
    data: str
    metrics: tuple[str, ...]
    gold_sents: bool = False
    gold_entities: bool = False
    uncalibrated: str = ""


ENTS = ("ents_p", "ents_r", "ents_f", "ents_per_type")
RELS = (
    *("rel_p", "rel_r", "rel_f", "rel_macro_f", "rel_boundaries_f"),
    "rel_f_per_type",
)
CATS = ("cats_acc", "cats_micro_f", "cats_macro_f", "cats_f_per_type")
EVALUATIONS = (
    Evaluation(
        "ner",
        "Entities, sentences given (en_attnner)",
        "en_attnner",
        "ner",
        ENTS,
        gold_sents=True,
        uncalibrated="ner/model-best",
    ),
    Evaluation(
        "ner_documents",
        "Entities, whole documents without sentence starts (en_attnner)",
        "en_attnner",
        "ner",
        ENTS,
        uncalibrated="ner/model-best",
    ),
    Evaluation(
        "rel",
        "Entities and relations, end to end, strict (relation pipeline)",
        "rel/model-best",
        "rel",
        ENTS + RELS,
    ),
    Evaluation(
        "rel_gold_entities",
        "Relations between gold entities (relation pipeline)",
        "rel/model-best",
        "rel",
        RELS,
        gold_entities=True,
    ),
    Evaluation(
        "rel_en_attnner",
        "Relations between the entities that en_attnner finds itself",
        "en_attnner",
        "rel",
        ENTS + RELS,
    ),
    Evaluation("textcat", "Sentiment (en_attnner)", "en_attnner", "sentiment", CATS),
    Evaluation(
        "questions",
        "Kinds of questions, or topics of the sample",
        "questions/model-best",
        "questions",
        CATS,
    ),
)
