"""Records of texts: what was found in one, its name, and what stood beside it.

    {"id": "a7", "text": "…", "entities": […], "relations": […], "cats": {…},
     "meta": {"year": 1999}}

All of it is taken out of a document before the memory zone ends that it was made in.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import UserError
from ..export.found import category_records, entity_records, relation_records
from ..texts.json_lines import storable
from ..texts.row_readers import Row, unnested

FIELDS = ("text", "entities", "relations", "cats", "tokens", "meta")
SET_BY = {
    "entities": {"doc.ents"},
    "relations": {"doc._.relations", "doc._.rel"},
    "cats": {"doc.cats"},
}
PER = ("document", "entity", "relation")
NEEDED = {"entity": "entities", "relation": "relations"}
COLUMNS = {
    "entity": ("id", "text", "label", "start", "end", "confidence"),
    "relation": (
        *("id", "head_text", "head_label", "head_start", "head_end", "label"),
        *("tail_text", "tail_label", "tail_start", "tail_end", "score"),
    ),
}


def choose_fields(
    nlp: Language, named: Sequence[str], per: str = "document"
) -> tuple[str, ...]:
    """What is written of each text, in the order of `FIELDS`.

    named: What was asked for; if nothing, the text, its metadata, and what components
        of the pipeline set.
    per: "entity" or "relation" for a row for each of them.

    Raises UserError for what there is not, or no component sets.
    """
    unknown = [name for name in named if name not in FIELDS]
    if unknown:
        raise UserError(
            f"there is no field {unknown[0]!r}", f"There are: {', '.join(FIELDS)}."
        )
    sets = _set_by(nlp)
    asked = [*named, *([NEEDED[per]] if per in NEEDED else [])]
    for name in asked:
        if name in SET_BY and name not in sets and not _has_others(nlp):
            names = ", ".join(nlp.pipe_names) or "none"
            raise UserError(
                f"no component of the pipeline sets {name}; its components: {names}",
                "Leave it out of --fields and --per, or give another pipeline.",
            )
    chosen = asked if named else [*asked, "text", *sets, "meta"]
    return tuple(name for name in FIELDS if name in chosen)


def record_of(doc: Doc, row: Row, fields: Sequence[str]) -> dict[str, Any]:
    """A document as one record.

    Raises ValueError for a probability that is no finite number.
    """
    record: dict[str, Any] = {"id": plain_id(row)}
    for field in fields:
        if field == "text":
            record["text"] = row.text
        elif field == "entities":
            record["entities"] = entity_records(doc)
        elif field == "relations":
            record["relations"] = relation_records(doc)
        elif field == "cats":
            record["cats"] = category_records(doc)
        elif field == "tokens":
            record["tokens"] = [
                {"text": t.text, "start": t.idx, "end": t.idx + len(t)} for t in doc
            ]
        elif (meta := unnested(row.meta)) is not None:
            record["meta"] = meta
    return record


def flat_records(
    doc: Doc, row: Row, per: str, fields: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """A record for each entity or relation, of the columns that `columns_of` names."""
    found = (
        entity_records(doc) if per == "entity" else map(_flat, relation_records(doc))
    )
    meta = unnested(row.meta) if "meta" in fields else None
    end = {} if meta is None else {"meta": meta}
    for each in found:
        yield {"id": plain_id(row), **each, **end}


def columns_of(per: str, fields: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns of a table."""
    if per == "document":
        return ("id", *fields)
    return COLUMNS[per] + (("meta",) if "meta" in fields else ())


def _set_by(nlp: Language) -> list[str]:
    assigned: set[str] = set()
    for name in nlp.pipe_names:
        assigned.update(nlp.get_pipe_meta(name).assigns)
    return [field for field, names in SET_BY.items() if assigned & names]


def _has_others(nlp: Language) -> bool:
    """Whether there are other people's components, which need not say what they set."""
    ours = ("spacy.", "spacy_attnner.")
    return any(not pipe.__module__.startswith(ours) for _, pipe in nlp.pipeline)


def plain_id(row: Row) -> str | int:
    """The id, without lone surrogates."""
    return storable(row.id) if isinstance(row.id, str) else row.id


def _flat(relation: dict[str, Any]) -> dict[str, Any]:
    ends = {
        f"{side}_{name}": value
        for side in ("head", "tail")
        for name, value in relation[side].items()
    }
    return {**ends, "label": relation["label"], "score": relation["score"]}
