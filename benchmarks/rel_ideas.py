"""What benchmarks/relations.py measures beside the package: none of it is part of it.

Importing this registers a callback and a layer under `benchmarks.`, and the factory
`benchmarks_tutorial_rel`.
"""

import random
from collections.abc import Callable
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.util import registry
from thinc.api import Linear, Model, reduce_mean
from thinc.types import Floats2d, Ragged

from spacy_attnner.models.candidate_pairs import Candidates
from spacy_attnner.models.rows import Parts
from spacy_attnner.pipeline.rel import AttnRel


@registry.callbacks("benchmarks.predicted_entities.v1")
def create_predicted_entities(
    n_steps: int, most: float
) -> Callable[[Language, dict[str, Any]], None]:
    """Before more and more updates, let `attn_ner` overwrite the gold entities.

    Needs gold entities in the training corpus, and `attn_ner` among the annotating
    components. Where it does not overwrite, it adds what it finds elsewhere.

    n_steps: Step from which on `most` of the updates see predicted entities.
    """

    def before_update(nlp: Language, info: dict[str, Any]) -> None:
        share = most * min(1.0, info["step"] / n_steps)
        nlp.get_pipe("attn_ner").cfg["overwrite"] = random.random() < share

    return before_update


@registry.architectures("benchmarks.TutorialPairs.v1")
def build_tutorial_pairs(
    tok2vec: Model, nO: int | None = None
) -> Model[list[Candidates], list[Floats2d]]:
    """A linear layer over the mean-pooled vectors of head and tail.

    The relation extractor of spaCy's video tutorial, from its description.
    """
    output = Linear(nO=nO, nI=2 * tok2vec.get_dim("nO"))
    return Model(
        "tutorial_pairs",
        _forward,
        init=_init,
        layers=[tok2vec, reduce_mean(), output],
        refs={"tok2vec": tok2vec, "output_layer": output},
    )


def _init(model: Model, X: list[Candidates] | None = None, Y: Any = None) -> None:
    model.get_ref("tok2vec").initialize(X=[c.doc for c in X] if X else None)
    model.get_ref("output_layer").initialize()


def _forward(
    model: Model, batch: list[Candidates], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    tok2vec, pool, output = model.layers
    ops = model.ops
    Xs, bp_tok2vec = tok2vec([c.doc for c in batch], is_train)
    rows, lengths, token = [], [], 0
    for c, X in zip(batch, Xs, strict=True):
        spans = [span for pair in c.pairs.tolist() for span in pair]
        for span in (c.spans[i] for i in spans):
            rows += range(token + span.start, token + span.end)
            lengths.append(len(span))
        token += len(X)
    tokens = ops.asarray1i(rows)
    flat = ops.flatten(Xs)
    pooled, bp_pool = pool(Ragged(flat[tokens], ops.asarray1i(lengths)), is_train)
    Y, bp_output = output(ops.reshape2f(pooled, -1, 2 * flat.shape[1]), is_train)

    def backprop(dYs: list[Floats2d]) -> Any:
        d_pooled = bp_output(ops.flatten(dYs))
        d_tokens = bp_pool(ops.reshape2f(d_pooled, -1, flat.shape[1])).data
        dX = ops.alloc2f(*flat.shape)
        ops.scatter_add(dX, tokens, d_tokens)
        return bp_tok2vec(Parts(dX, [len(X) for X in Xs]))

    return Parts(Y, [len(c) for c in batch]), backprop


class TutorialRel(AttnRel):
    """Trained with squared errors, a mean over the pairs of a batch."""

    def loss_of(
        self, examples: list[Example], inputs: list[Any], scores: list[Any]
    ) -> tuple[float, list[Any]]:
        """The loss and its gradient with respect to the logits."""
        n_pairs = max(1, sum(map(len, scores)))
        loss, d_scores = 0.0, []
        for example, pairs, logits in zip(examples, inputs, scores, strict=True):
            probabilities = self.model.ops.sigmoid(logits)
            truth = self.model.ops.asarray2f(self._truth(example, pairs))
            error = probabilities - truth
            loss += float((error**2).sum()) / n_pairs
            d_scores.append(error * probabilities * (1 - probabilities) / n_pairs)
        return loss, d_scores


@Language.factory(
    "benchmarks_tutorial_rel",
    default_score_weights={"rel_f": 1.0, "rel_gold_ents_f": None},
)
def make_tutorial_rel(
    nlp: Language, name: str, model: Model, get_candidates: Callable, scorer: Callable
) -> TutorialRel:
    """The tutorial's component: all pairs of entities, a threshold of 0.5."""
    return TutorialRel(
        nlp.vocab,
        model,
        name,
        get_candidates=get_candidates,
        known_types_only=False,
        scorer=scorer,
    )
