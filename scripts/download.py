"""One file from an address or a folder, whole and checked, or not at all."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from urllib.parse import urlsplit

from source import CHUNK, Asset, Check

from spacy_attnner.atomic import replacing
from spacy_attnner.errors import UserError
from spacy_attnner.terminal import visible

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
    return origin.lower().startswith(("http://", "https://"))


def check_address(url: str) -> None:
    """Raises DownloadError for an address with a password or a key in it.

    Addresses are shown, and `project.lock` keeps the one of a mirror. The error does
    not repeat it.
    """
    try:
        parts = urlsplit(url)
        open_part = parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise DownloadError(
            f"an address that cannot be read: {error}",
            "Write it as https://HOST/PATH.",
            transient=False,
        ) from error
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise DownloadError(
            f"the address at {open_part} holds a user, a password or a query, which "
            "would be shown in messages and kept in project.lock",
            "Leave it out. A user and a password go into ~/.netrc, or the file that "
            f"the environment variable NETRC names: "
            f"machine {open_part.partition(':')[0]} login USER password PASSWORD",
            transient=False,
        )


def download(origin: str, dest: Path, asset: Asset, network: Network) -> None:
    """Copy the file at `origin`, an address or a path, to `dest`.

    asset: What the file should be, or begin with if it is `longer`; hardly more bytes
        than it has are read.

    Raises DownloadError if it cannot be had or is another; `dest` is then as it was
    before.
    """
    for attempt in range(network.attempts):
        try:
            _download_once(origin, dest, asset, network)
            return
        except DownloadError as error:
            if not error.transient or attempt == network.attempts - 1:
                raise
            time.sleep(network.backoff * 2**attempt)


def _download_once(origin: str, dest: Path, asset: Asset, network: Network) -> None:
    from tqdm import tqdm

    check = Check(asset)
    with replacing(dest) as file, _opened(origin, network) as (chunks, total):
        if asset.longer:
            chunks, total = _first(chunks, asset.size or 0), asset.size
        if asset.size is not None and total not in (None, asset.size):
            raise _wrong(origin, dest, check, f"one of {total:,} bytes")
        name = visible(dest.name)
        bar = tqdm(desc=name, total=total, unit="B", unit_scale=True, disable=None)
        with bar:
            for chunk in chunks:
                file.write(chunk)
                check.update(chunk)
                bar.update(len(chunk))
                if asset.size is not None and check.size > asset.size:
                    raise _wrong(origin, dest, check, "more bytes")
        if not check.is_right():
            raise _wrong(origin, dest, check, check.found())


def _first(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """As many bytes of the chunks."""
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


def _wrong(origin: str, dest: Path, check: Check, found: str) -> DownloadError:
    return DownloadError(
        f"{dest}: expected a file of {check.expected()}, found {found} at {origin}",
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
        if Path(origin).exists() and not Path(origin).is_file():
            raise OSError(EINVAL, "it is no ordinary file")  # may never end
        # only opening it is tried: what fails while it is read has other advice
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

    check_address(url)
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


def probe(url: str, network: Network) -> DownloadError | None:
    """Find out within `network.probe` seconds whether an address can be reached.

    The time holds for the whole attempt, the name look-up and every address of the host
    included, which timeouts of a socket do not bound: hence the thread.
    """
    result: list[DownloadError | None] = []
    thread = threading.Thread(
        target=lambda: result.append(_probe_twice(url, network)), daemon=True
    )
    thread.start()
    thread.join(network.probe)
    if result:
        return result[0]
    return DownloadError(
        f"{url} did not answer within {network.probe:g} s",
        "Check the network connection and the proxy settings.",
    )


def _probe_twice(url: str, network: Network) -> DownloadError | None:
    """Try once more after a pause: one lost packet should not decide."""
    for last in (False, True):
        try:
            with opened_url(url, (network.connect, network.connect)) as (chunks, _):
                next(chunks, None)
        except DownloadError as error:
            if last or not error.transient:
                return error
            time.sleep(2 * network.backoff)
        else:
            break
    return None
