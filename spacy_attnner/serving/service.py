"""The service itself: what each address answers. Needs the extra `serve`."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from spacy.language import Language
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .batch_queue import BatchQueue, NeverFits, QueueFull
from .batch_reader import BatchReader, Job, Outcome
from .found_page import POLICY, SCRIPT, requests_page, text_page
from .limits import Bounds, Limits
from .meters import Meters
from .request import Asked, BadRequest, parse_body, read_body
from .schema import PARSE, Health, responses

HUNG_UP = 499  # nginx's number for it; nobody reads it
JSON = "application/json"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}


class Service:
    """A pipeline, the queue before it, and what is counted.

    nlp: The pipeline, which one thread runs. model: What it is called.
    """

    def __init__(self, nlp: Language, model: str, bounds: Bounds, limits: Limits):
        self.model = model
        self.limits = limits
        self.meters = Meters()
        self.reader = BatchReader(nlp)
        self.queue = BatchQueue(self._read, bounds, self.meters)
        # what thinc and torch know of a GPU belongs to the thread that loaded
        self._context = contextvars.copy_context()
        self._pool = ThreadPoolExecutor(1, "pipeline")

    async def _read(self, jobs: Sequence[Job]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._read_here, jobs)

    def _read_here(self, jobs: Sequence[Job]) -> list[Outcome]:
        return self._context.run(self.reader.read, jobs)

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        """While the application runs; what waits at its end is read first."""
        task = asyncio.create_task(self.queue.run())
        try:
            yield
        finally:
            self.queue.close()
            await task
            self._pool.shutdown()

    async def answer(self, request: Request, *, html: bool = False) -> Response:
        """The answer to a request for texts to be read."""
        try:
            with self.meters.request_seconds.time():
                response = await self._answer(request, html)
        except BadRequest as error:
            response = _problem(error.status, error.problem)
        except NeverFits as error:
            response = _problem(413, str(error))
        except QueueFull as error:
            response = _problem(429, str(error))
            response.headers["Retry-After"] = str(error.retry_after)
        except ClientDisconnect:
            response = Response(status_code=HUNG_UP)
        self.meters.requests.labels(response.status_code).inc()
        return response

    async def _answer(self, request: Request, html: bool) -> Response:
        declared = request.headers.get("content-length")
        body = await read_body(request.stream(), declared, self.limits.body_bytes)
        asked = parse_body(body, self.limits, html=html)
        jobs = asked.jobs
        self.meters.texts.labels("refused").inc(len(asked.texts) - len(jobs))
        outcomes = await self._outcomes(jobs, request)
        return _response(asked, outcomes, "text/html" if html else JSON)

    async def _outcomes(self, jobs: list[Job], request: Request) -> list[Outcome]:
        """Of jobs; raises ClientDisconnect if nobody waits for them any more."""
        if not jobs:
            return []
        tickets = self.queue.put(jobs)
        found = asyncio.gather(*(ticket.outcome for ticket in tickets))
        gone = asyncio.ensure_future(_hung_up(request))
        try:
            await asyncio.wait({found, gone}, return_when=asyncio.FIRST_COMPLETED)
            if found.done():
                return found.result()
            raise ClientDisconnect
        finally:
            gone.cancel()
            found.cancel()
            self.queue.drop(tickets)
            with suppress(asyncio.CancelledError):  # else asyncio says that nobody knew
                await found


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _response(asked: Asked, outcomes: list[Outcome], media_type: str) -> Response:
    read = iter(outcomes)
    all = [next(read) if isinstance(each, Job) else each for each in asked.texts]
    if asked.many:
        rows = ", ".join(each.content for each in all)
        return Response(f'{{"results": [{rows}]}}', media_type=JSON)
    (outcome,) = all
    if not outcome.failed:
        return Response(outcome.content, media_type=media_type)
    status = 500 if outcomes else 422
    return Response(outcome.content, status, media_type=JSON)


def _problem(status: int, problem: str) -> JSONResponse:
    return JSONResponse({"error": problem}, status)


def make_app(
    nlp: Language,
    model: str,
    *,
    bounds: Bounds | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """The application that answers requests with a pipeline.

    nlp: The pipeline; it is run in one thread, and nobody else may use it meanwhile.
    model: What it is called.
    """
    service = Service(nlp, model, bounds or Bounds(), limits or Limits())
    app = FastAPI(
        # transformers has it sent somewhere
        telemetry={"tracing": False, "metrics": False, "logs": False},
        title=f"{model}, read by spacy-attnner",
        version=version("spacy-attnner"),
        docs_url=None,  # FastAPI's own load from elsewhere
        redoc_url=None,
        lifespan=service.running,
    )
    app.add_exception_handler(HTTPException, _on_http_exception)
    _add_api(app, service)
    _add_pages(app, service)
    return app


def _add_api(app: FastAPI, service: Service) -> None:
    @app.post("/parse", openapi_extra=PARSE, responses=responses())
    async def parse(request: Request) -> Response:
        """Read one text, or many; each of many that fails has an error of its own."""
        return await service.answer(request)

    @app.head("/health", include_in_schema=False)
    @app.get("/health")
    async def health() -> Health:
        """Whether the service runs, what it reads with, and how much waits."""
        n_texts = service.queue.n_texts
        return Health(status="ok", model=service.model, waiting_texts=n_texts)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counters, in the text format of Prometheus."""
        meters = service.meters
        return Response(meters.shown(), media_type=meters.content_type)


def _add_pages(app: FastAPI, service: Service) -> None:
    def hidden(path: str, make: Callable[[], str], media_type: str) -> None:
        async def get() -> Response:
            return Response(make(), headers=HEADERS, media_type=media_type)

        app.add_api_route(path, get, include_in_schema=False)

    hidden("/", lambda: text_page(service.model), "text/html")
    hidden("/docs", lambda: requests_page(app.openapi()), "text/html")
    hidden("/page.js", lambda: SCRIPT, "text/javascript")

    @app.post("/show", include_in_schema=False)
    async def show(request: Request) -> Response:
        return await service.answer(request, html=True)


async def _on_http_exception(request: Request, error: Any) -> Response:
    """No such address, or another method: in the form of all other errors."""
    problem = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse({"error": problem}, error.status_code, error.headers)
