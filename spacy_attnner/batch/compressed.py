"""Files as they are, or compressed with gzip or zstd, told by their first bytes."""

import gzip
import io
from typing import Any, BinaryIO, cast

from ..errors import UserError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
ENDINGS = (".gz", ".zst")


def decompressed(file: BinaryIO, name: str) -> BinaryIO:
    """What a file holds, read as a stream.

    file: Open, at its beginning; it need not be seekable.
    name: For messages.

    Raises UserError for zstd where the package `zstandard` is missing.
    """
    raw = cast(Any, file)
    buffered = file if hasattr(file, "peek") else io.BufferedReader(raw)
    start = cast(Any, buffered).peek(4)[:4]
    if start.startswith(GZIP):
        return cast(BinaryIO, gzip.open(buffered))
    if start == ZSTD:
        return _zstd(buffered, name)
    return cast(BinaryIO, buffered)


def _zstd(file: Any, name: str) -> BinaryIO:
    try:
        import zstandard
    except ImportError as error:
        raise UserError(
            f"{name} is compressed with zstd, and zstandard is not installed",
            'Install it: pip install "spacy-attnner[zstd]"',
        ) from error
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return cast(BinaryIO, io.BufferedReader(cast(Any, reader)))
