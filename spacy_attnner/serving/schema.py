"""What requests and answers look like, for OpenAPI. Needs the extra `serve`."""

from typing import Any

from pydantic import BaseModel, Field


class NamedText(BaseModel):
    """A text with a name, which its row carries."""

    text: str
    id: str | int | None = None


class TextRequest(BaseModel):
    """One text."""

    text: str
    id: str | int | None = None
    explain: bool = Field(False, description="Also say why, which takes much longer")


class Span(BaseModel):
    """A part of the text; offsets count code points, the end is past it."""

    text: str
    label: str
    start: int
    end: int


class Entity(Span):
    """An entity, and the probability that it is one."""

    confidence: float | None


class RelationRow(BaseModel):
    """A relation from head to tail, and its probability."""

    head: Span
    label: str
    tail: Span
    score: float


class Row(BaseModel):
    """What was found in a text; of a text that could not be read, only an error."""

    id: str | int | None = Field(None, description="There if it was given")
    text: str
    entities: list[Entity]
    relations: list[RelationRow]
    cats: dict[str, float]
    explanations: list[dict[str, Any]] | None = Field(
        None, description="With explain: how much each token counts for what is said"
    )


class Failed(BaseModel):
    """Why a request, or a text, was not read."""

    id: str | int | None = None
    error: str


class Rows(BaseModel):
    """What was found in many texts, in their order."""

    results: list[Row | Failed]


class Health(BaseModel):
    """That the service runs."""

    status: str
    model: str
    waiting_texts: int


TEXT = "Mira Okafor works for Kestrel Lines in Bergen."
EXAMPLES = {
    "one text": {"text": TEXT},
    "many texts": {"texts": [TEXT, {"id": "b-2", "text": "The ferry was late."}]},
    "with explanations": {"text": TEXT, "explain": True},
}


NAMED_OR_NOT = {"anyOf": [{"type": "string"}, NamedText.model_json_schema()]}
MANY = {
    "type": "object",
    "required": ["texts"],
    "properties": {"texts": {"type": "array", "items": NAMED_OR_NOT}},
}
PARSE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [TextRequest.model_json_schema(), MANY]},
                "examples": {name: {"value": v} for name, v in EXAMPLES.items()},
            }
        },
    }
}
ERRORS = {
    400: "The body is not UTF-8, or not JSON",
    408: "The body did not arrive",
    413: "The body is too long, or has more texts than a request, or the queue, takes",
    422: "The body asks for something else, or the text cannot be read",
    429: "The queue is full; try again after Retry-After seconds",
    500: "The pipeline fails on the text",
}


def responses() -> dict[int | str, dict[str, Any]]:
    """Of /parse, by status."""
    good = {"model": Row | Rows, "description": "A row, or results with a row each"}
    bad = {n: {"model": Failed, "description": text} for n, text in ERRORS.items()}
    return {200: good, **bad}
