"""Stored pipelines that are fitted to annotated documents, and written anew.

`spacy attn calibrate` fits the confidences of one of our components, `spacy attn
thresholds` the thresholds of an `attn_rel` or an `attn_textcat_multilabel`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example

from .atomic import check_apart, check_pipeline, is_same, replacing_pipeline
from .confidence.calibration import Calibration, TooFewPredicted
from .corpora.layers import check_layer, move_entities, split_layer
from .corpora.training_data import check_choice, has_sentences, make_corpus
from .errors import UserError, sound
from .loading import annotate, load_pipeline, require_pipeline, running, use_gpu
from .pipeline.ner import AttnNER
from .pipeline.rel import AttnRel
from .pipeline.textcat import AttnMultiLabelTextCategorizer, AttnTextCategorizer
from .scoring import score_relations
from .terminal import msg

# by the name of the factory, in the order in which they are looked for
CALIBRATED: dict[str, type[Any]] = {
    "attn_ner": AttnNER,
    "attn_rel": AttnRel,
    "attn_textcat": AttnTextCategorizer,
    "attn_textcat_multilabel": AttnMultiLabelTextCategorizer,
}
WITH_THRESHOLDS: dict[str, type[Any]] = {
    "attn_rel": AttnRel,
    "attn_textcat_multilabel": AttnMultiLabelTextCategorizer,
}


@dataclass(frozen=True)
class Thresholds:
    """What was fitted, and what it changed on the data that it was fitted to.

    by_label: The threshold of each label that some pair, or some document, has.
    before, after: Strict F1 of the relations, or macro F1 of the categories.
    """

    by_label: dict[str, float]
    before: float
    after: float


def calibrate_pipeline(
    model: str,
    data: Path | str,
    output: Path,
    *,
    component: str | None = None,
    gold_preproc: bool = False,
    gold_sents: bool = False,
    margin: float | None = None,
    keep_threshold: bool = False,
    min_entities: int = 0,
    gpu_id: int = -1,
    progress: bool = True,
) -> Calibration | None:
    """Load a pipeline, calibrate it and write it to `output`, complete or not at all.

    Thresholds of what counts these confidences, as `attn_rel` does those of entities,
    are expressed anew, so that as many relations are kept of the data as before.

    model: A pipeline's folder or the name of an installed one.
    data: A `.spacy` file. Of KEY=FILE, the entities are those of the span group KEY.
    component: Name of the component, an `attn_ner`, `attn_rel`, `attn_textcat` or
        `attn_textcat_multilabel`; without it the only `attn_ner`, or the only one of
        another kind where there is none.
    gold_preproc: Predict gold sentences one by one instead of whole documents.
    gold_sents: Predict whole documents that have their gold sentence starts.
    margin, keep_threshold: As for the component's `calibrate`; its own margin if None.
    min_entities: With fewer predictions of known correctness, the pipeline is written
        as it is, with a warning.

    Returns None if there were too few. Raises UserError where something is missing
    or cannot be calibrated.
    """
    sentences = {"gold_preproc": gold_preproc, "gold_sents": gold_sents}
    check_choice(**sentences)
    path, layer = split_layer(data)
    output, nlp = _open(model, path, output, gpu_id)
    check_layer(nlp, data, layer)
    name, pipe = _find_component(nlp, CALIBRATED, component)
    if margin and isinstance(pipe, AttnTextCategorizer):
        raise UserError(
            f"the categories of {name!r} exclude each other and have no --margin",
            "Leave it out: a temperature alone is fitted.",
        )
    examples, groups = read_grouped_examples(nlp, path, layer=layer, **sentences)
    if gold_preproc or gold_sents:
        has_sentences(examples, path)
    _annotate_before(nlp, name, examples, progress)
    try:
        settings: dict[str, Any] = {"groups": groups, "keep_threshold": keep_threshold}
        if margin is not None:
            settings["margin"] = margin
        if isinstance(pipe, AttnNER):
            with _readers_keep_as_many(nlp, name, pipe, examples, keep_threshold):
                result = pipe.calibrate(
                    examples,
                    min_entities=min_entities,
                    progress=progress,
                    **settings,
                )
        else:
            result = pipe.calibrate(examples, min_predicted=min_entities, **settings)
    except ValueError as error:
        if not (min_entities and isinstance(error, TooFewPredicted)):
            problem = f"{name!r} cannot be calibrated on {data}"
            raise UserError(problem, _sentence(error)) from error
        result = None
        msg.warn(
            f"Fewer than {min_entities} {pipe.task} are predicted in {data}: "
            "the confidences stay as they are"
        )
    write_pipeline(nlp, output)
    return result


def _find_component(
    nlp: Language, kinds: Mapping[str, type[Any]], name: str | None
) -> tuple[str, Any]:
    """The component that is named, or the only one of the first kind that there is.

    kinds: By the name of the factory.

    Raises UserError where there is none, or several and no name.
    """
    own = {
        factory: [key for key, pipe in nlp.pipeline if isinstance(pipe, kind)]
        for factory, kind in kinds.items()
    }
    fitted = [key for keys in own.values() for key in keys]
    if name in fitted:
        return name, nlp.get_pipe(name)
    if name is not None or not fitted:
        which = "" if name is None else f" {name!r}"
        raise UserError(
            f"the pipeline has no {' or '.join(kinds)} component{which}",
            f"Of these it has {fitted}; all its components: {nlp.pipe_names}.",
        )
    factory, found = next((f, keys) for f, keys in own.items() if keys)
    if len(found) > 1:
        raise UserError(
            f"the pipeline has several {factory} components: {sorted(found)}",
            "Say which one: --component NAME. Each is fitted by itself.",
        )
    return found[0], nlp.get_pipe(found[0])


@contextmanager
def _readers_keep_as_many(
    nlp: Language,
    name: str,
    pipe: AttnNER,
    examples: list[Example],
    keep_threshold: bool,
) -> Iterator[None]:
    """Express the thresholds anew of what counts the confidences of an `attn_ner`.

    name: Of the component, whose confidences are fitted within this.
    examples: As they come to it.
    """
    docs = [example.predicted for example in examples]
    own = "" if pipe.set_ents else pipe.spans_key
    readers = {
        key: each
        for key, each in nlp.pipeline
        if isinstance(each, AttnRel)
        and each.entity_confidence
        and each.get_candidates(docs[0]).spans_key == own
    }

    def scores() -> dict[str, numpy.ndarray]:
        found = {}
        for key, reader in readers.items():
            between = nlp.pipe_names[nlp.pipe_names.index(name) :]
            between = between[: between.index(key)] if key in between else []
            others = [each for each in nlp.pipe_names if each not in between]
            copies = (doc.copy() for doc in docs)
            of_pairs = reader.predict(list(nlp.pipe(copies, disable=others)))
            found[key] = numpy.concatenate([values for _, values in of_pairs])
        return found

    before = {} if keep_threshold else scores()
    yield
    after = {} if keep_threshold else scores()
    for key, reader in readers.items():
        if key in after:
            reader.keep_as_many(before[key], after[key])
        kept = "" if keep_threshold else ", and its thresholds keep as many of them"
        msg.info(
            f"Scores of {key!r} count these confidences{kept}",
            f"Fit them, too: spacy attn calibrate --component {key}",
        )


def fit_pipeline_thresholds(
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
    component: Name of the component, an `attn_rel` or `attn_textcat_multilabel`;
        without it the only `attn_rel`, or the only one of the other kind.

    Raises UserError where something is missing or cannot be fitted.
    """
    output, nlp = _open(model, data, output, gpu_id)
    name, pipe = _find_component(nlp, WITH_THRESHOLDS, component)
    examples, _ = read_grouped_examples(nlp, data)
    _annotate_before(nlp, name, examples, progress)
    docs = [example.predicted for example in examples]

    def score() -> float:
        pipe.set_annotations(docs, pipe.predict(docs))
        if isinstance(pipe, AttnRel):
            return score_relations(examples)["rel_f"] or 0.0
        return pipe.score(examples)["cats_macro_f"] or 0.0

    before = score()
    try:
        found = pipe.fit_thresholds(examples)
    except ValueError as error:
        problem = f"thresholds of {name!r} cannot be fitted to {data}"
        raise UserError(problem, _sentence(error)) from error
    result = Thresholds(found, before, score())
    write_pipeline(nlp, output)
    return result


