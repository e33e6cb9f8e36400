"""`spacy attn serve`: everything that may go wrong before the first request."""

import gc
import socket
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..loading import load_pipeline, require_pipeline, use_gpu
from ..terminal import echo
from .limits import Bounds, Limits

NEEDED = ("fastapi", "uvicorn", "prometheus_client")
LISTEN = 2048  # connections that wait to be accepted


def serve(
    model: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    bounds: Bounds | None = None,
    limits: Limits | None = None,
    gpu_id: int = -1,
) -> None:
    """Answer requests over HTTP with a pipeline, until SIGINT or SIGTERM.

    What waits then is still read and answered; new connections are refused.

    model: A pipeline's folder, or the name of an installed one.
    host, port: Where to listen; port 0 takes one that is free.

    Raises UserError if a package is missing, the address cannot be listened at, or the
    pipeline does not load.
    """
    bounds, limits = bounds or Bounds(), limits or Limits()
    require_serving()
    require_pipeline(model)
    listening = open_socket(host, port)
    with listening:
        use_gpu(gpu_id)
        nlp = load_pipeline(model)
        nlp.max_length = max(nlp.max_length, limits.text_chars)
        from uvicorn import Config, Server

        from .service import make_app

        name = Path(model).name or model  # paths are nobody's business
        app = make_app(nlp, name, bounds=bounds, limits=limits)
        # what is there stays: looking through it for garbage halts all requests
        gc.collect()
        gc.freeze()
        settings: dict[str, Any] = {"access_log": False, "server_header": False}
        server = Server(Config(app, log_level="warning", **settings))
        echo(f"Answering at {url_of(listening)} (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):  # uvicorn raises it once all is answered
            server.run(sockets=[listening])


def url_of(listening: socket.socket) -> str:
    """The address of what listens there."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_serving() -> None:
    """Raises UserError if a package of the extra `serve` is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"serving needs {', '.join(missing)}, which is not installed",
            'Install it: python -m pip install "spacy-attnner[serve]"',
        )


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound, before a pipeline takes its time to load.

    Raises UserError if the address cannot be listened at.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"the host {host!r} has no address: {error}", "Name another: --host"
        ) from error
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(LISTEN)
    except OSError as error:
        listening.close()
        raise UserError(
            f"{host}:{port} cannot be listened at: {error.strerror}",
            "Name another, such as --port 8001, or end what listens there.",
        ) from error
    return listening
