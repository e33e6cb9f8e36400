"""Speed and memory of `spacy attn convert`.

    python benchmarks/convert.py --work DIR --megabytes 1000

Texts are invented. Documents a second are those of a BRAT folder (237 tokens, 20
entities and 10 relations a document), by the time of the processor, in this process.
The memory is that of the command while it turns JSONL into a folder of parts, and a
small one into one file: the highest resident set in each tenth of what is read.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from record import called, write_result
from scale import RESULTS, resident

from spacy_attnner.corpora.conversion import convert

NAMES = ("Ada Byron", "Bo Cy", "Dora", "Emil Fox")
TOWNS = ("Oslo", "Bergen", "Turku", "Lund")
SENTENCE = (
    "On that morning {} left {} with the last ship, although the wind was strong "
)
SENTENCE += "and nobody came to the harbour. "
N_SENTENCES = 10  # of a document
ONE_FILE = 10_000_000  # bytes


def make_document(draw: random.Random) -> tuple[str, list[tuple[int, int, str]]]:
    """A text and its entities, two a sentence."""
    text = ""
    spans = []
    for _ in range(N_SENTENCES):
        name, town = draw.choice(NAMES), draw.choice(TOWNS)
        sentence = SENTENCE.format(name, town)
        for found, label in ((name, "PER"), (town, "LOC")):
            start = len(text) + sentence.index(found)
            spans.append((start, start + len(found), label))
        text += sentence
    return text, spans


def write_brat(folder: Path, n: int) -> None:
    """A text and its annotations for each document."""
    draw = random.Random(0)
    folder.mkdir()
    for i in range(n):
        text, spans = make_document(draw)
        lines = [
            f"T{j}\t{label} {start} {end}\t{text[start:end]}"
            for j, (start, end, label) in enumerate(spans, 1)
        ]
        for j in range(1, len(spans), 2):
            lines.append(f"R{j}\tLeft Arg1:T{j} Arg2:T{j + 1}")
        (folder / f"{i:05}.txt").write_text(text)
        (folder / f"{i:05}.ann").write_text("\n".join(lines) + "\n")


def write_jsonl(path: Path, n_bytes: int) -> None:
    """Documents up to this size, each with a word of its own."""
    draw = random.Random(0)
    with path.open("w") as file:
        for i in range(n_bytes):
            if file.tell() >= n_bytes:
                return
            text, spans = make_document(draw)
            entities = [{"start": s, "end": e, "label": name} for s, e, name in spans]
            record = {"text": f"{text}Ship {i:x}.", "entities": entities, "id": i}
            file.write(json.dumps(record) + "\n")


def measure_speed(work: Path, n: int) -> dict[str, float]:
    """Documents a second of a folder of BRAT's."""
    write_brat(work / "brat", n)
    begin = time.process_time()
    convert(work / "brat", work / "brat.spacy")
    return {"documents": n, "per_second": n / (time.process_time() - begin)}


def place_in(path: Path, pid: int) -> int:
    """How far a process has read a file, in bytes."""
    for fd in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            if os.readlink(fd) == str(path):
                info = Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text()
                return int(info.split()[1])
        except OSError:  # closed since
            continue
    return 0


def measure_memory(work: Path, n_bytes: int, name: str) -> dict[str, object]:
    """The highest memory in each tenth of a file that becomes what is named."""
    path, output = (work / "corpus.jsonl").absolute(), work / name
    write_jsonl(path, n_bytes)
    command = [sys.executable, "-m", "spacy", "attn", "convert", str(path), str(output)]
    peaks = [0] * 10
    place = 0
    begin = os.times().children_user
    process = subprocess.Popen(command)
    while process.poll() is None:
        place = max(place, place_in(path, process.pid))  # it is closed before the end
        tenth = min(place * 10 // n_bytes, 9)
        peaks[tenth] = max(peaks[tenth], resident(process.pid))
        time.sleep(0.2)
    found = {
        "bytes": path.stat().st_size,
        "files": len(list(output.glob("*.spacy"))) or 1,
        "seconds": os.times().children_user - begin,
        "mib_by_tenth": [round(peak / 2**20) for peak in peaks],
    }
    path.unlink()
    return found


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--work", type=Path, required=True, help="folder to write to, not there yet")
    add("--documents", type=int, default=1_000)
    add("--megabytes", type=int, default=1_000)
    add("--output", type=Path, default=RESULTS / "convert.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    content = {
        "brat": measure_speed(options.work, options.documents),
        "parts": measure_memory(options.work, options.megabytes * 1_000_000, "parts"),
        "one_file": measure_memory(options.work, ONE_FILE, "corpus.spacy"),
    }
    shutil.rmtree(options.work)
    write_result(options.output, called(), content)
    sys.stdout.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
