"""One file from an address or a folder, whole and checked, or not at all."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

CHUNK = 1 << 16  # bytes
AGAIN = "Run the command again; what is already there and complete is kept."


@dataclass(frozen=True)
class Network:
    """How patient to be; all times in seconds.

    connect: For one connection.
    read: For the next bytes of a running download.
    probe: For finding out whether an address can be reached at all.
    attempts: How often a download is tried.
    backoff: The pause after the first failure; doubled after each further one.
    """

    connect: float = 4.0
    read: float = 15.0
    probe: float = 8.0
    attempts: int = 3
    backoff: float = 0.5


class DownloadError(UserError):
    """A file could not be had; `transient` says whether trying again may help."""

    def __init__(self, problem: str, way_out: str, *, transient: bool = True) -> None:
        super().__init__(problem, way_out)
        self.transient = transient


def is_url(origin: str) -> bool:
    """Whether a file is to be had over HTTP; otherwise it is a path."""
    return origin.startswith(("http://", "https://"))


def download(origin: str, dest: Path, md5: str, network: Network) -> None:
    """Copy the file at `origin`, an address or a path, to `dest`.

    Raises DownloadError if it cannot be had or has another MD5; `dest` is then as it
    was before.
    """
    dest.parent.mkdir(parents=True, exist_ok=True)
    for leftover in dest.parent.glob(f".{dest.name}.*.part"):
        leftover.unlink()
    for attempt in range(network.attempts):
        try:
            _download_once(origin, dest, md5, network)
            return
        except DownloadError as error:
            if not error.transient or attempt == network.attempts - 1:
                raise
            time.sleep(network.backoff * 2**attempt)


def _download_once(origin: str, dest: Path, md5: str, network: Network) -> None:
    from tqdm import tqdm

    handle, name = tempfile.mkstemp(
        dir=dest.parent, prefix=f".{dest.name}.", suffix=".part"
    )
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    try:
        with os.fdopen(handle, "wb") as file, _opened(origin, network) as stream:
            chunks, total = stream
            bar = tqdm(
                desc=dest.name, total=total, unit="B", unit_scale=True, disable=None
            )
            with bar:
                for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != md5:
            raise _wrong_content(origin, dest, md5, digest.hexdigest(), size)
        os.chmod(name, 0o644)
        os.replace(name, dest)
    finally:
        Path(name).unlink(missing_ok=True)


def _wrong_content(
    origin: str, dest: Path, md5: str, found: str, size: int
) -> DownloadError:
    return DownloadError(
        f"{dest}: expected a file with MD5 {md5}, found {size:,} bytes with MD5 "
        f"{found} at {origin}",
        "It was cut short or is another file; nothing of it was kept. " + AGAIN,
        transient=is_url(origin),
    )


@contextmanager
def _opened(
    origin: str, network: Network
) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """The chunks of a file and, where known, its size in bytes."""
    if is_url(origin):
        with opened_url(origin, (network.connect, network.read)) as stream:
            yield stream
        return
    try:
        file = Path(origin).open("rb")  # noqa: SIM115
    except OSError as error:
        raise DownloadError(
            f"{origin} cannot be read: {error.strerror}",
            "Check the path.",
            transient=False,
        ) from error
    with file:
        yield iter(lambda: file.read(CHUNK), b""), os.fstat(file.fileno()).st_size


@contextmanager
def opened_url(
    url: str, timeout: tuple[float, float]
) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """The chunks behind an address and their number of bytes.

    timeout: Seconds for a connection and for the next bytes.

    Raises DownloadError if there are none to be had.
    """
    import requests

    try:
        with requests.get(
            url, stream=True, timeout=timeout, headers={"Accept-Encoding": "identity"}
        ) as response:
            if response.status_code != 200:
                raise DownloadError(
                    f"{url} answers with HTTP status {response.status_code}",
                    "Check the address.",
                    transient=response.status_code >= 500,
                )
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            yield response.iter_content(CHUNK), total
    except requests.RequestException as error:
        raise DownloadError(
            f"{url} cannot be fetched: {_reason(error)}",
            "Check the network connection and the proxy settings.",
            transient=not isinstance(error, ValueError),
        ) from error


def _reason(error: Exception) -> str:
    """The innermost cause, which says more than the exceptions wrapped around it."""
    while True:
        inner = error.__context__ or next(
            (arg for arg in error.args if isinstance(arg, Exception)), None
        )
        if not isinstance(inner, Exception):
            return str(error) or type(error).__name__
        error = inner
