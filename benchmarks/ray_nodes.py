"""The engine "ray" of `spacy attn apply` beside the local one, on as many cores.

    python benchmarks/ray_nodes.py MODEL --work DIR --texts 500000

Ray has a cluster of nodes with a core each on this machine, the local engine a process
for each of them. Both read the same invented texts of about 20 words and write JSONL;
seconds are those of the clock from the start of the command to its end, the rounds
alternate, and what they write is compared byte by byte.
"""

import argparse
import filecmp
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ray.cluster_utils import Cluster
from record import called, write_result
from scale import RESULTS, write_texts

MEMORY = 200 * 2**20  # of a node's object store


def seconds_of(options: argparse.Namespace, output: Path, *engine: str) -> float:
    """Of one run of the command."""
    command = [*(sys.executable, "-m", "spacy", "attn", "apply", options.model)]
    command += [str(options.work / "texts.txt"), str(output), "--overwrite"]
    begin = time.monotonic()
    subprocess.run(
        [*command, "--n-process", str(options.nodes), *engine],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - begin


def main() -> None:
    """Run both, round after round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="pipeline: a folder or a package")
    add("--work", type=Path, required=True, help="folder to write to, not there yet")
    add("--texts", type=int, default=500_000)
    add("--nodes", type=int, default=3)
    add("--rounds", type=int, default=1)
    add("--output", type=Path, default=RESULTS / "ray_nodes.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    write_texts(options.work / "texts.txt", options.texts)
    outputs = {name: options.work / f"{name}.jsonl" for name in ("local", "ray")}
    seconds: dict[str, list[float]] = {name: [] for name in outputs}
    cluster = Cluster()
    for _ in range(options.nodes):
        cluster.add_node(
            num_cpus=1, object_store_memory=MEMORY, include_dashboard=False
        )
    engines = {
        "local": [],
        "ray": ["--engine", "ray", "--ray-address", cluster.address],
    }
    for _ in range(options.rounds):
        for name, output in outputs.items():
            seconds[name].append(seconds_of(options, output, *engines[name]))
    cluster.shutdown()
    medians = {name: statistics.median(own) for name, own in seconds.items()}
    content = {
        "nodes": options.nodes,
        "texts": options.texts,
        "seconds": {name: [round(s, 1) for s in own] for name, own in seconds.items()},
        "over": round(medians["ray"] / medians["local"] - 1.0, 3),
        "same_bytes": filecmp.cmp(*outputs.values(), shallow=False),
    }
    write_result(options.output, called(), content)
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
