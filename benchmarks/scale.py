"""Memory and speed of `spacy attn apply` over many short texts.

    python benchmarks/scale.py MODEL --work DIR --texts 1000000

The command reads invented texts of about 20 words in one process and in two; its memory
(resident, that of its workers added) is looked at twice a second, beside how many
rows are finished. Reported are the highest memory up to 50,000 rows (`--early`) and up
to the end, words a second from the first finished part on, without the start, and words
a second of the processors' time, which other work hardly changes, with the start.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from record import called, write_result

RESULTS = Path(__file__).parent / "results"
SYLLABLES = [
    "ka",
    "lo",
    "mi",
    "ren",
    "tas",
    "vik",
    "ber",
    "gen",
    "os",
    "lind",
    "ke",
    "mar",
]


def write_texts(path: Path, n: int) -> None:
    """A text on every line; new words come up all the time, as in real texts."""
    draw = random.Random(0)
    common = ["".join(draw.choices(SYLLABLES, k=2)) for _ in range(5000)]
    with path.open("w", encoding="utf8") as file:
        for _ in range(n):
            words = draw.choices(common, k=draw.randint(8, 30))
            words.append("".join(draw.choices(SYLLABLES, k=6)).capitalize())
            file.write(" ".join(words) + " .\n")


def resident(pid: int) -> int:
    """Bytes of a process and of those that it has started."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if pid in (int(path.name), parent):
                pages = int((path / "statm").read_text().split()[1])
                total += pages * 4096
        except OSError:  # it has ended
            continue
    return total


def processor_seconds() -> float:
    """Time that processes took that this one has started, and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def finished(output: Path) -> tuple[int, int]:
    """Rows and words that the manifest counts."""
    rows = words = 0
    try:
        for raw in (output / "manifest.jsonl").open("rb"):
            if raw.startswith(b'{"part"') and raw.endswith(b"\n"):
                part = json.loads(raw)
                rows, words = rows + part["rows"], words + part["words"]
    except FileNotFoundError:
        return 0, 0
    return rows, words


def measure(options: argparse.Namespace, n_process: int) -> dict[str, float]:
    """One run of the command."""
    output = options.work / f"out{n_process}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "spacy", "attn", "apply", options.model),
            *(str(options.work / "texts.txt"), str(output)),
            *("--n-process", str(n_process)),
        ]
    )
    used = processor_seconds()
    early = late = 0
    first: tuple[float, int] | None = None
    while process.poll() is None:
        memory, (rows, words) = resident(process.pid), finished(output)
        if first is None and rows:
            first = time.monotonic(), words
        if rows <= options.early:
            early = max(early, memory)
        late = max(late, memory)
        time.sleep(0.5)
    rows, words = finished(output)
    begin, before = first or (time.monotonic() - 1.0, 0)
    return {
        "n_process": n_process,
        "rows": rows,
        "words": words,
        "words_per_second": (words - before) / (time.monotonic() - begin),
        "words_per_processor_second": words / (processor_seconds() - used),
        "early_rows": options.early,
        "mib_early": early / 2**20,
        "mib_at_the_end": late / 2**20,
        "growth": late / early,
    }


def main() -> None:
    """Measure one process, then two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="pipeline: a folder or a package")
    add("--work", type=Path, required=True, help="folder to write to, not there yet")
    add("--texts", type=int, default=1_000_000)
    add("--early", type=int, default=50_000, help="rows to compare memory with")
    add("--processes", type=int, nargs="+", default=[1, 2])
    add("--output", type=Path, default=RESULTS / "scale.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    write_texts(options.work / "texts.txt", options.texts)
    runs = [measure(options, n) for n in options.processes]
    content = {"runs": runs}
    if len(runs) > 1:
        rates = [run["words_per_second"] for run in runs]
        content["times_as_fast"] = rates[1] / rates[0]
    write_result(options.output, called(), content)
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
