"""Learning curves: what 10, 50, 100 and 500 labelled documents teach.

    python benchmarks/little_data.py ner --corpus corpus/ner --vectors vectors \\
        --encoder ENCODER

Configs are those that `spacy attn init-config --size` writes and, as "spaCy", that of
`spacy init config` with the same static vectors (its small encoder: the accuracy
preset's takes five times as long), for categories the model that is `textcat`'s
default. Documents of train are drawn by the seed, the same for every row, and as many
of dev, which choose the best pipeline: who has few documents has few to choose by. The
row "pretrained" is "vectors" with an encoder that begins with what `spacy pretrain`
wrote into a folder (`--pretrained`), the row "frozen" is "encoder", kept as it is, the
mean of its last four layers.

Results are kept after every training, so an interrupted call goes on where it stopped.

Scores, on the whole test set: ner, entity F1 on whole documents, with gold sentence
starts for attn_ner, which uses them; rel, entity F1 and strict relation F1, of which
spaCy has the first; textcat, accuracy, all in percent.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import ner
import relations
import spacy
import textcat
from ablation import columns_of, mean_of
from record import write_result
from spacy.cli.init_config import init_config
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from thinc.api import Config
from tqdm import tqdm
from trainings import spacy_train

from spacy_attnner.recipes.blocks import TRANSFORMERS, blocks_of, freeze
from spacy_attnner.recipes.recipe import Wish, make_recipe
from spacy_attnner.report.html import BLUE, GREEN, GREY, ORANGE, as_svg, drawing

RED = "#d0425a"
# colours and names of rows in the picture
ROWS = {
    "spaCy": (GREY, "spaCy's own, static vectors"),
    "vectors": (BLUE, "static vectors"),
    "pretrained": (GREEN, "static vectors, spacy pretrain"),
    "encoder": (ORANGE, "pretrained encoder, fine-tuned"),
    "frozen": (RED, "pretrained encoder, kept"),
}
ENCODERS = ("encoder", "frozen")
SPACY = {"ner": "ner", "rel": "ner", "textcat": "textcat"}
TITLES = {"ner": "entity F1", "rel": "strict relation F1", "textcat": "accuracy"}
SIZES = (10, 50, 100, 500)


def config_of(row: str, task: str, n_docs: int, options: argparse.Namespace) -> Config:
    """What one would begin with."""
    if row == "spaCy":
        return spacy_config(SPACY[task], options.vectors)
    encoder = str(options.encoder) if row in ENCODERS else "vectors"
    wish = Wish(task, encoder=encoder, vectors=str(options.vectors), size=n_docs)
    if task == "textcat" and row in ENCODERS:
        wish = Wish(task, encoder=encoder, size=n_docs)
    config = Config().from_str(make_recipe(wish).text, interpolate=False)
    if row in ENCODERS:
        tune_transformer(config, frozen=row == "frozen")
    if row == "pretrained":
        before = Config().from_disk(options.pretrained / "config.cfg")
        config["pretraining"] = before["pretraining"]
        config["corpora"]["pretrain"] = before["corpora"]["pretrain"]
        weights = (options.pretrained / "model-last.bin").resolve()
        config["initialize"]["init_tok2vec"] = str(weights)
    return config


def spacy_config(component: str, vectors: Path) -> Config:
    """What one would begin with of spaCy's own."""
    config = init_config(pipeline=[component], optimize="efficiency")
    if component == "textcat":
        textcat.spacy_ensemble(config)
    else:
        embed = config["components"]["tok2vec"]["model"]["embed"]
        embed["include_static_vectors"] = True
    config["paths"]["vectors"] = str(vectors)
    config["nlp"]["vectors"] = {"@vectors": "spacy-attnner.Vectors.v1"}
    return config


def tune_transformer(config: Config, *, frozen: bool) -> None:
    """Keep the transformer as it is, or have it learn; what is above it follows."""
    if frozen:
        freeze(config)
        return
    (transformer,) = blocks_of(config, TRANSFORMERS)
    if transformer["tuning"]["frozen"] != "all":
        return
    transformer["tuning"]["frozen"] = 0
    transformer["top_layers"] = 1
    optimizer = config["training"]["optimizer"]
    optimizer["grad_clip"] = 1.0
    optimizer["learn_rate"]["initial_rate"] *= 0.5


def draw(path: Path, n_docs: int, seed: int) -> list[Doc]:
    """So many documents of a file, or all."""
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))
    return random.Random(seed).sample(docs, min(n_docs, len(docs)))


