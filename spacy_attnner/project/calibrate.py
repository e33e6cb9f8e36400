"""Calibrate a stored pipeline's `attn_ner` on a `.spacy` file."""

from pathlib import Path

from spacy.language import Language

from ..confidence.calibration import Calibration, TooFewPredicted
from ..errors import UserError
from ..pipeline.ner import AttnNER
from ..pipeline.rel import AttnRel
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
    keep_threshold: bool = False,
    min_entities: int = 0,
    gpu_id: int = -1,
    progress: bool = True,
) -> Calibration | None:
    """Load a pipeline, calibrate it and write it to `output`, complete or not at all.

    model: A pipeline's folder or the name of an installed one.
    component: Name of the `attn_ner` component, needed if there are several.
    gold_preproc: Predict gold sentences one by one instead of whole documents.
    gold_sents: Predict whole documents that have their gold sentence starts.
    margin, keep_threshold: As for `AttnNER.calibrate`.
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
        result = pipe.calibrate(
            examples,
            groups=groups,
            margin=margin,
            keep_threshold=keep_threshold,
            min_entities=min_entities,
            progress=progress,
        )
        _show_readers(nlp)
    except TooFewPredicted as error:
        if not min_entities:
            raise _no_calibration(name, data, error) from error
        result = None
        msg.warn(
            f"Fewer than {min_entities} entities are predicted in {data}: "
            "the confidences stay as they are"
        )
    except ValueError as error:
        raise _no_calibration(name, data, error) from error
    write_pipeline(nlp, output)
    return result


def _show_readers(nlp: Language) -> None:
    """Say what counts confidences and was fitted to the old ones."""
    for name, pipe in nlp.pipeline:
        if isinstance(pipe, AttnRel) and pipe.cfg.get("entity_confidence"):
            msg.info(
                f"Scores of {name!r} count the confidences of entities",
                "Fit its thresholds to the new ones: spacy attn thresholds",
            )


def _no_calibration(name: str, data: Path, error: ValueError) -> UserError:
    return UserError(
        f"{name!r} cannot be calibrated on {data}",
        str(error)[:1].upper() + str(error)[1:] + ".",
    )
