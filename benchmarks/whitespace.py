"""What whitespace tokens cost: F1 with doubled gaps and with line breaks in some.

    python benchmarks/whitespace.py MODEL --data test.spacy [--sentences]

Every document is scored as it is, with a whitespace token in every gap between words,
and with a line break in a tenth of the gaps.
"""

import argparse
import random
import shlex
import sys
from pathlib import Path
from typing import Any

import spacy
from record import use_threads, write_result
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from tqdm import tqdm

from spacy_attnner.relations import (
    Relation,
    get_relations,
    has_relations,
    set_relations,
)

RESULTS = Path(__file__).parent / "results"
SHARES = {"as it is": 0.0, "every gap doubled": 1.0, "line breaks in a tenth": 0.1}
SCORES = ("ents_f", "rel_f", "rel_gold_ents_f", "cats_score")


def spaced(doc: Doc, share: float, token: str, rng: random.Random) -> Doc:
    """A copy with a whitespace token in a share of the gaps between words.

    A space that is doubled stays behind its word, a line break stands in its place.
    """
    words: list[str] = []
    spaces: list[bool] = []
    starts: list[bool] = []
    places = []
    for word in doc:
        places.append(len(words))
        gap = word.i + 1 < len(doc) and (word.whitespace_ or doc.has_unknown_spaces)
        adds = bool(gap) and rng.random() < share
        words += [word.text, token] if adds else [word.text]
        starts += (
            [bool(word.is_sent_start), False] if adds else [bool(word.is_sent_start)]
        )
        spaces += [token == " ", False] if adds else [bool(gap)]
    known = doc.has_annotation("SENT_START")
    copy = Doc(
        doc.vocab, words=words, spaces=spaces, sent_starts=starts if known else None
    )

    def moved(span: Span) -> Span:
        return Span(copy, places[span.start], places[span.end - 1] + 1, span.label_)

    if doc.has_annotation("ENT_IOB"):
        copy.set_ents([moved(ent) for ent in doc.ents], default="outside")
    if has_relations(doc):
        found = get_relations(doc)
        own = [Relation(moved(r.head), moved(r.tail), r.label) for r in found]
        set_relations(copy, own)
    copy.cats = dict(doc.cats)
    return copy


def example(reference: Doc, *, sentences: bool) -> Example:
    """A reference and the same tokens without annotation."""
    starts = [bool(token.is_sent_start) for token in reference]
    predicted = Doc(
        reference.vocab,
        words=[token.text for token in reference],
        spaces=[bool(token.whitespace_) for token in reference],
        sent_starts=starts if sentences else None,
    )
    return Example(predicted, reference)


def measure(nlp: Language, docs: list[Doc], *, sentences: bool) -> dict[str, Any]:
    """Scores in percent for each kind of whitespace."""
    rows = {}
    for name, share in tqdm(SHARES.items(), unit=" kinds"):
        rng = random.Random(0)
        token = "\n" if share < 1.0 else " "
        references = [spaced(doc, share, token, rng) for doc in docs]
        scores = nlp.evaluate([example(doc, sentences=sentences) for doc in references])
        rows[name] = {
            key: round(100 * scores[key], 2)
            for key in SCORES
            if scores.get(key) is not None
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="+", help="folders of pipelines")
    parser.add_argument("--data", required=True, help="annotated documents")
    parser.add_argument("--sentences", action="store_true", help="gold sentence starts")
    parser.add_argument("--output", type=Path, default=RESULTS / "whitespace.json")
    args = parser.parse_args()
    use_threads(1)
    rows = {}
    for model in args.model:
        nlp = spacy.load(model)
        docs = list(DocBin().from_disk(args.data).get_docs(nlp.vocab))
        rows[model] = measure(nlp, docs, sentences=args.sentences)
        print(model, *(f"\n  {name}: {found}" for name, found in rows[model].items()))
    command = shlex.join(["python", *sys.argv])
    write_result(args.output, command, {"rows": rows})


if __name__ == "__main__":
    main()
