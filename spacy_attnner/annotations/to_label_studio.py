"""Label Studio's tasks: with annotations or, of a pipeline, predictions with scores.

    [{"id": 1, "data": {"text": "Ada left Oslo."}, "predictions": [
      {"model_version": "en_attnner", "score": 0.91, "result": [
       {"id": "r1", "type": "labels", "from_name": "label", "to_name": "text",
        "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]},
        "score": 0.98}, …]}]}]

The names are those of this labelling configuration:

    <View><Labels name="label" toName="text"><Label value="PER"/></Labels>
    <Choices name="category" toName="text"><Choice value="news"/></Choices>
    <Relations><Relation value="Left"/></Relations>
    <Text name="text" value="$text"/></View>

The score of a prediction is the lowest in it, so that tasks can be sorted by what has
to be looked at. Metadata go to `data`, and so does the id: Label Studio numbers tasks
anew.

https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..corpora.record import Record
from ..texts.json_lines import json_line
from .layouts import (
    NONE_APPLIES,
    Layout,
    Sheet,
    chosen,
    note_graded,
    with_meta,
    with_score,
)

NONE = "document with categories and without entities: reads as not annotated with any"


def lay_out_label_studio(record: Record, sheet: Sheet) -> str:
    task: dict[str, Any] = {} if record.id is None else {"id": record.id}
    reserved = () if record.id is None else ("id",)
    data = with_meta({"text": record.text}, record, reserved, sheet.note)
    if record.id is not None:
        data["id"] = record.id
    task["data"] = data
    results = [*_regions(record), *_relations(record), *_choices(record)]
    note_graded(record, sheet)
    if record.entities == [] and record.cats:
        sheet.note(NONE, repr((record.text or "")[:40]), 1)
    if record.cats and not chosen(record.cats):
        sheet.note(NONE_APPLIES, repr((record.text or "")[:40]), 1)
    if sheet.model is not None:
        scores = [each["score"] for each in results if "score" in each]
        name = "/".join(Path(sheet.model).parts[-2:])  # not all folders
        prediction = {"model_version": name, "result": results}
        score = {"score": min(scores)} if scores else {}
        task["predictions"] = [{**prediction, **score}]
    elif record.entities is not None or record.cats is not None:
        task["annotations"] = [{"was_cancelled": False, "result": results}]
    return json_line(task)


def _regions(record: Record) -> Iterator[dict[str, Any]]:
    for i, each in enumerate(record.entities or (), 1):
        value = {"start": each.start, "end": each.end, "text": each.text}
        yield {
            "id": f"r{i}",
            **_result("labels", "label", {**value, "labels": [each.label]}),
            **with_score(each.score),
        }


def _relations(record: Record) -> Iterator[dict[str, Any]]:
    for each in record.relations or ():
        yield {
            "type": "relation",
            "from_id": f"r{each.head + 1}",
            "to_id": f"r{each.tail + 1}",
            "direction": "right",
            "labels": [each.label],
            **with_score(each.score),
        }


def _choices(record: Record) -> Iterator[dict[str, Any]]:
    cats = record.cats or {}
    if names := chosen(cats):
        soft = any(value not in (0, 1) for value in cats.values())
        score = min(cats[name] for name in names) if soft else None
        result = _result("choices", "category", {"choices": names})
        yield {"id": "c", **result, **with_score(score)}


def _result(kind: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "from_name": name, "to_name": "text", "value": value}


LABEL_STUDIO_LAYOUT = Layout(
    "label_studio",
    ("overlaps", "relations", "cats", "graded", "id", "meta", "scores", "text"),
    lay_out_label_studio,
    frame=("[\n", ",\n", "\n]\n"),
)
