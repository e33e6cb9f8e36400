"""The parts of a run that are still to be made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..texts.inputs import STANDARD_INPUT, Input
from ..texts.row_readers import Columns
from ..texts.row_stream import Part, RowStream
from .manifest import Finished


@dataclass(frozen=True)
class Unfinished:
    """The parts that a run has still to make, whoever reads them; goes through pickle.

    finished: Parts by their numbers.
    folder: Of the run.
    """

    inputs: Sequence[Input]
    columns: Columns
    part_rows: int
    finished: Mapping[int, Finished]
    folder: Path

    def __iter__(self) -> Iterator[Part]:
        """Raises UserError if an input cannot be read, or stdin is not what it was."""
        from_stdin = any(each.path == STANDARD_INPUT for each in self.inputs)
        with RowStream(self.inputs, self.columns, self.part_rows) as stream:
            while True:
                finished = self.finished.get(stream.number)
                if finished is not None and not from_stdin:
                    stream.skip_part(finished.stop)
                    continue
                part = stream.read_part()
                if part is None:
                    if from_stdin and max(self.finished, default=-1) >= stream.number:
                        raise self._differs("it ends within parts that are finished")
                    return
                if finished is None:
                    yield part
                elif part.digest != finished.digest:
                    first, last = part.rows[0].place, part.rows[-1].place
                    raise self._differs(f"between {first} and {last}")

    def _differs(self, where: str) -> UserError:
        return UserError(
            f"stdin differs from what {self.folder} was begun with, {where}",
            "Pipe the same texts.",
        )
