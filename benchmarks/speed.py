"""Words per second of pipelines, one beside the other in one process.

    python benchmarks/speed.py BASELINE MODEL [MODEL …] --data test.spacy

Every pipeline reads the same documents in turn, round after round, in three ways: words
given ("words"), words and sentence starts given ("sentences"), and raw text, tokenized
on the way ("text"); where it is asked for also every sentence as a raw text of its own,
many at once ("sentence texts") and by `nlp(text)` ("nlp(sentence)"), and the same words
as raw texts of 1 to 5,000 words ("mixed lengths") and as equally many of one length
("one length"). "A+B" is two pipelines that read all documents one after the other. With
one thread, time is that of the processor, which other work on the machine hardly
changes. Ratios are to the first pipeline and of the same round.
"""

import argparse
import gc
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import spacy
from record import called, use_threads, write_result
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from tqdm import tqdm

RESULTS = Path(__file__).parent / "results"
LENGTHS = ("mixed lengths", "one length")
SINGLE = "nlp(sentence)"
SENTENCES = ("sentence texts", SINGLE)
WAYS = ("words", "sentences", "text", *SENTENCES, *LENGTHS)
LONGEST = 5000  # words, of mixed lengths


def mixed_lengths(total: int) -> list[int]:
    """Lengths that add up to a total, their logarithms uniform."""
    draw = random.Random(0)
    lengths = []
    while (left := total - sum(lengths)) > 0:
        length = round(math.exp(draw.uniform(0, math.log(LONGEST))))
        lengths.append(min(length, left))
    return lengths


def texts_of(way: str, docs: list[Doc]) -> list[str]:
    """The words of all documents as texts of other lengths."""
    words = [token.text for doc in docs for token in doc]
    lengths = mixed_lengths(len(words))
    if way == "one length":
        n_long = len(words) % len(lengths)
        lengths = [
            len(words) // len(lengths) + (number < n_long)
            for number in range(len(lengths))
        ]
    ordered = iter(words)
    return [" ".join(islice(ordered, length)) for length in lengths]


def inputs(way: str, nlp: Language, docs: list[Doc]) -> list:
    """Documents without annotation, or texts, fresh for one round."""
    if way == "text":
        return [doc.text for doc in docs]
    if way in LENGTHS:
        return texts_of(way, docs)
    if way in SENTENCES:
        return [sentence.text for doc in docs for sentence in doc.sents]
    return [
        Doc(
            nlp.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
            sent_starts=(
                [token.is_sent_start is True for token in doc]
                if way == "sentences"
                else None
            ),
        )
        for doc in docs
    ]


def seconds(
    way: str, nlp: Language, docs: list[Doc], size: int, clock: Callable[[], float]
) -> float:
    """Time that a pipeline takes for all documents."""
    batch = inputs(way, nlp, docs)
    gc.collect()
    begin = clock()
    for _ in map(nlp, batch) if way == SINGLE else nlp.pipe(batch, batch_size=size):
        pass
    return clock() - begin


def measure(
    pipelines: dict[str, list[Language]], docs: list[Doc], options: argparse.Namespace
) -> dict[str, dict[str, list[float]]]:
    """Seconds of each round, by way and pipeline; a first round is not counted."""
    clock = time.process_time if options.threads == 1 else time.perf_counter
    times: dict[str, dict[str, list[float]]] = {
        way: {name: [] for name in pipelines} for way in options.ways
    }
    total = (options.rounds + 1) * len(options.ways) * len(pipelines)
    with tqdm(total=total, desc="passes") as progress:
        for number in range(options.rounds + 1):
            # there and back, so that no pipeline always comes first
            names = list(pipelines)[:: -1 if number % 2 else 1]
            for way in options.ways:
                for name in names:
                    took = sum(
                        seconds(way, nlp, docs, options.batch_size, clock)
                        for nlp in pipelines[name]
                    )
                    if number:
                        times[way][name].append(took)
                    progress.update()
    return times


def summary(times: dict[str, list[float]], n_words: int) -> list[dict]:
    """Median speed of each pipeline and its ratio to the first."""
    first = next(iter(times.values()))
    rows = []
    for name, own in times.items():
        ratios = [base / each for base, each in zip(first, own, strict=True)]
        rows.append(
            {
                "model": name,
                "words_per_second": round(n_words / statistics.median(own)),
                "ratio": round(statistics.median(ratios), 3),
                "ratio_min": round(min(ratios), 3),
                "ratio_max": round(max(ratios), 3),
            }
        )
    return rows


def table(results: dict[str, list[dict]]) -> str:
    """All ways and pipelines as Markdown."""
    lines = [
        "| input | model | words/s | ratio | min | max |",
        "|---|---|---|---|---|---|",
    ]
    for way, rows in results.items():
        lines += [
            f"| {way} | {row['model']} | {row['words_per_second']:,} | "
            f"{row['ratio']:.2f} | {row['ratio_min']:.2f} | {row['ratio_max']:.2f} |"
            for row in rows
        ]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="folder or package, A+B: several")
    add("--data", type=Path, required=True, help="documents, a .spacy file")
    add("--rounds", type=int, default=7)
    add("--threads", type=int, default=1)
    add("--batch-size", type=int, default=256, help="documents in a batch")
    add("--ways", nargs="+", default=list(WAYS[:3]), choices=WAYS)
    add("--output", type=Path, default=RESULTS / "speed.json")
    return parser.parse_args()


def main() -> None:
    """Time the pipelines and write what was found."""
    options = parse()
    use_threads(options.threads)
    pipelines = {
        name: [spacy.load(each) for each in name.split("+")] for name in options.models
    }
    docs = list(DocBin().from_disk(options.data).get_docs(spacy.blank("en").vocab))
    n_words = sum(map(len, docs))
    times = measure(pipelines, docs, options)
    results = {way: summary(own, n_words) for way, own in times.items()}
    content = {
        "threads": options.threads,
        "documents": len(docs),
        "words": n_words,
        "results": results,
    }
    write_result(options.output, called(), content)
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
