"""Calibrate a stored pipeline's `attn_ner` on a `.spacy` file."""

from pathlib import Path

from spacy.training import Example

from ..calibration import Calibration, NothingPredicted
from ..errors import UserError
from ..pipeline.ner import AttnNER
from ..report.sentences import check_choice, has_sentences
from ..terminal import msg
from .fitting import check_paths, find_component, load_fitted, write_pipeline
from .fitting_data import annotate_before, read_examples


def calibrate_pipeline(
    model: str,
    data: Path,
    output: Path,
    *,
    component: str | None = None,
    gold_preproc: bool = False,
    gold_sents: bool = False,
    margin: float,
    min_entities: int = 0,
    gpu_id: int = -1,
    progress: bool = True,
) -> Calibration | None:
    """Load a pipeline, calibrate it and write it to `output`, complete or not at all.

    model: A pipeline's folder or the name of an installed one.
    component: Name of the `attn_ner` component, needed if there are several.
    gold_preproc: Predict gold sentences one by one instead of whole documents.
    gold_sents: Predict whole documents that have their gold sentence starts.
    margin: As for `AttnNER.calibrate`.
    min_entities: With fewer predicted entities of known correctness, the pipeline is
        written as it is, with a warning.

    Returns None if there were too few. Raises UserError where something is missing
    or cannot be calibrated.
    """
    sentences = {"gold_preproc": gold_preproc, "gold_sents": gold_sents}
    check_choice(**sentences)
    output = output.resolve()  # of a link, the folder that it points to
    check_paths(model, data, output)
    nlp = load_fitted(model, gpu_id)
    name, pipe = find_component(nlp, AttnNER, "attn_ner", component)
    examples, groups = read_examples(nlp, data, **sentences)
    if gold_preproc or gold_sents:
        has_sentences(examples, data)
    annotate_before(nlp, name, examples, progress)
    try:
        result = _fit(
            pipe,
            examples,
            groups,
            margin=margin,
            min_entities=min_entities,
            progress=progress,
        )
    except ValueError as error:
        raise UserError(
            f"{name!r} cannot be calibrated on {data}",
            str(error)[:1].upper() + str(error)[1:] + ".",
        ) from error
    if result is None:
        msg.warn(
            f"Fewer than {min_entities} entities are predicted in {data}: "
            "the confidences stay as they are"
        )
    write_pipeline(nlp, output)
    return result


def _fit(
    pipe: AttnNER,
    examples: list[Example],
    groups: list[int],
    *,
    margin: float,
    min_entities: int,
    progress: bool,
) -> Calibration | None:
    """None, and a model as it was, with fewer than `min_entities`."""
    names = ("temperature", "log_odds_offset")
    old = {name: pipe.model.attrs[name] for name in names}
    try:
        result = pipe.calibrate(
            examples, groups=groups, margin=margin, progress=progress
        )
    except NothingPredicted:
        if min_entities:
            return None
        raise
    if result.n_entities < min_entities:
        pipe.model.attrs.update(old)
        return None
    return result
