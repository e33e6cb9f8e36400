"""How sure a pipeline is: scores of entities, calibration, reliability, thresholds."""

from .entity_scores import (
    CONFIDENCES_KEY,
    ScoredEntities,
    confidences,
    confidences_by_key,
    get_confidence,
    put_confidences,
    scored_groups,
    scores_of,
    set_confidences,
)

__all__ = [
    "CONFIDENCES_KEY",
    "ScoredEntities",
    "confidences",
    "confidences_by_key",
    "get_confidence",
    "put_confidences",
    "scored_groups",
    "scores_of",
    "set_confidences",
]