def score(task: str, row: str, model: Path, corpus: Path) -> dict[str, float]:
    """Scores on test, in percent."""
    if row == "spaCy" and task != "textcat":
        nlp = spacy.load(model)
        found = nlp.evaluate(list(Corpus(corpus / "test.spacy")(nlp)))
        return {"entities": round(100 * found["ents_f"], 2)}
    found = {"ner": ner, "rel": relations, "textcat": textcat}[task].score(
        model, corpus
    )
    names = {
        "test, given": "entities",
        "test, entities": "entities",
        "test, strict": "relations",
        "test": "accuracy",
    }
    return {names[key]: value for key, value in found.items() if key in names}


def run(
    row: str, n_docs: int, seed: int, options: argparse.Namespace
) -> dict[str, str | float]:
    """Train on so many documents, and score."""
    config = config_of(row, options.task, n_docs, options)
    if options.steps:
        config["training"]["max_steps"] = options.steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split in ("train", "dev"):
            docs = draw(options.corpus / f"{split}.spacy", n_docs, seed)
            DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{split}.spacy")
        minutes = spacy_train(
            config,
            folder,
            train=folder / "train.spacy",
            dev=folder / "dev.spacy",
            vectors=options.vectors,
            seed=seed,
        )
        return {
            "row": row,
            "documents": n_docs,
            "seed": seed,
            "minutes": minutes,
            **score(options.task, row, folder / "model-best", options.corpus),
        }


def scores_of(runs: list[dict], row: str, n_docs: int, column: str) -> list[float]:
    """One score of a row's trainings on so many documents."""
    own = [each for each in runs if (each["row"], each["documents"]) == (row, n_docs)]
    return [each[column] for each in own if column in each]


def sizes_of(runs: list[dict]) -> list[int]:
    """Of how many documents there are trainings."""
    return sorted({each["documents"] for each in runs})


def plot(runs: list[dict], title: str) -> str:
    """Scores by documents: a dot a training, a line through the means."""
    column = columns_of(runs)[-1]
    with drawing(6, 3.6) as (figure, axes):
        for row, (color, name) in ROWS.items():
            found = {n: scores_of(runs, row, n, column) for n in sizes_of(runs)}
            found = {n: values for n, values in found.items() if values}
            means = [statistics.mean(values) for values in found.values()]
            if found:
                axes.plot(list(found), means, color=color, label=name)
            for n, values in found.items():
                axes.plot([n] * len(values), values, "o", color=color, ms=3)
        axes.set_xscale("log")
        axes.set_xticks(SIZES, [str(n) for n in SIZES])
        axes.set_xlabel("labelled documents")
        axes.set_ylabel(title)
        axes.legend()
        return as_svg(figure)


def table(runs: list[dict]) -> str:
    """Means and spreads, Markdown."""
    sizes = sizes_of(runs)
    lines = [
        "| config | score | " + " | ".join(f"{n:,}" for n in sizes) + " |",
        "|---|---|" + "---|" * len(sizes),
    ]
    for row in dict.fromkeys(each["row"] for each in runs):
        for column in columns_of(runs):
            cells = [mean_of(scores_of(runs, row, n, column)) for n in sizes]
            if any(cells):
                lines.append(f"| {row} | {column} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and do what is not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add: Callable = parser.add_argument
    add("task", choices=list(SPACY))
    add("--corpus", type=Path, required=True, help="{train,dev,test}.spacy")
    add("--vectors", type=Path, required=True, help="pipeline with static vectors")
    add("--encoder", type=Path, help="folder of a pretrained encoder")
    add("--pretrained", type=Path, help="what `spacy pretrain` wrote")
    default = [row for row in ROWS if row != "pretrained"]
    add("--rows", nargs="+", default=default, choices=list(ROWS))
    add("--sizes", nargs="+", type=int, default=list(SIZES))
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--steps", type=int, help="at most, in place of the config's")
    add("--output", type=Path)
    options = parser.parse_args()
    results = Path(__file__).parent / "results"
    output = options.output or results / f"little_{options.task}.json"
    runs = json.loads(output.read_text())["runs"] if output.exists() else []
    known = {(each["row"], each["documents"], each["seed"]) for each in runs}
    todo = [
        (row, n, seed)
        for seed in options.seeds
        for n in options.sizes
        for row in options.rows
        if (row, n, seed) not in known
    ]
    command = f"python benchmarks/little_data.py {options.task} --corpus CORPUS"
    command += " --vectors vectors --encoder ENCODER"
    for each in tqdm(todo, desc="trainings"):
        runs.append(run(*each, options))
        tqdm.write(json.dumps(runs[-1]))
        write_result(output, command, {"runs": runs})
    output.with_suffix(".svg").write_text(plot(runs, TITLES[options.task]) + "\n")
    sys.stdout.write(table(runs) + "\n")


if __name__ == "__main__":
    main()
