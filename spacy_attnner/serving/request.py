"""What a client asks for: the body of a request, its limits, and what is wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..texts.json_lines import SURROGATE
from .batch_reader import Job, Outcome, failure
from .limits import Limits

BODY_SECONDS = 60.0  # for a body to arrive
LINGER = 2.0  # seconds in which what is too much is taken, for the client to hear so
EXPLAINED_CHARS = 5_000
EXAMPLE = 'send {"text": "…"} or {"texts": ["…", {"id": 1, "text": "…"}]}'


class BadRequest(Exception):
    """A request that is not answered as it asks.

    status: Of HTTP. problem: What is wrong, and the way out.
    """

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


@dataclass(frozen=True)
class Asked:
    """Texts in the order of a request; those that cannot be read are outcomes already.

    many: Whether a list was given.
    """

    texts: list[Job | Outcome]
    many: bool = False

    @property
    def jobs(self) -> list[Job]:
        """What there is to read."""
        return [each for each in self.texts if isinstance(each, Job)]


async def read_body(
    parts: AsyncIterator[bytes], declared: str | None, limit: int
) -> bytes:
    """A body, of which never more than the limit is held.

    declared: Its length, if the client has said it.

    Raises BadRequest where it is longer, and where it does not arrive.
    """
    body = None
    try:
        if declared is None or not declared.isdecimal() or int(declared) <= limit:
            body = await asyncio.wait_for(_collect(parts, limit), BODY_SECONDS)
    except asyncio.TimeoutError as error:
        problem = f"the body did not arrive within {BODY_SECONDS:.0f} s"
        raise BadRequest(408, problem) from error
    if body is not None:
        return body
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_let_go(parts), LINGER)
    raise BadRequest(
        413, f"the body is longer than {limit:,} bytes: send fewer or shorter texts"
    )


async def _collect(parts: AsyncIterator[bytes], limit: int) -> bytes | None:
    """All parts, or None as soon as they are too much."""
    kept: list[bytes] = []
    size = 0
    async for part in parts:
        size += len(part)
        if size > limit:
            return None
        kept.append(part)
    return b"".join(kept)


async def _let_go(parts: AsyncIterator[bytes]) -> None:
    """Take what still arrives: a client that cannot send on never reads why."""
    async for _ in parts:
        pass


def parse_body(body: bytes, limits: Limits, *, html: bool = False) -> Asked:
    """What a body asks for; raises BadRequest if that cannot be made out."""
    data = _load(body)
    if not isinstance(data, dict):
        raise BadRequest(422, f"the body is no object: {EXAMPLE}")
    if unknown := data.keys() - {"text", "texts", "id", "explain"}:
        raise BadRequest(422, f"unknown keys {sorted(unknown)}: {EXAMPLE}")
    if ("text" in data) == ("texts" in data):
        raise BadRequest(422, f"give either text or texts: {EXAMPLE}")
    explain = data.get("explain", False)
    if not isinstance(explain, bool):
        raise BadRequest(422, "explain is neither true nor false")
    if "texts" in data:
        return _many(data, explain, limits)
    text, id = data["text"], _id(data, "id")
    if explain and isinstance(text, str) and len(text) > EXPLAINED_CHARS:
        problem = f"texts of up to {EXPLAINED_CHARS:,} characters are explained, and "
        raise BadRequest(422, f"{problem}this one has {len(text):,}: send a part of it")
    return Asked([_checked(text, id, limits) or Job(text, id, explain, html)])


def _load(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start:,} of the body, {body[error.start :][:1]!r}, "
        raise BadRequest(400, problem + "is not UTF-8: encode it as UTF-8") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, f"invalid JSON, {error}: {EXAMPLE}") from error


def _many(data: dict[str, Any], explain: bool, limits: Limits) -> Asked:
    texts = data["texts"]
    if not isinstance(texts, list):
        raise BadRequest(422, f"texts is no list: {EXAMPLE}")
    if explain or "id" in data:
        raise BadRequest(422, "explain and id go with text: send texts one by one")
    if len(texts) > limits.texts:
        problem = f"{len(texts):,} texts, and a request may have {limits.texts:,}"
        raise BadRequest(413, f"{problem}: send several requests")
    return Asked([_one_of_many(each, limits) for each in texts], many=True)


def _one_of_many(given: Any, limits: Limits) -> Job | Outcome:
    """A text, or what is wrong with it: it takes no other along."""
    id = None
    if isinstance(given, dict):
        try:
            id = _id(given, "id")
        except BadRequest as error:
            return failure(error.problem)
        if "text" not in given or given.keys() - {"text", "id"}:
            return failure("an object of texts needs text, and may have id", id)
        given = given["text"]
    return _checked(given, id, limits) or Job(given, id)


def _id(data: dict[str, Any], name: str) -> str | int | None:
    id = data.get("id")
    if isinstance(id, bool) or not isinstance(id, str | int | None):
        raise BadRequest(422, f"{name} is neither a string nor an integer")
    if isinstance(id, str) and SURROGATE.search(id):
        raise BadRequest(422, f"{name} holds half of a surrogate pair")
    return id


def _checked(text: Any, id: str | int | None, limits: Limits) -> Outcome | None:
    """What is wrong with a text that goes to no pipeline; None of a sound one."""
    if not isinstance(text, str):
        return failure(f"the text is {json.dumps(text)[:40]}, not a string", id)
    if len(text) > limits.text_chars:
        problem = f"the text has {len(text):,} characters, and the limit is "
        return failure(f"{problem}{limits.text_chars:,}: send it in parts", id)
    if half := SURROGATE.search(text):
        problem = f"character {half.start():,} of the text, {half[0]!r}, is half of a "
        return failure(problem + "surrogate pair: write both halves", id)
    return None
