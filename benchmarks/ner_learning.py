"""What attn_ner makes of little, partial and new annotation, on CoNLL-2003.

    python benchmarks/ner_learning.py curve --corpus DIR --vectors DIR --keep DIR
    python benchmarks/ner_learning.py partial --corpus DIR --vectors DIR --keep DIR
    python benchmarks/ner_learning.py corrections --corpus DIR --model DIR

curve        trains on 1, 5, 10, 25 and 100 % of the documents, beside spaCy's own
             recognizer with the same vectors.
partial      hides the labels of half of the tokens, drawn at random, in training.
corrections  updates a trained pipeline 50 times on ten corrected documents of the dev
             set, alone and with `nlp.rehearse` on training texts, and scores those
             documents and the test set before and after.

Pipelines that were trained are kept in the folder --keep and not trained again.

Scores: entity F1 on whole documents of the test set, with gold sentence starts for
attn_ner, which uses them; spaCy's recognizer learns and is scored without.
"""

import argparse
import json
import random
import shutil
from pathlib import Path

import numpy
import spacy
from record import write_result
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from tqdm import tqdm
from trainings import spacy_train

from spacy_attnner.corpora.training_data import create_gold_sentences

ROOT = Path(__file__).parent.parent
SPACY = ROOT / "benchmarks" / "configs" / "spacy_ner.cfg"
SHARES = (0.01, 0.05, 0.1, 0.25, 1.0)
N_UPDATES = 50
N_CORRECTED = 10


def read(path: Path, nlp: Language) -> list[Doc]:
    """All documents of a `.spacy` file."""
    return list(DocBin().from_disk(path).get_docs(nlp.vocab))


def train(
    config: Path, docs: list[Doc], name: str, seed: int, options: argparse.Namespace
) -> Path:
    """Train on documents if that was not done; returns the best pipeline.

    name: Of what is trained on, in the name of the pipeline's folder.
    """
    kept = options.keep / f"{config.stem}-{name}-{seed}"
    if kept.exists():
        return kept
    folder = kept.with_name(f"{kept.name}.partial")
    folder.mkdir(exist_ok=True)
    DocBin(docs=docs, attrs=["ENT_IOB", "ENT_TYPE", "SENT_START", "SPACY"]).to_disk(
        folder / "train.spacy"
    )
    spacy_train(
        config,
        folder,
        train=folder / "train.spacy",
        dev=options.corpus / "dev.spacy",
        vectors=options.vectors,
        seed=seed,
    )
    (folder / "model-best").rename(kept)
    shutil.rmtree(folder)
    return kept


def f1(nlp: Language, path: Path, *, sentences: bool = True) -> float:
    """Entity F1 in percent."""
    augmenter = create_gold_sentences() if sentences else None
    scores = nlp.evaluate(list(Corpus(path, augmenter=augmenter)(nlp)))
    return round(100 * scores["ents_f"], 2)


def curve(seed: int, options: argparse.Namespace) -> list[dict]:
    """F1 by the share of the training documents."""
    docs = read(options.corpus / "train.spacy", spacy.blank("en"))
    shuffled = random.Random(seed).sample(docs, len(docs))
    rows = []
    for share in tqdm(options.shares, desc="shares"):
        part = docs if share == 1.0 else shuffled[: max(1, round(share * len(docs)))]
        row: dict = {"share": share, "documents": len(part), "seed": seed}
        for name, config in (("attn_ner", options.config), ("spaCy ner", SPACY)):
            nlp = spacy.load(train(config, part, f"share{share}", seed, options))
            own = name == "attn_ner"
            row[name] = f1(nlp, options.corpus / "test.spacy", sentences=own)
        tqdm.write(json.dumps(row))
        rows.append(row)
    return rows


def hide(doc: Doc, share: float, rng: numpy.random.Generator) -> Doc:
    """A copy whose labels are missing with a probability of `share`.

    An entity's tokens are hidden together: spaCy has no way to say that a token is the
    second of an entity and that nothing is known of the first.
    """
    hidden = rng.random(len(doc)) < share
    for ent in doc.ents:
        hidden[ent.start : ent.end] = hidden[ent.start]
    iob = doc.to_array(ENT_IOB)
    types = doc.to_array(ENT_TYPE)
    iob[hidden], types[hidden] = 0, 0
    copy = doc.copy()
    copy.from_array([ENT_IOB, ENT_TYPE], numpy.stack([iob, types], axis=1))
    return copy


