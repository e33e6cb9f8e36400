"""Where the time of pipelines goes: one sentence at a time, and in batches.

    python benchmarks/speed_profile.py MODEL [MODEL …] --data test.spacy --texts 400

With `--device` instead: how often a prediction of a batch launches a kernel, copies
between host and GPU and waits for it, counted on the pretended device of the tests.
(It is not named `profile.py`, as a module is that Python itself imports.)

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
from itertools import islice, product
from pathlib import Path
from typing import Any

import spacy
from record import use_threads, write_result
from spacy.language import Language
from spacy.tokens import DocBin
from tqdm import tqdm

from spacy_attnner.models import chains, word_layers
from spacy_attnner.models.batch import Batch
from spacy_attnner.pipeline import ner
from spacy_attnner.pipeline.component import Component

RESULTS = Path(__file__).parent / "results"
LAYERS = {
    "character_cnn": "features: characters",
    "attention_encoder": "encoder",
    "document_context": "document context",
}
REST, WHOLE = "the rest of Python", "together, without clocks"
PARTS = ("tokenizing", "features: layout", "features: words", *LAYERS.values())
ROWS = (*PARTS, "emissions", "decoding")


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
        for name, pipe in nlp.pipeline:
            if isinstance(pipe, Component):
                self.watch(pipe, "set_annotations", f"{name}: annotations")
                self.watch(pipe, "predict", f"{name}: the rest of its prediction")
            for node in pipe.model.walk() if hasattr(pipe, "model") else ():
                if node.name in LAYERS:
                    self.watch(node, "_func", LAYERS[node.name])
                elif node.name.startswith("tokenwise("):
                    self.watch(node, "_func", "emissions")
        return nlp


def measure(
    nlps: dict[str, Language], texts: list[str], n: int, rounds: int, clocks: Clocks
) -> dict[str, dict[str, float]]:
    """Microseconds a sentence of each part, by pipeline; batches of n, 1 for `nlp`."""

    def read(nlp: Language, batch: list[str]) -> Any:
        return nlp(*batch) if n == 1 else list(nlp.pipe(batch, batch_size=n))

    times: dict[str, dict[str, list[float]]]
    times = {name: defaultdict(list) for name in nlps}
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
            for row, spent in clocks.spent.items() if number else ():
                times[name][row].append(1e6 * spent / len(batch))
    return {
        name: {row: round(statistics.median(own[row]), 1) for row in own}
        for name, own in times.items()
    }


def in_order(columns: dict[str, dict[str, float]]) -> list[str]:
    """All parts that were found, as a pipeline runs them."""
    found = {row: None for own in columns.values() for row in own}
    middle = [row for row in found if row not in (*ROWS, REST, WHOLE)]
    return [*(row for row in ROWS if row in found), *sorted(middle), REST, WHOLE]


def count_on_device(names: list[str], texts: list[str], n: int) -> dict[str, Any]:
    """Kernels, copies and waits of each component's prediction of n texts."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from pretend_device import counted, pretend_gpu

    found: dict[str, Any] = {}
    with pretend_gpu():
        for name in names:
            nlp = spacy.load(name)
            docs = [nlp.make_doc(text) for text in islice(texts, n)]
            for component, pipe in nlp.pipeline:
                pipe.predict(docs)  # what is remembered of the weights
                with counted() as counts:
                    scores = pipe.predict(docs)
                pipe.set_annotations(docs, scores)
                found[f"{name}, {component}"] = vars(counts)
    return found


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
    add("--device", action="store_true", help="count what a GPU would be asked for")
    add("--output", type=Path, default=RESULTS / "speed_profile.json")
    options = parser.parse_args()
    use_threads(1)
    docs = DocBin().from_disk(options.data).get_docs(spacy.blank("en").vocab)
    texts = [sentence.text for doc in docs for sentence in doc.sents]
    if options.device:
        counts = count_on_device(options.models, texts, options.batch_size)
        for name, own in counts.items():
            sys.stdout.write(f"{name}: {own}\n")
        return
    texts = texts[:: max(1, len(texts) // options.texts)][: options.texts]
    profile(options, texts)


def profile(options: argparse.Namespace, texts: list[str]) -> None:
    """Time all parts, and write what was found."""
    clocks = Clocks()
    for value in vars(Batch).values():
        if isinstance(value, cached_property):
            clocks.watch(value, "func", "features: layout")
    clocks.watch(ner, "crf_decode", "decoding")
    for module in (chains, word_layers):
        clocks.watch(module, "rows_of_distinct", "features: words")
    nlps = {name: clocks.watched(spacy.load(name)) for name in options.models}
    columns: dict[str, dict[str, float]] = {}
    for way, n in (("`nlp`", 1), ("`nlp.pipe`", options.batch_size)):
        found = measure(nlps, texts, n, options.rounds, clocks)
        columns |= {f"{name}, {way}": own for name, own in found.items()}
    content = {"sentences": len(texts), "microseconds": columns}
    write_result(options.output, shlex.join(["python", *sys.argv]), content)
    lines = [["µs a sentence", *columns], ["---"] * (1 + len(columns))]
    for row in in_order(columns):
        lines.append([row, *(f"{own.get(row, 0):,.0f}" for own in columns.values())])
    sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
