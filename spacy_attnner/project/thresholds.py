"""Fit the thresholds of a stored pipeline's `attn_rel` to a `.spacy` file."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..pipeline.rel import AttnRel
from ..scoring import score_relations
from .fitting import check_paths, find_component, load_fitted, write_pipeline
from .fitting_data import annotate_before, read_examples


@dataclass(frozen=True)
class Thresholds:
    """What was fitted, and what it changed on the data that it was fitted to.

    by_label: The threshold of each label that some pair has.
    before, after: Strict F1 of the relations.
    """

    by_label: dict[str, float]
    before: float
    after: float


def fit_pipeline(
    model: str,
    data: Path,
    output: Path,
    *,
    component: str | None = None,
    gpu_id: int = -1,
    progress: bool = True,
) -> Thresholds:
    """Load a pipeline, fit thresholds and write it to `output`, complete or not at all.

    model: A pipeline's folder or the name of an installed one.
    component: Name of the `attn_rel` component, needed if there are several.

    Raises UserError where something is missing or cannot be fitted.
    """
    output = output.resolve()  # of a link, the folder that it points to
    check_paths(model, data, output)
    nlp = load_fitted(model, gpu_id)
    name, pipe = find_component(nlp, AttnRel, "attn_rel", component)
    examples, _ = read_examples(nlp, data)
    annotate_before(nlp, name, examples, progress)
    docs = [example.predicted for example in examples]

    def score() -> float:
        pipe.set_annotations(docs, pipe.predict(docs))
        return score_relations(examples)["rel_f"] or 0.0

    before = score()
    try:
        found = pipe.fit_thresholds(examples)
    except ValueError as error:
        raise UserError(
            f"thresholds of {name!r} cannot be fitted to {data}",
            str(error)[:1].upper() + str(error)[1:] + ".",
        ) from error
    result = Thresholds(found, before, score())
    write_pipeline(nlp, output)
    return result
