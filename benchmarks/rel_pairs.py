"""Memory and time of `attn_rel` on documents with many entities, a process each.

    python benchmarks/rel_pairs.py

The component has its default model and random weights; documents are invented, with an
entity every tenth token. Without a limit every ordered pair of a document's entities
is scored; with `max_length` only those with so few tokens between them. Memory is the
peak of the process above what it held before, with the pipeline loaded and one small
document read. Times are those of the processor.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy
import spacy
from record import use_threads, write_result
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from tqdm import tqdm

from spacy_attnner.relations import Relation, get_relations, set_relations

RESULTS = Path(__file__).parent / "results"
TYPES = ("PER", "ORG", "LOC")
LABELS = ("Live_In", "Located_In", "Work_For", "OrgBased_In", "Kill")
EVERY = 10  # tokens to an entity
CASES = ((500, 0), (1000, 0), (2000, 0), (500, 64), (1000, 64), (2000, 64), (4000, 64))


def make_doc(nlp: Language, n_entities: int, seed: int = 0) -> Doc:
    """A document with so many entities of one or two tokens."""
    rng = numpy.random.default_rng(seed)
    words = [f"w{i}" for i in rng.integers(0, 5000, n_entities * EVERY).tolist()]
    doc = Doc(nlp.vocab, words=words)
    starts = range(0, len(doc), EVERY)
    doc.ents = [
        Span(doc, start, start + 1 + i % 2, TYPES[i % 3])
        for i, start in enumerate(starts)
    ]
    return doc


def make_pipeline(max_length: int) -> Language:
    """A pipeline of `attn_rel` alone, which finds few relations, but some."""
    nlp = spacy.blank("en")
    candidates = {
        "@misc": "spacy-attnner.CandidatePairs.v1",
        "max_length": max_length,
    }
    settings = {"get_candidates": candidates, "known_types_only": False}
    pipe = nlp.add_pipe("attn_rel", config=settings)
    example = make_example(nlp)
    nlp.initialize(lambda: [example])
    output = pipe.model.get_ref("output_layer")
    rng = numpy.random.default_rng(0)
    weights = rng.normal(0, 1, (len(LABELS), output.get_dim("nI")))
    output.set_param("W", weights.astype("float32"))
    output.set_param("b", numpy.full(len(LABELS), -2.0, dtype="float32"))
    return nlp


def make_example(nlp: Language) -> Example:
    """An example that has every label."""
    doc = make_doc(nlp, 10)
    reference = doc.copy()
    ents = list(reference.ents)
    set_relations(
        reference,
        [Relation(ents[i], ents[i + 1], label) for i, label in enumerate(LABELS)],
    )
    return Example(doc, reference)


def measure(n_entities: int, max_length: int) -> dict:
    """Score one document in this process."""
    nlp = make_pipeline(max_length)
    pipe = nlp.get_pipe("attn_rel")
    pipe(make_doc(nlp, 20))
    doc = make_doc(nlp, n_entities, seed=1)
    idle = peak()
    begin = time.process_time()
    pipe(doc)
    seconds = time.process_time() - begin
    return {
        "entities": n_entities,
        "max_length": max_length,
        "pairs": len(pipe.candidates(doc)),
        "relations": len(get_relations(doc)),
        "cpu_seconds": round(seconds, 2),
        "gib_above_idle": round(peak() - idle, 2),
    }


def peak() -> float:
    """Most memory that this process has held, GiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def main() -> None:
    """Measure every case in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", type=Path, default=RESULTS / "rel_pairs.json")
    add("--case", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    use_threads(1)
    if options.case:
        sys.stdout.write(json.dumps(measure(*options.case)))
        return
    rows = []
    for case in tqdm(CASES, desc="documents"):
        command = [sys.executable, __file__, "--case", *map(str, case)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        output = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        rows.append(json.loads(output))
        tqdm.write(json.dumps(rows[-1]))
    write_result(options.output, "python benchmarks/rel_pairs.py", {"rows": rows})


if __name__ == "__main__":
    main()
