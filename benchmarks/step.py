"""A training step of a recognizer beside the same modules in a plain PyTorch loop.

    python benchmarks/step.py --train train.spacy --vectors vectors
    python benchmarks/step.py --train train.spacy --vectors vectors --encoder FOLDER \\
        --config configs/ner_trf.cfg --output benchmarks/results/step_trf.json

The pipeline is trained by spaCy's own loop. After each of its steps a plain loop makes
one on the same batch: copies of the torch modules and of the CRF, one autograd graph,
fused AdamW, no averages, and inputs that lie ready (as tensors, with what an embedding
looks up drawn at random in the right shape; as word pieces). With `--clip`, the plain
loop clips gradients as fine-tuning scripts do. With one thread, time is that of the
processor, which other work on the machine hardly changes.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from record import called, use_threads, write_result
from spacy.training.loop import train_while_improving
from spacy.util import load_config
from thinc.api import Model, fix_random_seed
from torch import Tensor, nn
from tqdm import tqdm
from trainings import batches_of, initialized

from spacy_attnner.crf.chain import biluo_chain
from spacy_attnner.crf.loss import path_loss
from spacy_attnner.layers.dropout import set_dropout
from spacy_attnner.models import crf_tagger

ROOT = Path(__file__).parent.parent
WORDS = ("character_cnn", "piece_encoder")  # whose inputs lie ready
MODULES = (*WORDS, "attention_encoder", "document_context")
WARM_UP = 10  # steps that are not counted


def layer_named(model: Model, name: str) -> Model | None:
    """The one layer of that name, if there is one."""
    layers = [node for node in model.walk() if node.name == name]
    return layers[0] if layers else None


class PlainTagger(nn.Module):
    """The torch modules of a pipeline, copied, and the rest of it in plain torch."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        for name in MODULES:
            layer = layer_named(model, name)
            if layer is not None:
                self.add_module(name, copy.deepcopy(layer.shims[0]._model))
        embed = layer_named(model, "hashembed")
        vectors = layer_named(model, "static_vectors")
        n_tags, width = model.get_ref("output_layer").get_param("W").shape
        self.vectors = self.shapes = None
        if vectors is not None:
            sizes = vectors.get_dim("nM"), vectors.get_dim("nO")
            self.vectors = nn.Linear(*sizes, bias=False)
        if embed is not None:
            self.shapes = nn.Embedding(embed.get_dim("nV"), embed.get_dim("nO"))
        self.emissions = nn.Linear(width, n_tags)
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.start = nn.Parameter(torch.zeros(n_tags))
        self.end = nn.Parameter(torch.zeros(n_tags))

    def draw(self, n_tokens: int) -> tuple[Tensor | None, Tensor | None]:
        """Vectors and rows of hashed shapes of a batch."""
        vectors = rows = None
        if self.vectors is not None:
            vectors = torch.randn(n_tokens, self.vectors.in_features)
        if self.shapes is not None:
            rows = torch.randint(self.shapes.num_embeddings, (n_tokens, 4))
        return vectors, rows

    def embed(self, words: tuple[Any, Any], inputs: dict[str, Any]) -> Tensor:
        """What the encoder gets of each word."""
        vectors, shapes = words
        parts = [getattr(self, name)(*inputs[name]) for name in WORDS if name in inputs]
        if self.vectors is not None:
            parts.append(self.vectors(vectors))
        if self.shapes is not None:
            parts.append(self.shapes(shapes).sum(1))
        return torch.cat(parts, 1)

    def update(self, words: tuple[Any, Any], inputs: dict[str, Any]) -> None:
        """Forward and backward of one batch."""
        X = self.attention_encoder(
            self.embed(words, inputs), *inputs["attention_encoder"]
        )
        X = self.document_context(X, *inputs["document_context"])
        Y = self.emissions(X)
        params = (self.transitions, self.start, self.end)
        chain = biluo_chain(*(each.detach().double() for each in params))
        known, mask, wrong = inputs["crf"]
        result = path_loss(Y.detach().double(), chain, known, mask, wrong)
        Y.backward(result.d_emissions.float() / len(Y))
        for name in ("transitions", "start", "end"):
            gradient = getattr(result, f"d_{name}").float() / len(Y)
            getattr(self, name).grad = gradient


