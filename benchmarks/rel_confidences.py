"""What relations gain from how sure the recognizer is of their entities.

    python benchmarks/rel_confidences.py MODEL [MODEL ...] --corpus corpus/rel

Scores the same trained pipelines with and without the `threshold` of `attn_ner` and the
`entity_confidence` of `attn_rel`, and says how far the scores of relations can be
believed: their expected calibration error, and how many of those with a score of at
least 0.9 are strictly right.
"""

import argparse
import itertools
import statistics
import sys
from pathlib import Path

import spacy
from record import use_threads, write_result
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Corpus
from tqdm import tqdm

from spacy_attnner.confidence.reliability import measure_reliability
from spacy_attnner.relations import get_relations
from spacy_attnner.relations.relation import span_key
from spacy_attnner.scoring import score_relations

RESULTS = Path(__file__).parent / "results"
HIGH = 0.9  # score
THRESHOLD = 0.5  # of attn_ner


def triples(doc: Doc) -> dict[tuple, float]:
    """A document's relations, as they are told apart strictly, and their scores."""
    return {
        (span_key(relation.head), span_key(relation.tail), relation.label): (
            relation.score
        )
        for relation in get_relations(doc)
    }


def row_of(nlp: Language, data: Path) -> dict[str, float]:
    """Scores in percent on one split."""
    examples = list(Corpus(data)(nlp))
    for example in examples:
        example.predicted = nlp(example.predicted)
    scores = Scorer.score_spans(examples, "ents") | score_relations(examples)
    believed, right, n_gold = [], [], 0
    for example in examples:
        gold = triples(example.reference)
        n_gold += len(gold)
        for triple, score in triples(example.predicted).items():
            believed.append(score)
            right.append(triple in gold)
    found = measure_reliability(believed, right, n_gold=n_gold, thresholds=[HIGH])
    high = found.thresholds[0]
    return {
        "entities": round(100 * scores["ents_f"], 2),
        "strict": round(100 * scores["rel_f"], 2),
        "ece": round(100 * found.ece, 2),
        f"kept at {HIGH}": round(100 * high.kept, 2),
        f"right at {HIGH}": round(100 * (high.precision or 0.0), 2),
    }


def rows_of(model: str, corpus: Path, splits: list[str]) -> list[dict]:
    """All settings of one pipeline."""
    nlp = spacy.load(model)
    settings = itertools.product((0.0, THRESHOLD), (False, True), splits)
    rows = []
    for threshold, counted, split in settings:
        nlp.get_pipe("attn_ner").threshold = threshold
        nlp.get_pipe("attn_rel").cfg["entity_confidence"] = counted
        row = {"threshold": threshold, "entity_confidence": counted, "split": split}
        rows.append({"model": Path(model).name, **row})
        rows[-1] |= row_of(nlp, corpus / f"{split}.spacy")
    return rows


def table(rows: list[dict]) -> str:
    """Means over the pipelines as a Markdown table."""
    setting = ("threshold", "entity_confidence", "split")
    columns = [key for key in rows[0] if key not in ("model", *setting)]
    lines = [
        "| " + " | ".join([*setting, *columns]) + " |",
        "|---" * (len(setting) + len(columns)) + "|",
    ]
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in setting), []).append(row)
    for key, group in groups.items():
        means = [f"{statistics.mean(row[c] for row in group):.1f}" for c in columns]
        lines.append("| " + " | ".join([*map(str, key), *means]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, score and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="trained with configs/rel.cfg")
    add("--corpus", type=Path, required=True, help="folder of {dev,test}.spacy")
    add("--output", type=Path, default=RESULTS / "rel_confidences.json")
    options = parser.parse_args()
    use_threads(1)
    rows = [
        row
        for model in tqdm(options.models, desc="pipelines")
        for row in rows_of(model, options.corpus, ["dev", "test"])
    ]
    command = "python benchmarks/rel_confidences.py MODEL ... --corpus corpus/rel"
    write_result(options.output, command, {"rows": rows})
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
