"""Files as they are, or compressed with gzip or zstd, told by their first bytes."""

import gzip
import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from ..errors import UserError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
ENDINGS = (".gz", ".zst")
CHUNK = 2**14  # bytes that are decompressed at a time


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
    frames = _Frames(file, zstandard.ZstdDecompressor().decompressobj)
    return io.BufferedReader(frames)


class _Frames(io.RawIOBase):
    """What the frames of zstd hold. zstandard's own stream takes one that is cut off
    for a whole one.
    """

    def __init__(self, file: Any, begin: Callable[[], Any]) -> None:
        super().__init__()
        self._file = file
        self._begin = begin
        self._frame: Any = None  # that has begun
        self._next = b""  # what was read of the file after a frame
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises EOFError where the file is cut off, zstandard's ZstdError for what is
        no zstd.
        """
        while not self._ready:
            chunk = self._next or self._file.read(CHUNK)
            if not chunk and self._frame is not None:
                raise EOFError("the compressed file ends within a frame")
            if not chunk:
                return 0
            frame = self._frame or self._begin()
            self._ready = memoryview(frame.decompress(chunk))
            self._frame = None if frame.eof else frame
            self._next = frame.unused_data if frame.eof else b""
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n
