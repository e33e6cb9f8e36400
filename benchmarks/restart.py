"""What a run of `spacy attn apply` costs beside the pipeline: rows read, passed, noted.

    python benchmarks/restart.py --work DIR

Invented rows are read by the reader that all workers share, and passed over as after a
restart in the middle of a file; parts are noted in a manifest, which is then read as
by `--resume`. Times are the processor's, fastest of three, but for the notes, each of
which waits for the disk.
"""

import argparse
import gzip
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from record import called, use_threads, write_result
from scale import write_texts

from spacy_attnner.batch.annotator import Done
from spacy_attnner.batch.manifest import Manifest
from spacy_attnner.texts.inputs import find_inputs
from spacy_attnner.texts.row_readers import Columns
from spacy_attnner.texts.row_stream import RowStream

RESULTS = Path(__file__).parent / "results"
KINDS = ("txt", "jsonl", "jsonl.gz", "csv", "parquet")


def write_inputs(folder: Path, n: int) -> None:
    """The same rows, with ids, as files of every kind."""
    write_texts(folder / "rows.txt", n)
    texts = (folder / "rows.txt").read_text("utf8").splitlines()
    records = [{"id": f"row-{i:09}", "text": text} for i, text in enumerate(texts)]
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()
    (folder / "rows.jsonl").write_bytes(lines)
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(lines))
    cells = "".join(f"{each['id']},{each['text']}\n" for each in records)
    (folder / "rows.csv").write_text("id,text\n" + cells, "utf8")
    table = pyarrow.Table.from_pylist(records)
    pyarrow.parquet.write_table(table, folder / "rows.parquet", row_group_size=10_000)


def fastest(work: Callable[[], Any]) -> float:
    """Processor time, in seconds."""
    took = []
    for _ in range(3):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took)


def read(path: Path) -> None:
    """All rows, part by part."""
    with RowStream(find_inputs(str(path)), Columns()) as stream:
        while stream.read_part():
            pass


def pass_over(path: Path, n: int) -> None:
    """All rows but the last."""
    with RowStream(find_inputs(str(path)), Columns()) as stream:
        stream.skip_part((0, n - 1))
        stream.read_part()


def note(folder: Path, n: int) -> dict[str, float]:
    """A manifest of n parts."""
    with Manifest(folder, "jsonl") as manifest:
        manifest.begin({}, [], resume=False, overwrite=True)
        begin = time.monotonic()
        for number in range(n):
            path = folder / f".part-{number}"
            path.touch()
            stop = (0, 5000 * (number + 1))
            done = Done(number, stop, str(path), 0, 5000, 10**5, [], "", 10**6)
            manifest.add(done)
        took = time.monotonic() - begin
    size = (folder / "manifest.jsonl").stat().st_size

    def resume() -> int:
        with Manifest(folder, "jsonl") as again:
            again.begin({}, [], resume=True, overwrite=False)
            again.forget_missing()
            return tracemalloc.get_traced_memory()[0]

    seconds = fastest(resume)
    tracemalloc.start()
    memory = resume()
    tracemalloc.stop()
    return {
        "notes_per_second_of_the_clock": n / took,
        "bytes_per_part": size / n,
        "memory_per_part": memory / n,
        "parts_per_second_of_a_resume": n / seconds,
    }


def main() -> None:
    """Measure, and write what was found."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--work", type=Path, required=True, help="folder to make")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=RESULTS / "restart.json")
    options = parser.parse_args()
    use_threads(1)
    options.work.mkdir(parents=True)
    write_inputs(options.work, options.rows)
    kinds = {}
    for kind in KINDS:
        path = options.work / f"rows.{kind}"
        kinds[kind] = {
            "bytes_per_row": path.stat().st_size / options.rows,
            "rows_read_per_second": options.rows / fastest(lambda p=path: read(p)),
            "rows_passed_per_second": options.rows
            / fastest(lambda p=path: pass_over(p, options.rows)),
        }
    content = {"kinds": kinds, "manifest": note(options.work / "run", options.parts)}
    write_result(options.output, called(), content)
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
