"""A small project with two assets, and servers that behave and misbehave."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from http.server import ThreadingHTTPServer as Server
from pathlib import Path

import pytest
import srsly
from download import Network

FILES = {"one/a.txt": b"alpha " * 50_000, "two/b.txt": b"beta " * 50_000}
QUICK = Network(connect=0.5, read=0.5, probe=1.5, attempts=2, backoff=0.05)


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, format, *args):
        pass


@pytest.fixture
def quick() -> Network:
    """Time limits for tests."""
    return QUICK


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder that holds the assets."""
    folder = tmp_path / "mirror folder"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Path]:
    """A function that makes a project whose assets lie at a base address."""

    def make(base: str) -> Path:
        project = tmp_path / "project"
        (project / "assets/sample").mkdir(parents=True)
        for split in ("train", "dev", "test"):
            (project / f"assets/sample/{split}.jsonl").write_text(f"{split}\n")
        assets = [
            {
                "dest": f"assets/{name}",
                "url": f"{base}/{name}",
                "checksum": hashlib.md5(content).hexdigest(),
            }
            for name, content in FILES.items()
        ]
        srsly.write_yaml(project / "project.yml", {"title": "t", "assets": assets})
        return project

    return make


@pytest.fixture
def serve() -> Iterator[Callable[[type[BaseHTTPRequestHandler] | Path], str]]:
    """A function that serves a folder, or a handler, and returns the address."""
    servers: list[tuple[Server, threading.Thread]] = []

    def start(what: type[BaseHTTPRequestHandler] | Path) -> str:
        if isinstance(what, Path):
            server = Server(("127.0.0.1", 0), partial(QuietFiles, directory=str(what)))
        else:
            server = Server(("127.0.0.1", 0), what)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def closed_port() -> str:
    """An address that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def silent_port() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(20)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
