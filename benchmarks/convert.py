"""Speed and memory of `spacy attn convert`, `export` and `data`.

    python benchmarks/convert.py --work DIR --megabytes 1000

Texts are invented. Documents a second are those of a BRAT folder (237 tokens, 20
entities and 10 relations a document), by the time of the processor, in this process.
The memory is that of a command, the highest resident set in each tenth of its time:
JSONL and one array become a folder of parts, which is exported as JSONL and looked
over, and a small corpus one file.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from record import called, write_result
from scale import RESULTS, resident

from spacy_attnner.corpora.conversion import convert

NAMES = ("Ada Byron", "Bo Cy", "Dora", "Emil Fox")
TOWNS = ("Oslo", "Bergen", "Turku", "Lund")
N_SENTENCES = 10  # of a document
N_WORDS = 8  # before and after the town in a sentence
SYLLABLES = ("ba", "de", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu")
VOCABULARY = ["".join(word) for word in itertools.product(SYLLABLES, repeat=4)]
ONE_FILE = 10_000_000  # bytes


def make_document(draw: random.Random) -> tuple[str, list[tuple[int, int, str]]]:
    """A text and its entities, two a sentence."""
    text = ""
    spans = []
    for _ in range(N_SENTENCES):
        name, town = draw.choice(NAMES), draw.choice(TOWNS)
        before, after = (" ".join(draw.choices(VOCABULARY, k=N_WORDS)) for _ in "ab")
        sentence = f"{name} left {before} {town} {after}. "
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


def measure(output: Path, *args: str | Path) -> dict[str, object]:
    """Time and memory of a command of `spacy attn`, which writes something."""
    command = [sys.executable, "-m", "spacy", "attn", *map(str, args)]
    found: list[int] = []
    begin = os.times().children_user
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        found.append(resident(process.pid))
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    tenths = [
        found[len(found) * i // 10 : len(found) * (i + 1) // 10] for i in range(10)
    ]
    files = list(output.glob("*.spacy")) if output.is_dir() else [output]
    return {
        "seconds": os.times().children_user - begin,
        "mib_by_tenth": [round(max(each, default=0) / 2**20) for each in tenths],
        "files": len(files),
        "bytes_written": sum(each.stat().st_size for each in files),
    }


def as_array(path: Path) -> Path:
    """The same documents as one array, on one line."""
    array = path.with_suffix(".json")
    with path.open() as lines, array.open("w") as file:
        for i, line in enumerate(lines):
            file.write(("," if i else "[") + line.rstrip())
        file.write("]")
    return array


def measure_large(work: Path, n_bytes: int) -> dict[str, object]:
    """From lines and from an array to parts, back to lines, and looked over."""
    lines, parts, again = work / "corpus.jsonl", work / "parts", work / "again.jsonl"
    write_jsonl(lines, n_bytes)
    array = as_array(lines)
    page = work / "data.json"
    return {
        "bytes": n_bytes,
        "convert_lines": measure(parts, "convert", lines, parts),
        "convert_array": measure(parts, "convert", array, parts),
        "export": measure(again, "export", parts, again, "-f", "jsonl"),
        "data": measure(page, "data", parts, "--json", page),
    }


def table(content: dict[str, Any]) -> str:
    """The results for people."""
    brat, large = content["brat"], content["large"]
    rows = [
        "# `spacy attn convert`, `export` and `data`",
        "",
        f"BRAT: {brat['per_second']:.0f} documents a second of processor time.",
        "",
        f"Documents of {large['bytes'] / 1e6:,.0f} MB of JSONL; memory (MiB) is the "
        "highest resident set in each tenth of the time.",
        "",
        "| command | seconds of processor time | memory |",
        "|---|---|---|",
    ]
    for name, found in {**large, "one file": content["one_file"]}.items():
        if name != "bytes":
            memory = " ".join(map(str, found["mib_by_tenth"]))
            rows.append(f"| {name} | {found['seconds']:.0f} | {memory} |")
    what = f"`one file` is {ONE_FILE / 1e6:.0f} MB of JSONL as one .spacy file."
    return "\n".join([*rows, "", what, ""])


def measure_one_file(work: Path) -> dict[str, object]:
    """A small corpus, held until its only file is written."""
    lines, output = work / "small.jsonl", work / "small.spacy"
    write_jsonl(lines, ONE_FILE)
    return measure(output, "convert", lines, output)


def main() -> None:
    """Measure all."""
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
        "large": measure_large(options.work, options.megabytes * 1_000_000),
        "one_file": measure_one_file(options.work),
    }
    shutil.rmtree(options.work)
    write_result(options.output, called(), content)
    options.output.with_suffix(".md").write_text(table(content))
    sys.stdout.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
