"""Where the time of `attn_ner` goes: one sentence at a time, and in batches.

    python benchmarks/speed_profile.py MODEL [MODEL …] --data test.spacy --texts 400

Sentences are read as raw text, by `nlp(text)` and by `nlp.pipe`. A part that runs in
another is not counted there. Time is the thread's, the median over texts or batches of
rounds in which pipelines take turns; a first round, after which characters of words are
remembered as they are of words seen lately, is not counted.
"""

import argparse
import shlex
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import spacy
from record import use_threads, write_result
from spacy.language import Language
from spacy.tokens import DocBin
from tqdm import tqdm

from spacy_attnner.models.batch import Batch
from spacy_attnner.pipeline import ner

RESULTS = Path(__file__).parent / "results"
LAYERS = {
    "character_cnn": "features: characters",
    "attention_encoder": "encoder",
    "document_context": "document context",
}
REST, WHOLE = "the rest of Python", "together, without clocks"
PARTS = ("tokenizing", "features: layout", "features: words", *LAYERS.values())
ROWS = (*PARTS, "emissions", "decoding", "annotations", REST, WHOLE)


class Clocks:
    """Seconds of each part, without those of parts that run within it."""

    def __init__(self) -> None:
        self.running = False
        self.spent: dict[str, float] = defaultdict(float)
        self._within = [0.0]

    def around(self, part: str, function: Callable) -> Callable:
        """The function, which counts for a part from now on."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if not self.running:
                return function(*args, **kwargs)
            self._within.append(0.0)
            start = time.thread_time()
            result = function(*args, **kwargs)
            took = time.thread_time() - start
            self.spent[part] += took - self._within.pop()
            self._within[-1] += took
            return result

        return timed

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Let a function that has a name somewhere count for a part."""
        setattr(owner, name, self.around(part, getattr(owner, name)))

    def watched(self, nlp: Language) -> Language:
        """A pipeline whose layers and components count for parts."""
        self.watch(nlp, "tokenizer", "tokenizing")
        for _, pipe in nlp.pipeline:
            if isinstance(pipe, ner.AttnNER):
                self.watch(pipe, "set_annotations", "annotations")
                self.watch(pipe.model.get_ref("output_layer"), "_func", "emissions")
            for node in pipe.model.walk() if hasattr(pipe, "model") else ():
                if node.name in LAYERS:
                    self.watch(node, "_func", LAYERS[node.name])
                elif node.name == "with_structure(attention_encoder)":
                    self.watch(node.layers[0], "_func", "features: words")
        return nlp


def measure(
    nlps: dict[str, Language], texts: list[str], n: int, rounds: int, clocks: Clocks
) -> dict[str, dict[str, float]]:
    """Microseconds a sentence of each part, by pipeline; batches of n, 1 for `nlp`."""

    def read(nlp: Language, batch: list[str]) -> Any:
        return nlp(*batch) if n == 1 else list(nlp.pipe(batch, batch_size=n))

    times = {name: {row: [] for row in ROWS} for name in nlps}
    timed_read = clocks.around(REST, read)
    batches = [texts[i : i + n] for i in range(0, len(texts), n)]
    for number in tqdm(range(rounds + 1), desc="rounds"):
        turns = list(nlps.items())[:: -1 if number % 2 else 1]
        for batch, (name, nlp) in product(batches, turns):
            start = time.thread_time()
            read(nlp, batch)
            clocks.spent.clear()
            clocks.spent[WHOLE] = time.thread_time() - start
            clocks.running = True
            timed_read(nlp, batch)
            clocks.running = False
            for row in ROWS if number else ():
                times[name][row].append(1e6 * clocks.spent[row] / len(batch))
    return {
        name: {row: round(statistics.median(own[row]), 1) for row in ROWS}
        for name, own in times.items()
    }


def main() -> None:
    """Take the pipelines apart and write what was found."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="pipeline: a folder or a package")
    add("--data", type=Path, required=True, help="sentences, a .spacy file")
    add("--texts", type=int, default=400, help="sentences to read")
    add("--batch-size", type=int, default=100, help="sentences in a batch")
    add("--rounds", type=int, default=7)
    add("--output", type=Path, default=RESULTS / "speed_profile.json")
    options = parser.parse_args()
    use_threads(1)
    clocks = Clocks()
    for value in vars(Batch).values():
        if isinstance(value, cached_property):
            clocks.watch(value, "func", "features: layout")
    clocks.watch(ner, "crf_decode", "decoding")
    nlps = {name: clocks.watched(spacy.load(name)) for name in options.models}
    docs = DocBin().from_disk(options.data).get_docs(spacy.blank("en").vocab)
    texts = [sentence.text for doc in docs for sentence in doc.sents]
    texts = texts[:: max(1, len(texts) // options.texts)][: options.texts]
    columns: dict[str, dict[str, float]] = {}
    for way, n in (("`nlp`", 1), ("`nlp.pipe`", options.batch_size)):
        found = measure(nlps, texts, n, options.rounds, clocks)
        columns |= {f"{name}, {way}": own for name, own in found.items()}
    content = {"sentences": len(texts), "microseconds": columns}
    write_result(options.output, shlex.join(["python", *sys.argv]), content)
    rows = [["µs a sentence", *columns], ["---"] * (1 + len(columns))]
    rows += [[row, *(f"{own[row]:,.0f}" for own in columns.values())] for row in ROWS]
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
