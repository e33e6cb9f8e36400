"""Explanations of texts as a file, and a test of whether they tell the truth."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spacy.tokens import Doc
from tqdm import tqdm

from ..atomic import replacing, write_json
from ..errors import UserError, sound
from ..explain.explainer import Explainer
from ..explain.explanation import Explanation
from ..explain.faithfulness import KINDS, Faithfulness, evaluate_explanations
from ..explain.methods import DEFAULT, OF_ATTENTION, STEPS
from ..span_groups import text_start
from ..terminal import msg
from ..texts.given import DocInfo
from ..texts.json_lines import to_json
from .drawn import open_texts
from .heat import CSS, caption, heat
from .page import markup, page

FORMATS = ("html", "jsonl")
NOTHING = "nothing can be explained"
WAY_OUT = "Give a pipeline with attn_ner, attn_rel or attn_textcat, and its names."
WITHOUT = "Leave the text out, or choose another --method, --kind or --component."
Named = tuple[DocInfo, list[Explanation]]


def explain_texts(
    model: str,
    texts: str | Path,
    output: Path,
    *,
    kinds: Sequence[str] = (),
    labels: Sequence[str] = (),
    method: str = DEFAULT,
    component: str | None = None,
    steps: int = STEPS,
    input_format: str | None = None,
    gpu_id: int = -1,
) -> tuple[int, int]:
    """Let a pipeline read texts, and write why it says what it says.

    output: A .html or .jsonl file, complete or not there.
    kinds: Of "category", "entity" and "relation"; all that the pipeline has if none.
    labels: Explain those alone.

    Returns how many texts were read, and how many explanations written. Raises
    UserError for what cannot be read or explained.
    """
    format = output.suffix.removeprefix(".").lower()
    if format not in FORMATS:
        raise UserError(
            f"{output} is no .html or .jsonl file", "Name one: -o explanations.html"
        )
    nlp, docs = open_texts(model, texts, output, input_format, gpu_id)
    explainer = Explainer(nlp, steps=steps)
    chosen = _kinds(explainer, kinds, component)
    _check_labels(explainer, chosen, labels)
    if method in OF_ATTENTION and ("entity" in kinds or chosen == ["entity"]):
        raise UserError(
            "entities have no attention that pools words",
            "Leave out --method, or choose leave_one_out.",
        )
    if method in OF_ATTENTION and "entity" in chosen:
        chosen.remove("entity")
        msg.info("Entities are left out: they have no attention that pools words")
    counts = [0, 0]
    found = _explained(explainer, docs, chosen, set(labels), method, component)
    counted = _counted(found, counts)
    with replacing(output) as file:
        lines = _json_lines(counted) if format == "jsonl" else _html(counted, model)
        for line in lines:
            file.write(line.encode("utf8"))
    if explainer.n_other:
        msg.warn(
            f"{explainer.n_other:,} of the probabilities are not those that the texts "
            "have: a component behind, such as merge_entities, changed the tokens"
        )
    return counts[0], counts[1]


def evaluate_on_texts(
    model: str,
    texts: str | Path,
    *,
    kinds: Sequence[str] = (),
    component: str | None = None,
    output: Path | None = None,
    input_format: str | None = None,
    gpu_id: int = -1,
    seed: int = 0,
) -> dict[str, Faithfulness]:
    """How much the explanations of all methods tell of what a pipeline says of texts.

    output: A .json file for the numbers, if they are to be kept.

    Raises UserError as `explain_texts` does.
    """
    if output is not None and output.suffix.lower() != ".json":
        raise UserError(f"{output} is no .json file", "Name one: -o truth.json")
    nlp, docs = open_texts(model, texts, output, input_format, gpu_id)
    read = [doc for doc, _ in docs]
    chosen = _kinds(Explainer(nlp), kinds, component)
    found = {}
    for kind in chosen:
        shown = tqdm(read, desc=kind, unit="text", disable=None)
        with sound("explanations cannot be tested", WITHOUT):
            found[kind] = evaluate_explanations(
                nlp, shown, kind, component=component, seed=seed
            )
    if output is not None:
        rows = {k: {"targets": v.n, "methods": v.rows()} for k, v in found.items()}
        write_json(output, rows)
    return found


def _kinds(
    explainer: Explainer, kinds: Sequence[str], component: str | None
) -> list[str]:
    """What is asked for, or all that the pipeline says of a document."""
    if kinds:
        with sound(NOTHING, WAY_OUT):
            for kind in kinds:
                explainer.pipes(kind, component, required=True)
        return list(dict.fromkeys(kinds))
    found = [kind for kind in KINDS if explainer.pipes(kind, component)]
    if not found:
        which = "" if component is None else f" {component!r}"
        raise UserError(
            f"the pipeline has no component{which} that can be explained: it has "
            f"{explainer.nlp.component_names}",
            WAY_OUT,
        )
    return found


def _check_labels(
    explainer: Explainer, kinds: Sequence[str], labels: Sequence[str]
) -> None:
    known = {
        label
        for kind in kinds
        for pipe in explainer.pipes(kind)
        for label in pipe.labels
    }
    for label in labels:
        if label not in known:
            raise UserError(
                f"no component knows the label {label!r}",
                f"The labels are {', '.join(sorted(known))}.",
            )


def _explained(
    explainer: Explainer,
    docs: Iterable[tuple[Doc, DocInfo]],
    kinds: Sequence[str],
    labels: set[str],
    method: str,
    component: str | None,
) -> Iterator[Named]:
    pipes = [(k, each.name) for k in kinds for each in explainer.pipes(k, component)]
    shown = tqdm(docs, desc="texts", unit="text", disable=None)
    for number, (doc, info) in enumerate(shown):
        found = []
        name = repr(number if info.id is None else info.id)
        with sound(f"the text {name}, {text_start(doc)}, cannot be explained", WITHOUT):
            for kind, pipe in pipes:
                for target in explainer.targets(doc, kind, pipe, labels):
                    found.append(
                        explainer.explain(doc, target, method=method, component=pipe)
                    )
        yield info, found


def _counted(found: Iterable[Named], counts: list[int]) -> Iterator[Named]:
    for info, explanations in found:
        counts[0] += 1
        counts[1] += len(explanations)
        yield info, explanations


def _json_lines(found: Iterable[Named]) -> Iterator[str]:
    for number, (info, explanations) in enumerate(found):
        name = number if info.id is None else info.id
        for each in explanations:
            yield to_json({"doc": name, **each.to_json()}) + "\n"


def _html(found: Iterable[Named], model: str) -> Iterator[str]:
    parts = []
    for number, (info, explanations) in enumerate(found):
        parts.append(f"<h2>{markup(str(number if info.id is None else info.id))}</h2>")
        for each in explanations:
            parts.append(f"<p>{markup(caption(each))}</p>")
            parts.append(heat(each))
        if not explanations:
            parts.append("<p>nothing was found</p>")
    yield page(f"Why {model} says so", parts, CSS)
