"""Requests per second of `spacy attn serve`, beside a loop of `nlp(text)`.

    python benchmarks/serve.py MODEL [MODEL …] --data test.spacy

Clients each send one text, wait for the answer and send the next, over connections that
stay open; they are coroutines of one process beside the service's. The loop reads the
same texts in this process, before and after, round after round; ratios are of one
round. Time is that of the clock, and other work on the machine slows both. Mean latency
is the number of clients divided by the requests a second: all of them always wait.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy
import spacy
from record import called, use_threads, write_result
from spacy.tokens import DocBin

RESULTS = Path(__file__).parent / "results"
START = 180.0  # seconds for a service to load its pipeline


def texts_of(path: Path) -> list[str]:
    """The sentences of documents, as texts."""
    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    sentences = (s.text for d in docs for s in (d.sents if has_sents(d) else [d]))
    return [text for text in sentences if text.strip()]


def has_sents(doc: Any) -> bool:
    """Whether a document knows its sentences."""
    return doc.has_annotation("SENT_START")


@contextmanager
def service(model: str, options: argparse.Namespace) -> Iterator[int]:
    """A running service; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*(sys.executable, "-m", "spacy", "attn", "serve", model)]
    command += ["--port", str(port), "--patience-ms", str(options.patience_ms)]
    command += ["--batch-size", str(options.batch_size)]
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        end = time.monotonic() + START
        while not answers(port):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the service of {model} does not start")
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Whether a service accepts connections and answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            return b" 200 " in connection.recv(100)
    except OSError:
        return False


def request(text: str) -> bytes:
    """A whole request for one text."""
    body = json.dumps({"text": text}).encode()
    head = f"POST /parse HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def client(port: int, requests: Iterator[bytes], took: list[float]) -> None:
    """Send requests one after the other until there are no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for each in requests:
        begin = time.perf_counter()
        writer.write(each)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"the service answers {head!r}")
        length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        took.append(time.perf_counter() - begin)
    writer.close()


async def attack(port: int, requests: list[bytes], clients: int) -> list[float]:
    """Seconds of each request, with so many clients at once."""
    took: list[float] = []
    shared = iter(requests)
    await asyncio.gather(*(client(port, shared, took) for _ in range(clients)))
    return took


def measure(model: str, texts: list[str], options: argparse.Namespace) -> list[dict]:
    """Requests a second and latencies, of each round; a first one is not counted."""
    nlp = spacy.load(model)
    requests = [request(text) for text in islice(cycle(texts), options.requests)]
    rows = []
    with service(model, options) as port:
        for number in range(options.rounds + 1):
            before = loop_rate(nlp, texts)
            begin = time.perf_counter()
            took = asyncio.run(attack(port, requests, options.clients))
            rate = len(took) / (time.perf_counter() - begin)
            loop = statistics.mean((before, loop_rate(nlp, texts)))
            p50, p99 = (1000 * numpy.quantile(took, q) for q in (0.5, 0.99))
            if number:
                rows.append({"loop": loop, "serve": rate, "p50_ms": p50, "p99_ms": p99})
    return rows


def loop_rate(nlp: Any, texts: list[str]) -> float:
    """Texts a second of a loop of `nlp(text)`."""
    gc.collect()
    begin = time.perf_counter()
    for text in texts:
        nlp(text)
    return len(texts) / (time.perf_counter() - begin)


def summary(model: str, rounds: list[dict]) -> dict[str, Any]:
    """Medians of the rounds, and the ratio with its range."""
    ratios = [each["serve"] / each["loop"] for each in rounds]
    medians = {k: round(statistics.median(r[k] for r in rounds), 1) for k in rounds[0]}
    names = ("ratio", "ratio_min", "ratio_max")
    values = (statistics.median(ratios), min(ratios), max(ratios))
    named = {name: round(v, 2) for name, v in zip(names, values, strict=True)}
    return {"model": model, **medians, **named}


def table(rows: list[dict]) -> str:
    """All models as Markdown."""
    lines = [
        "| model | nlp(text), texts/s | serve, requests/s | ratio | p50 | p99 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['loop']} | {row['serve']} | {row['ratio']} "
        f"({row['ratio_min']} to {row['ratio_max']}) | {row['p50_ms']} ms | "
        f"{row['p99_ms']} ms |"
        for row in rows
    ]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="pipeline: a folder or a package")
    add("--data", type=Path, required=True, help="documents, a .spacy file")
    add("--texts", type=int, default=256, help="different texts")
    add("--clients", type=int, default=64)
    add("--requests", type=int, default=2000, help="of each round")
    add("--rounds", type=int, default=5)
    add(
        "--threads", type=int, default=1, help="of PyTorch, in the loop and the service"
    )
    add("--patience-ms", type=float, default=5.0)
    add("--batch-size", type=int, default=64)
    add("--output", type=Path, default=RESULTS / "serve.json")
    return parser.parse_args()


def main() -> None:
    """Time the pipelines and write what was found."""
    options = parse()
    use_threads(options.threads)
    texts = texts_of(options.data)[: options.texts]
    rows = [summary(m, measure(m, texts, options)) for m in options.models]
    content = {
        "threads": options.threads,
        "clients": options.clients,
        "load_average": os.getloadavg()[0],
        "characters": round(statistics.mean(map(len, texts)), 1),
        "results": rows,
    }
    write_result(options.output, called(), content)
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
