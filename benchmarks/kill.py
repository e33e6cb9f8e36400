"""Kill `spacy attn apply` again and again, and compare what it wrote in the end.

    python benchmarks/kill.py MODEL --work DIR

A run is killed with SIGKILL at random moments, and resumed after each, until it has
survived; its results are compared, byte by byte, with those of a run that nobody
disturbed. Rows that are lost, doubled or changed are counted. One row in a thousand
is broken, so that there are errors, too.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from record import called, write_result

RESULTS = Path(__file__).parent / "results"
WORDS = [
    "Mira",
    "Nils",
    "Kestrel",
    "Bergen",
    "ferry",
    "rain",
    "left",
    "Oslo",
    "for",
    "the",
    "coast",
    "again",
]


def write_texts(path: Path, n: int) -> None:
    """Rows of JSON with 5 to 40 words, the same each time."""
    draw = random.Random(0)
    with path.open("w", encoding="utf8") as file:
        for i in range(n):
            text = " ".join(draw.choices(WORDS, k=draw.randint(5, 40)))
            row = json.dumps({"id": i, "text": f"{text} {i} ."})
            file.write((row[:-3] if i % 1000 == 999 else row) + "\n")


def command(options: argparse.Namespace, output: Path) -> list[str]:
    """A run that goes on where it was."""
    return [
        *(sys.executable, "-m", "spacy", "attn", "apply", options.model),
        *(str(options.work / "texts.jsonl"), str(output), "--resume"),
        *("--n-process", str(options.n_process), "--part-rows", str(options.part_rows)),
    ]


def run_undisturbed(options: argparse.Namespace, output: Path) -> float:
    """Seconds that it takes."""
    begin = time.monotonic()
    subprocess.run(command(options, output), stdout=subprocess.DEVNULL, check=False)
    return time.monotonic() - begin


def run_killed(options: argparse.Namespace, output: Path, seconds: float) -> int:
    """How many kills it took at random moments; then it is left alone."""
    draw = random.Random(options.seed)
    kills = 0
    while kills < options.kills:
        process = subprocess.Popen(command(options, output), stdout=subprocess.DEVNULL)
        try:
            process.wait(draw.uniform(0.0, 2 * seconds / options.kills + options.start))
            break  # it has finished
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            sys.stderr.write(f"killed {kills} times\n")
    if kills < options.kills:
        sys.stderr.write("done before all kills: give more --texts\n")
    subprocess.run(command(options, output), stdout=subprocess.DEVNULL, check=False)
    return kills


def compare(whole: Path, killed: Path) -> dict[str, int | bool]:
    """Rows that are lost, doubled or changed, and whether the bytes are the same."""

    def rows(output: Path) -> Counter:
        errors = output.with_name(output.name + ".run") / "errors.jsonl"
        return Counter([*output.open("rb"), *errors.open("rb")])

    before, after = rows(whole), rows(killed)
    return {
        "rows": before.total(),
        "lost_or_changed": (before - after).total(),
        "doubled_or_changed": (after - before).total(),
        "same_bytes": whole.read_bytes() == killed.read_bytes(),
    }


def main() -> None:
    """Run, kill, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="pipeline: a folder or a package")
    add("--work", type=Path, required=True, help="folder to write to, not there yet")
    add("--texts", type=int, default=20_000)
    add("--kills", type=int, default=20)
    add("--start", type=float, default=5.0, help="seconds that a start takes")
    add("--part-rows", type=int, default=200)
    add("--n-process", type=int, default=1)
    add("--seed", type=int, default=0)
    add("--output", type=Path, default=RESULTS / "kill.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    write_texts(options.work / "texts.jsonl", options.texts)
    whole, killed = options.work / "whole.jsonl", options.work / "killed.jsonl"
    seconds = run_undisturbed(options, whole)
    kills = run_killed(options, killed, seconds)
    content = {"kills": kills, "seconds": seconds, **compare(whole, killed)}
    write_result(options.output, called(), content)
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
