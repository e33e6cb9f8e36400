"""JSON values one after the other, out of text that comes in pieces."""

import json
import re
from collections.abc import Iterator

BETWEEN = re.compile(r"\s*")
DECODER = json.JSONDecoder()
# what text can end with that is no value yet, and is one with what follows
LONGEST_CUT = len("-Infinity")
LONGEST_REST = len("e-")  # what may be left behind a number that goes on, as in 1e-5


class JSONStream:
    """Reads the items of one array, or values that follow each other.

    It holds two values at most.

    pieces: The text.

    line: That of the value which was read last, from 1, or of what is wrong.
    """

    def __init__(self, pieces: Iterator[str]) -> None:
        self.line = 1
        self._pieces = pieces
        self._text = ""
        self._at = 0  # the place of what is read next
        self._line = 1  # its line

    def values(self) -> Iterator[str]:
        """The JSON of each value.

        Raises ValueError, or RecursionError, where one is none or something else
        follows.
        """
        end = "]" if self._next() == "[" else ""
        self._at += len(end)
        while (char := self._next()) != end:
            if not char:
                raise ValueError("the array does not end")
            yield self._take()
            if end:
                self._pass_comma()
        self._at += len(end)
        if rest := self._next():
            raise ValueError(f"{rest!r} follows the end of the array")

    def _next(self) -> str:
        """The next character that is no whitespace, "" at the end."""
        while True:
            found = BETWEEN.match(self._text, self._at)
            self._go_to(found.end() if found else self._at)
            if self._at < len(self._text) or not self._read_on():
                self.line = self._line
                return self._text[self._at : self._at + 1]

    def _go_to(self, at: int) -> None:
        self._line += self._text.count("\n", self._at, at)
        self._at = at

    def _read_on(self) -> bool:
        """Forget what was read and double what was not, if there is more."""
        parts = [self._text[self._at :]]
        n_left, n_read = len(parts[0]), 0
        for piece in self._pieces:
            parts.append(piece)
            n_read += len(piece)
            if n_read >= n_left:
                break
        if n_read:
            self._text, self._at = "".join(parts), 0
        return bool(n_read)

    def _take(self) -> str:
        while True:
            try:
                _, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_cut(error) and self._read_on():
                    continue
                self.line += self._text.count("\n", self._at, error.pos)
                near = self._text[error.pos : error.pos + 40]
                raise ValueError(f"{error.msg}: {near!r}") from error
            if end + LONGEST_REST < len(self._text) or not self._read_on():
                raw = self._text[self._at : end]
                self._go_to(end)
                return raw

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may go on in the next piece."""
        left = len(self._text) - error.pos
        return left <= LONGEST_CUT or error.msg.startswith("Unterminated string")

    def _pass_comma(self) -> None:
        char = self._next()
        if char == ",":
            self._at += 1
        elif char != "]":
            raise ValueError(f"',' or ']' has to follow an item, not {char!r}")
