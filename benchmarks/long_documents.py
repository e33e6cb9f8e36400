"""Memory and time of configs/ner.cfg on long documents, each in a process of its own.

    python benchmarks/long_documents.py --vectors vectors

The pipeline is trained for a moment on an invented corpus, so that it finds entities;
the documents are invented too: their words are drawn from the vectors' and from made-up
names, with and without sentence starts. Times are those of the processor, the least of
several runs, in which the sizes take turns; memory is the peak of the whole process,
which holds Python, the vectors and the document as well.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import spacy
import torch
from record import write_result
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SYLLABLES = [a + b for a in "bdfgklmnprstv" for b in ("a", "e", "i", "o", "u", "an")]
SHARE_OF_NAMES = 0.15
SENTENCE = 25  # tokens, on average
TOKENS_A_RUN = 100_000  # small documents are repeated up to it
UPDATES = 60


def make_names(rng: numpy.random.Generator, n: int) -> list[str]:
    """Draw capitalized words out of three or four syllables."""
    drawn = rng.choice(SYLLABLES, (n, 4))
    lengths = rng.integers(3, 5, n)
    pairs = zip(drawn.tolist(), lengths.tolist(), strict=True)
    return ["".join(word[:length]).capitalize() for word, length in pairs]


def make_words(nlp: Language, n: int, rng: numpy.random.Generator) -> list[str]:
    """Draw words of the vectors, the frequent first ones more often, and names."""
    keys = list(nlp.vocab.vectors.keys())
    ranks = (len(keys) ** rng.random(n)).astype(int) - 1  # Zipf's law
    words = [nlp.vocab.strings[keys[rank]] for rank in ranks.tolist()]
    places = numpy.flatnonzero(rng.random(n) < SHARE_OF_NAMES).tolist()
    for place, name in zip(places, make_names(rng, len(places)), strict=True):
        words[place] = name
    return words


def make_doc(nlp: Language, n: int, sentences: bool, seed: int) -> Doc:
    """A document of n tokens."""
    rng = numpy.random.default_rng(seed)
    words = make_words(nlp, n, rng)
    starts = (rng.random(n) < 1 / SENTENCE).tolist() if sentences else None
    return Doc(nlp.vocab, words=words, sent_starts=starts)


def make_example(nlp: Language, seed: int) -> Example:
    """Sentences whose runs of names are entities, of a type that their length says."""
    doc = make_doc(nlp, 100, sentences=True, seed=seed)
    ents, begin = [], None
    for i in range(len(doc) + 1):
        inside = i < len(doc) and doc[i].is_title
        if begin is not None and (not inside or doc[i].is_sent_start):
            label = ["LOC", "PER", "ORG"][min(i - begin, 3) - 1]
            ents.append(Span(doc, begin, i, label))
            begin = None
        if inside and begin is None:
            begin = i
    reference = doc.copy()
    reference.set_ents([Span(reference, e.start, e.end, e.label) for e in ents])
    return Example(doc, reference)


def build(config_path: Path, vectors: str, target: Path) -> None:
    """Initialize a pipeline, train it for a moment and write it to disk."""
    overrides = {"paths.vectors": vectors}
    config = load_config(config_path, overrides=overrides, interpolate=True)
    nlp = load_model_from_config(config, auto_fill=True)
    sgd = nlp.initialize(lambda: [make_example(nlp, seed) for seed in range(10)])
    examples = [make_example(nlp, seed) for seed in range(40)]
    sgd.learn_rate = 0.003
    for i in range(UPDATES):
        nlp.update([examples[(5 * i + j) % 40] for j in range(5)], sgd=sgd, drop=0.1)
    nlp.to_disk(target)


def measure(model: Path, n: int, sentences: bool) -> dict[str, float]:
    """Run the pipeline on documents of n tokens in this process."""
    nlp = spacy.load(model)
    nlp(make_doc(nlp, 1000, sentences, seed=0))
    idle = peak()
    n_docs = max(1, TOKENS_A_RUN // n)
    wall = cpu = n_ents = 0
    for seed in range(1, n_docs + 1):
        doc = make_doc(nlp, n, sentences, seed)
        begin = time.perf_counter(), time.process_time()
        doc = nlp(doc)
        wall += time.perf_counter() - begin[0]
        cpu += time.process_time() - begin[1]
        n_ents += len(doc.ents)
    return {
        "wall_us_per_token": 1e6 * wall / (n * n_docs),
        "cpu_us_per_token": 1e6 * cpu / (n * n_docs),
        "peak_gib": peak(),
        "idle_gib": idle,
        "entities": n_ents / n_docs,
    }


def peak() -> float:
    """Most memory that this process has held, GiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def in_a_process(*arguments: object) -> str:
    """Call this script again; returns what it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def run_all(options: argparse.Namespace, model: Path) -> list[dict]:
    """Measure all sizes, which take turns."""
    cases = [(n, s) for s in (True, False) for n in options.sizes]
    runs: dict[tuple[int, bool], list[dict]] = {case: [] for case in cases}
    with tqdm(total=options.repeats * len(cases), desc="runs") as progress:
        for _ in range(options.repeats):
            for n, sentences in cases:
                output = in_a_process(
                    "--model", model, "--measure", n, *["--sentences"] * sentences
                )
                runs[n, sentences].append(json.loads(output))
                progress.update()
    rows = []
    for (n, sentences), own in runs.items():
        least = {key: min(run[key] for run in own) for key in own[0]}
        least["peak_gib"] = max(run["peak_gib"] for run in own)
        rows.append({"tokens": n, "sentence_starts": sentences, **least})
    for row in rows:
        first = next(r for r in rows if r["sentence_starts"] == row["sentence_starts"])
        row["ratio"] = row["cpu_us_per_token"] / first["cpu_us_per_token"]
    return [
        {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]


def table(rows: list[dict]) -> str:
    """Results as Markdown."""
    lines = [
        "| tokens | sentence starts | µs/token | times the smallest | peak GiB |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        starts = "yes" if row["sentence_starts"] else "no"
        lines.append(
            f"| {row['tokens']:,} | {starts} | {row['cpu_us_per_token']:.0f} | "
            f"{row['ratio']:.2f} | {row['peak_gib']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--vectors", help="pipeline with static vectors")
    add("--model", type=Path, help="a trained pipeline to measure instead")
    add("--config", type=Path, default=ROOT / "configs" / "ner.cfg")
    add("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    add("--repeats", type=int, default=3)
    add("--output", type=Path, default=RESULTS / "long_documents.json")
    add("--build", type=Path, help=argparse.SUPPRESS)
    add("--measure", type=int, help=argparse.SUPPRESS)
    add("--sentences", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.vectors is None and options.model is None:
        parser.error("give --vectors or --model")
    torch.set_num_threads(1)
    if options.build:
        build(options.config, options.vectors, options.build)
        return
    if options.measure:
        result = measure(options.model, options.measure, options.sentences)
        sys.stdout.write(json.dumps(result))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or Path(folder) / "model"
        if options.model is None:
            in_a_process(
                "--vectors",
                options.vectors,
                "--config",
                options.config,
                "--build",
                model,
            )
        rows = run_all(options, model)
    command = (
        "python benchmarks/long_documents.py --vectors vectors "
        f"--repeats {options.repeats}"
    )
    content = {"config": options.config.name, "threads": 1, "rows": rows}
    write_result(options.output, command, content)
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
