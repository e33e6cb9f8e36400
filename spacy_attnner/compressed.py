"""Files as they are, or compressed (gzip, bzip2, xz, zstd), told by their bytes."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from .errors import UserError

ZSTD = b"\x28\xb5\x2f\xfd"
OPENERS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
ENDINGS = (".gz", ".bz2", ".xz", ".zst")
# what reading a damaged file raises
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)
CHUNK = 2**14  # bytes that are decompressed at a time


def decompressed(file: BinaryIO, name: str) -> BinaryIO:
    """What a file holds, read as a stream.

    file: Open, at its beginning; it need not be seekable.
    name: For messages.

    Raises UserError for zstd where the package `zstandard` is missing.
    """
    raw = cast(Any, file)
    buffered = file if hasattr(file, "peek") else io.BufferedReader(raw)
    start = cast(Any, buffered).peek(6)
    for magic, unpack in OPENERS.items():
        if start.startswith(magic):
            return cast(BinaryIO, unpack(buffered))
    if start.startswith(ZSTD):
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
    begin = zstandard.ZstdDecompressor().decompressobj
    frames = _Frames(file, begin, zstandard.ZstdError)
    return io.BufferedReader(frames)


class _Frames(io.RawIOBase):
    """What the frames of zstd hold. zstandard's own stream takes one that is cut off
    for a whole one.
    """

    def __init__(
        self, file: Any, begin: Callable[[], Any], wrong: type[Exception]
    ) -> None:
        super().__init__()
        self._wrong = wrong
        self._file = file
        self._begin = begin
        self._frame: Any = None  # that has begun
        self._next = b""  # what was read of the file after a frame
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises EOFError where the file is cut off, OSError for what is no zstd."""
        while not self._ready:
            chunk = self._next or self._file.read(CHUNK)
            if not chunk and self._frame is not None:
                raise EOFError("the compressed file ends within a frame")
            if not chunk:
                return 0
            frame = self._frame or self._begin()
            try:
                self._ready = memoryview(frame.decompress(chunk))
            except self._wrong as error:
                raise OSError(str(error)) from error
            self._frame = None if frame.eof else frame
            self._next = frame.unused_data if frame.eof else b""
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n
