"""The relation extractor of spaCy's video tutorial, beside `configs/rel.cfg`.

    python benchmarks/rel_tutorial.py --corpus corpus/rel --vectors vectors --keep DIR

It is trained on gold entities, as the tutorial does, with the static vectors; entities
come from spaCy's own recognizer, trained on the same documents. All scores are those of
`spacy-attnner.relation_scorer.v1`: entity F1; F1 of relations end to end, strict and of
boundaries; and of relations between gold entities.

Pipelines that were trained are kept in the folder --keep and not trained again.
"""

import argparse
import statistics
import sys
from pathlib import Path

import spacy
from record import write_result
from relations import score  # importing it registers the tutorial's component
from spacy.language import Language
from tqdm import tqdm
from trainings import spacy_train

FOLDER = Path(__file__).parent


def train(config: str, seed: int, options: argparse.Namespace) -> Language:
    """The best pipeline of a config, trained if that was not done."""
    kept = options.keep / f"{config}-{seed}"
    if not (kept / "model-best").exists():
        kept.mkdir(exist_ok=True)
        spacy_train(
            FOLDER / "configs" / f"{config}.cfg",
            kept,
            train=options.corpus / "train.spacy",
            dev=options.corpus / "dev.spacy",
            vectors=options.vectors,
            seed=seed,
            code=FOLDER / "rel_ideas.py",
        )
    return spacy.load(kept / "model-best")


def together(relations: Language, entities: Language) -> Language:
    """The recognizer and its encoder before the relation extractor and its own."""
    entities.replace_listeners("tok2vec", "ner", ["model.tok2vec"])
    relations.add_pipe("ner", source=entities, first=True)
    return relations


def main() -> None:
    """Parse the command line, train and score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder of {train,dev,test}.spacy")
    add("--vectors", type=Path, required=True, help="pipeline with static vectors")
    add("--keep", type=Path, required=True, help="existing folder of pipelines")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--output", type=Path, default=FOLDER / "results" / "rel_tutorial.json")
    options = parser.parse_args()
    runs = []
    for seed in tqdm(options.seeds, desc="seeds"):
        nlp = together(
            train("tutorial_rel", seed, options), train("spacy_ner", seed, options)
        )
        whole = options.keep / f"tutorial-{seed}"
        nlp.to_disk(whole)
        runs.append({"seed": seed, **score(whole, options.corpus)})
    seeds = " ".join(map(str, options.seeds))
    command = f"python benchmarks/rel_tutorial.py --seeds {seeds}"
    write_result(options.output, command, {"runs": runs})
    for key in runs[0]:
        if key != "seed":
            mean = statistics.mean(run[key] for run in runs)
            sys.stdout.write(f"{key}: {mean:.2f}\n")


if __name__ == "__main__":
    main()
