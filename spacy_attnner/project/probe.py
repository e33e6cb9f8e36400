"""Finding out, in bounded time, whether an address can be reached."""

import threading
import time

from .download import DownloadError, Network, opened_url


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