def record(model: Model) -> dict[str, Any]:
    """Where the integers that the modules and the CRF get in each step turn up."""
    seen: dict[str, Any] = {}

    def keep(name: str, skip: int):
        def hook(module: nn.Module, args: tuple[Any, ...]) -> None:
            seen[name] = args[skip:]

        return hook

    for name in MODULES:
        layer = layer_named(model, name)
        if layer is not None:
            # the encoder and the context get token vectors first
            hook = keep(name, int(name not in WORDS))
            layer.shims[0]._model.register_forward_pre_hook(hook)

    def watched_loss(emissions, chain, lengths, allowed, incorrect=()):
        seen["crf"] = (lengths, allowed, incorrect)
        return path_loss(emissions, chain, lengths, allowed, incorrect)

    crf_tagger.path_loss = watched_loss
    return seen


def spacy_steps(nlp: Any, settings: dict, batches: list) -> Iterator[Any]:
    """spaCy's training loop over the batches, a step at each `next`."""
    return train_while_improving(
        nlp,
        settings["optimizer"],
        ((0, batch) for batch in batches),
        lambda: (0.0, {}),
        dropout=settings["dropout"],
        eval_frequency=len(batches) + 1,
        accumulate_gradient=1,
        patience=0,
        max_steps=0,
        exclude=[],
        annotating_components=[],
        before_update=None,
    )


def measure(options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Seconds of each step of spaCy's loop and of the plain one."""
    overrides = {"paths.encoder": str(options.encoder)} if options.encoder else {}
    config = load_config(options.config, overrides=overrides)
    nlp, settings, corpus = initialized(
        config, train=options.train, vectors=options.vectors
    )
    batches = list(islice(batches_of(nlp, settings, corpus), WARM_UP + options.steps))
    model = nlp.get_pipe("attn_ner").model
    plain = PlainTagger(model).train()
    set_dropout(plain, settings["dropout"])
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.002, fused=True)
    inputs = record(model)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    steps = spacy_steps(nlp, settings, batches)
    ours, theirs = [], []
    for batch in tqdm(batches, desc="steps"):
        begin = clock()
        next(steps)
        ours.append(clock() - begin)
        words = plain.draw(sum(len(example.predicted) for example in batch))
        begin = clock()
        plain.update(words, inputs)
        if options.clip:
            nn.utils.clip_grad_norm_(plain.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad()
        theirs.append(clock() - begin)
    return ours[WARM_UP:], theirs[WARM_UP:]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--train", type=Path, required=True, help="documents, a .spacy file")
    add("--vectors", type=Path, required=True, help="pipeline with static vectors")
    add("--config", type=Path, default=ROOT / "configs" / "ner.cfg")
    add("--encoder", help="folder or name of a pretrained encoder")
    add("--clip", type=float, default=0.0, help="of the plain loop; 0 for none")
    add("--steps", type=int, default=100)
    add("--threads", type=int, default=1)
    add("--output", type=Path, default=ROOT / "benchmarks" / "results" / "step.json")
    return parser.parse_args()


def main() -> None:
    """Time the steps and write what was found."""
    options = parse()
    use_threads(options.threads)
    fix_random_seed(0)
    ours, theirs = measure(options)
    ratios = statistics.quantiles(
        [a / b for a, b in zip(ours, theirs, strict=True)], n=4
    )
    content = {
        "threads": options.threads,
        "steps": options.steps,
        "spacy_train_ms": round(1000 * statistics.median(ours), 1),
        "plain_ms": round(1000 * statistics.median(theirs), 1),
        "ratio_of_medians": round(
            statistics.median(ours) / statistics.median(theirs), 3
        ),
        "quartiles_of_ratios": [round(ratio, 3) for ratio in ratios],
    }
    write_result(options.output, called(), content)
    sys.stdout.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