def partial(seed: int, options: argparse.Namespace) -> list[dict]:
    """F1 with all labels, and with half of the tokens' labels hidden."""
    docs = read(options.corpus / "train.spacy", spacy.blank("en"))
    rng = numpy.random.default_rng(seed)
    rows = []
    for share in tqdm((0.0, 0.5), desc="hidden shares"):
        part = [hide(doc, share, rng) for doc in docs] if share else docs
        nlp = spacy.load(train(options.config, part, f"hidden{share}", seed, options))
        score = f1(nlp, options.corpus / "test.spacy")
        rows.append({"hidden": share, "seed": seed, "attn_ner": score})
        tqdm.write(json.dumps(rows[-1]))
    return rows


def corrections(seed: int, options: argparse.Namespace) -> list[dict]:
    """F1 on corrected documents and on the test set, before and after updates."""
    rows = []
    for name in ("before", "updates alone", "updates and rehearsal"):
        nlp = spacy.load(options.model)
        rng = random.Random(seed)
        augmenter = create_gold_sentences()
        dev = list(Corpus(options.corpus / "dev.spacy", augmenter=augmenter)(nlp))
        wrong = [eg for eg in dev if nlp.evaluate([_again(nlp, eg)])["ents_f"] != 1.0]
        corrected = rng.sample(wrong, N_CORRECTED)
        old = list(Corpus(options.corpus / "train.spacy", augmenter=augmenter)(nlp))
        if name != "before":
            sgd = nlp.resume_training()
            sgd.learn_rate = options.learn_rate
            for _ in tqdm(range(N_UPDATES), desc=name):
                nlp.update([_again(nlp, eg) for eg in corrected], sgd=sgd)
                if name == "updates and rehearsal":
                    texts = [_again(nlp, eg) for eg in rng.sample(old, N_CORRECTED)]
                    nlp.rehearse(texts, sgd=sgd)
        own = nlp.evaluate([_again(nlp, eg) for eg in corrected])["ents_f"]
        rows.append(
            {
                "run": name,
                "seed": seed,
                "corrected documents": round(100 * own, 2),
                "test": f1(nlp, options.corpus / "test.spacy"),
            }
        )
        tqdm.write(json.dumps(rows[-1]))
    return rows


def _again(nlp: Language, example: Example) -> Example:
    """The same example with a `predicted` that no component has written to."""
    doc = Doc(
        nlp.vocab,
        words=[token.text for token in example.predicted],
        spaces=[bool(token.whitespace_) for token in example.predicted],
        sent_starts=[bool(token.is_sent_start) for token in example.predicted],
    )
    return Example(doc, example.reference)


def main() -> None:
    """Parse the command line, run one measurement for each seed, keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    measurements = {"curve": curve, "partial": partial, "corrections": corrections}
    add("what", choices=list(measurements))
    add("--corpus", type=Path, required=True, help="folder of {train,dev,test}.spacy")
    add("--vectors", type=Path, help="pipeline with static vectors")
    add("--model", type=Path, help="a trained pipeline, for corrections")
    add("--learn-rate", type=float, default=0.0005, help="of the corrections")
    add("--config", type=Path, default=ROOT / "configs" / "ner.cfg")
    add("--shares", nargs="+", type=float, default=SHARES, help="of the curve")
    add("--seeds", nargs="+", type=int, default=[0])
    add("--keep", type=Path, help="existing folder for the trained pipelines")
    add("--output", type=Path, help="default: results/ner_WHAT.json")
    options = parser.parse_args()
    if options.what == "corrections" and not options.model:
        parser.error("corrections need --model")
    if options.what != "corrections" and not (options.vectors and options.keep):
        parser.error(f"{options.what} needs --vectors and --keep")
    rows = [
        row
        for seed in options.seeds
        for row in measurements[options.what](seed, options)
    ]
    command = (
        f"python benchmarks/ner_learning.py {options.what} "
        f"--config configs/{options.config.name} "
        f"--seeds {' '.join(map(str, options.seeds))}"
    )
    name = f"ner_{options.what}.json"
    output = options.output or ROOT / "benchmarks" / "results" / name
    write_result(output, command, {"rows": rows})


if __name__ == "__main__":
    main()