def _sentence(error: ValueError) -> str:
    return str(error)[:1].upper() + str(error)[1:] + "."


def _open(model: str, data: Path, output: Path, gpu_id: int) -> tuple[Path, Language]:
    """Where to write, and the pipeline; raises UserError where one is missing, or
    something is in the way of the output.
    """
    output = output.resolve()  # of a link, the folder that it points to
    check_pipeline(output)  # first: it puts back what a killed run set aside
    require_pipeline(model)
    if not data.exists():
        raise UserError(
            f"{data} is missing", "Give a .spacy file of annotated documents."
        )
    check_apart(output, {"documents": data})
    if not is_same(output, Path(model)):
        check_apart(output, {"pipeline": model})
    use_gpu(gpu_id, silent=True)
    return output, load_pipeline(model)


def read_grouped_examples(
    nlp: Language,
    data: Path,
    *,
    layer: str = "",
    gold_preproc: bool = False,
    gold_sents: bool = False,
) -> tuple[list[Example], list[int]]:
    """Examples of a `.spacy` file, and the number of each one's document.

    layer: The span group that their entities are of, if that is not `doc.ents`.

    Raises UserError where the file cannot be read or holds no documents.
    """
    with sound(
        f"{data} cannot be read",
        "Give a .spacy file, as `spacy convert` or `spacy attn convert` write it.",
    ):
        docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    corpus = make_corpus(data, gold_preproc=gold_preproc, gold_sents=gold_sents)
    make = corpus.make_examples_gold_preproc if gold_preproc else corpus.make_examples
    found = [
        (shown, number)
        for number, doc in enumerate(docs)
        if len(doc)
        for example in make(nlp, [doc])
        for shown in corpus.augmenter(nlp, example)
    ]
    if not found:
        raise UserError(
            f"{data} holds no documents with tokens",
            "Give annotated documents that the pipeline was not trained on.",
        )
    for example, _ in found if layer else ():
        move_entities(example, layer)
    return [example for example, _ in found], [number for _, number in found]


def _annotate_before(
    nlp: Language, name: str, examples: list[Example], progress: bool
) -> None:
    """Run the components that come before `name` over the predicted documents."""
    if at := nlp.pipe_names.index(name):
        with running(str(nlp.path or nlp.meta["name"])):
            annotate(nlp, examples, disable=nlp.pipe_names[at:], progress=progress)


def write_pipeline(nlp: Language, output: Path) -> None:
    """Write a pipeline beside its place, then swap it in.

    Whenever the process is killed, the old pipeline or the new one is complete: in its
    place or, for the moment between two renames, in a hidden folder beside it, from
    where the next run puts it back.
    """
    with replacing_pipeline(output) as folder:
        nlp.to_disk(folder)
