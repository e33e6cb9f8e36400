"""What ablations share: rows are changes to a config, each trained with several seeds.

Results are kept after every training, so an interrupted call goes on where it stopped.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from epoch_time import seconds_per_epoch
from record import use_threads, write_result
from thinc.api import Config
from tqdm import tqdm
from trainings import spacy_train

Change = Callable[[Config], object]
ABOUT = ("row", "documents", "seed", "minutes")  # a run's keys that are no scores


@dataclass(frozen=True)
class Ablation:
    """One table.

    script: The benchmark that makes it, below `benchmarks/`.
    config: The config that rows change.
    rows: Name of each row and its changes.
    score: (pipeline, corpus folder) -> scores in percent by column.
    code: Python file with what some rows name, for `spacy train`.
    prepare: Makes a folder of `.spacy` files out of the corpus on the command line,
        which is one already if this is None.
    vectors: Whether there are static vectors.
    """

    script: str
    config: Path
    rows: dict[str, list[Change]]
    score: Callable[[Path, Path], dict[str, float]]
    code: Path | None = None
    prepare: Callable[[Path], Path] | None = None
    vectors: bool = True


def setting(path: str, value: object) -> Change:
    """A change of one setting, "components.attn_ner.model.tok2vec.width" say."""

    def change(config: Config) -> None:
        *sections, key = path.split(".")
        section = config
        for name in sections:
            section = section[name]
        if key not in section:
            raise KeyError(f"{path} is not in the config")
        section[key] = value

    return change


def instead_of(path: str, key: str, name: str, **settings: object) -> Change:
    """Another registered function at a block of the config, its settings kept."""

    def change(config: Config) -> None:
        block = config
        for part in path.split("."):
            block = block[part]
        block[key] = name
        block.update(settings)

    return change


def shorten(config: Config, n_steps: int, rate: float | None) -> None:
    """A schedule of so many steps, maybe from another rate, evaluated five times."""
    training = config["training"]
    training.update(max_steps=n_steps, patience=n_steps, max_epochs=0)
    training["eval_frequency"] = n_steps // 5
    schedule = training["optimizer"]["learn_rate"]
    schedule["total_steps"] = n_steps
    if rate is not None:
        schedule["initial_rate"] = rate


def changed(ablation: Ablation, row: str, options: argparse.Namespace) -> Config:
    """The config of a row."""
    config = Config().from_disk(options.config, interpolate=False)
    for change in ablation.rows[row]:
        change(config)
    if options.encoder:
        config["paths"]["encoder"] = str(options.encoder)
    if options.steps:
        shorten(config, options.steps, options.rate)
    return config


def run(ablation: Ablation, row: str, seed: int, options: argparse.Namespace) -> dict:
    """Train and score one row with one seed."""
    config = changed(ablation, row, options)
    with tempfile.TemporaryDirectory(dir=options.keep) as name:
        folder = Path(name)
        minutes = spacy_train(
            config,
            folder,
            train=options.corpus / "train.spacy",
            dev=options.corpus / "dev.spacy",
            vectors=options.vectors,
            seed=seed,
            code=ablation.code,
        )
        result = {
            "row": row,
            "seed": seed,
            "minutes": minutes,
            **ablation.score(folder / "model-best", options.corpus),
        }
        if options.keep:
            (folder / "model-best").rename(kept_at(row, seed, options))
    return result


def kept_at(row: str, seed: int, options: argparse.Namespace) -> Path:
    """Where a trained pipeline is kept."""
    name = f"{options.config.stem}-{row}-{seed}".replace(",", "").replace(" ", "-")
    return options.keep / name


def columns_of(runs: list[dict]) -> list[str]:
    """The scores that any of the runs has."""
    found = dict.fromkeys(key for each in runs for key in each)
    return [key for key in found if key not in ABOUT]


def table(rows: list[str], runs: list[dict], seconds: dict[str, float]) -> str:
    """Mean and spread of every row as Markdown; seconds per epoch come last."""
    columns = columns_of(runs)
    lines = [
        "| change | seeds | " + " | ".join(columns) + " | s per epoch |",
        "|---|---|" + "---|" * (len(columns) + 1),
    ]
    for row in rows:
        own = [each for each in runs if each["row"] == row]
        if not own:
            continue
        cells = [mean_of([e[column] for e in own if column in e]) for column in columns]
        cells.append(f"{seconds[row]:.0f}" if row in seconds else "")
        lines.append(f"| {row} | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean_of(values: list[float]) -> str:
    """Mean and standard deviation; nothing where there are no values."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def main(ablation: Ablation, description: str | None) -> None:
    """Parse the command line and do what is not done yet."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, rows = parser.add_argument, ablation.rows
    name = f"{Path(ablation.script).stem}.json"
    files = "{train,dev,test}.spacy" if ablation.prepare is None else "the corpus"
    add("--corpus", type=Path, required=True, help=f"folder of {files}")
    if ablation.vectors:
        add("--vectors", type=Path, required=True, help="pipeline with static vectors")
    add("--config", type=Path, default=ablation.config)
    add("--encoder", type=Path, help="folder of a pretrained encoder, if it takes one")
    add("--rows", nargs="+", default=list(rows), choices=list(rows), metavar="ROW")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--jobs", type=int, default=2, help="trainings at a time, a thread each")
    add("--steps", type=int, help="of a shorter schedule than the config's")
    add("--rate", type=float, help="learning rate of that schedule, else the config's")
    add("--output", type=Path, default=_results() / name)
    add("--keep", type=Path, help="folder to keep the trained pipelines in")
    add("--time", action="store_true", help="measure only how long an epoch takes")
    parser.set_defaults(vectors=None)
    options = parser.parse_args()
    if ablation.prepare is not None:
        options.corpus = ablation.prepare(options.corpus)
    done = json.loads(options.output.read_text()) if options.output.exists() else {}
    runs, seconds = done.get("runs", []), done.get("seconds_per_epoch", {})
    if options.time:
        use_threads(1)
        for row in tqdm(options.rows, desc="rows"):
            config = changed(ablation, row, options)
            seconds[row] = seconds_per_epoch(config, options.corpus, options.vectors)
        keep(runs, seconds, ablation, options)
        return
    known = {(each["row"], each["seed"]) for each in runs}
    every = [(row, seed) for seed in options.seeds for row in options.rows]
    todo = [each for each in every if each not in known]
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for row, seed in todo:
            if kept_at(row, seed, options).exists():
                parser.error(f"{kept_at(row, seed, options)} exists: remove it")
    with (
        ThreadPoolExecutor(options.jobs) as pool,
        tqdm(total=len(todo), desc="trainings") as progress,
    ):
        jobs = [pool.submit(run, ablation, *each, options) for each in todo]
        for job in jobs:
            runs.append(job.result())
            progress.update()
            keep(runs, seconds, ablation, options)
            progress.write(json.dumps(runs[-1]))
    sys.stdout.write(table(list(rows), runs, seconds) + "\n")


def keep(
    runs: list[dict],
    seconds: dict[str, float],
    ablation: Ablation,
    options: argparse.Namespace,
) -> None:
    """Write what is known so far."""
    content = {"seconds_per_epoch": seconds, "runs": runs}
    write_result(options.output, _command(ablation, options), content)


def _results() -> Path:
    return Path(__file__).parent / "results"


def _command(ablation: Ablation, options: argparse.Namespace) -> str:
    command = (
        f"python benchmarks/{ablation.script} --config configs/{options.config.name} "
        "--corpus CORPUS"
    )
    if ablation.vectors:
        command += " --vectors vectors"
    if options.encoder:
        command += " --encoder ENCODER"
    if options.steps:
        command += f" --steps {options.steps}"
        if options.rate is not None:
            command += f" --rate {options.rate}"
    return command
