"""`spacy-attnner.EntityPairAttention.v1`: from candidate pairs to relation scores."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
import torch
from spacy.tokens import Doc, Span
from spacy.util import registry
from thinc.api import ArgsKwargs, Linear, Model, chain, zero_init
from thinc.types import Floats2d

from ..layers.pair_batch import PairBatch
from ..layers.pair_logits import exclusive_logits
from ..layers.pairs import N_TYPE_HASHES, N_TYPE_ROWS, EntityPairAttention
from ..words import word_places
from .batch import Batch
from .bridge import (
    apply_function,
    array_output,
    device_of,
    floats_to_torch,
    from_torch,
    no_backprop,
    predict_with,
    torch_layer,
)
from .candidate_pairs import Candidates
from .chains import projected, vectors_of_words
from .output_size import UNFITTED
from .rows import Parts, Tok2Vec, flatten

Arrays = tuple[numpy.ndarray, ...]  # of a `PairBatch`
PAIRS_AT_ONCE = 65_536  # scored at once in prediction: bounds the memory


@registry.architectures("spacy-attnner.EntityPairAttention.v1")
def build_entity_pair_attention(
    tok2vec: Tok2Vec,
    hidden: int = 128,
    n_heads: int = 4,
    type_width: int = 32,
    distance_width: int = 16,
    context: int = 8,
    max_context: int = 128,
    product: bool = True,
    attention: bool = True,
    between: bool = True,
    around: bool = False,
    strongest: bool = True,
    exclusive: bool = False,
    width: int | None = None,
    nO: int | None = None,
) -> Model[list[Candidates], list[Floats2d]]:
    """Score ordered entity pairs, each attending to the words around it.

    tok2vec: Any layer from documents to token vectors.
    hidden: Width of the pair's features.
    n_heads: Heads of the pair's attention over its context; divides hidden.
    type_width, distance_width: Widths of the embeddings of entity types and distances;
        with a type_width of 0 the types are not seen.
    context: Tokens read on either side of the pair.
    max_context: Most tokens read for a pair; of a longer stretch the first ones.
    product: Multiply head and tail with each other, a low-rank bilinear score.
    attention: Let the pair attend to the words around it.
    between: Take the maximum over the words between head and tail.
    around: Take the maxima over the words before and behind both of them, too.
    strongest: Let pairs see the strongest ones of the same head and of the same tail.
    exclusive: Let a pair have one label at most: its logits are the log odds of a
        softmax over the labels and none.
    width: Width of the token vectors, where the tok2vec does not know its own; if
        neither does, they are projected to `hidden`.
    nO: Number of relation labels; found from the data if None.

    Returns one array of logits per document, (n_pairs, n_labels).
    """
    tok2vec, width = of_known_width(tok2vec, width, hidden)
    make_module = partial(
        EntityPairAttention,
        width=width,
        hidden=hidden,
        n_heads=n_heads,
        type_width=type_width,
        distance_width=distance_width,
        product=product,
        attention=attention,
        between=between,
        around=around,
        strongest=strongest,
    )
    return pair_model(
        tok2vec,
        make_module,
        hidden,
        context=context,
        max_context=max_context,
        exclusive=exclusive,
        nO=nO,
    )


def of_known_width(tok2vec: Model, width: int | None, other: int) -> tuple[Model, int]:
    """A tok2vec and its width; projected to `other` where nobody says the width."""
    known = width or tok2vec.maybe_get_dim("nO")
    if known is None:  # some listeners learn it late
        return projected(tok2vec, other), other
    return tok2vec, known


def pair_model(
    tok2vec: Tok2Vec,
    make_module: Callable[[], torch.nn.Module],
    hidden: int,
    *,
    context: int,
    max_context: int,
    exclusive: bool = False,
    nO: int | None,
) -> Model[list[Candidates], list[Floats2d]]:
    """A linear layer over what a module makes of the pairs of documents.

    make_module: Makes the module, from token vectors and a `PairBatch` to features,
        (n_pairs, hidden).
    exclusive: Whether at most one label holds of a pair.
    """
    pairs = torch_layer(
        "pairs",
        make_module,
        convert_inputs=_pair_inputs,
        convert_outputs=array_output,
        dims={"nO": hidden},
    )
    output = Linear(nO=nO, nI=hidden, init_W=zero_init)
    return Model(
        "entity_pairs",
        _forward,
        init=init_pairs,
        layers=[
            tok2vec,
            pairs,
            chain(output, Model("exclusive_labels", _forward_exclusive))
            if exclusive
            else output,
        ],
        refs={"tok2vec": tok2vec, "pairs": pairs, "output_layer": output},
        attrs={"context": context, "max_context": max_context, **UNFITTED},
    )


def init_pairs(model: Model, X: list[Candidates] | None = None, Y: Any = None) -> None:
    """Initialize the layers that a model refers to, and take a calibration back."""
    model.attrs.update(UNFITTED)
    model.get_ref("tok2vec").initialize(X=[c.doc for c in X] if X else None)
    model.get_ref("pairs").initialize()
    model.get_ref("output_layer").initialize()


def _forward(
    model: Model, batch: list[Candidates], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    tok2vec, pairs, output = model.layers
    docs = Batch.of((c.doc for c in batch), None if is_train else model)
    settings = model.attrs["context"], model.attrs["max_context"]
    arrays = pair_arrays(batch, docs, *settings)
    docs.pairs = _pair_batch(pairs, arrays)  # for what is copied before it is read
    Xs, bp_tok2vec = vectors_of_words(tok2vec, docs, is_train)
    X = flatten(model, Xs)
    counts = [len(c) for c in batch]
    if not is_train:
        Ys = Parts(_predict(model, X, arrays, docs), counts)
        Ys.batch = docs
        return Ys, no_backprop
    H, bp_pairs = pairs((X, docs.pairs), is_train)
    Y, bp_output = output(H, is_train)

    def backprop(dYs: list[Floats2d]) -> Any:
        dX = bp_pairs(bp_output(flatten(model, dYs)))
        return bp_tok2vec(Parts(dX, docs.document_lengths))

    return Parts(Y, counts), backprop


def _forward_exclusive(
    model: Model[Floats2d, Floats2d], scores: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable]:
    return apply_function(model, exclusive_logits, scores, is_train)


def _pair_batch(pairs: Model, arrays: Arrays) -> PairBatch:
    module = pairs.shims[0]._model
    return PairBatch(device_of(pairs), *arrays, parts=module.parts)


def _uploads(docs: Batch) -> list[numpy.ndarray]:
    """What is read of the pairs of a batch, unless they are read in parts."""
    pairs = docs.pairs
    if pairs is None or len(pairs) > PAIRS_AT_ONCE:
        return []
    return pairs.uploads()


def _predict(model: Model, X: Floats2d, arrays: Arrays, docs: Batch) -> Floats2d:
    """Logits of all pairs, some at a time: their features take far more memory."""
    _, pairs, output = model.layers
    spans, types, ordered, contexts = arrays
    starts = range(0, len(ordered), PAIRS_AT_ONCE)
    if len(starts) < 2:
        there = docs.there(device_of(pairs), _uploads)
        if there is not None:
            docs.pairs.place(there)
        return output.predict(pairs.predict((X, docs.pairs)))
    parts = [slice(start, start + PAIRS_AT_ONCE) for start in starts]
    chosen = [(spans, types, ordered[part], contexts[part]) for part in parts]
    strongest = _strongest(pairs, X, chosen)
    n_labels = model.get_ref("output_layer").get_dim("nO")
    logits = model.ops.alloc2f(len(ordered), n_labels)
    for part, some in zip(parts, chosen, strict=True):
        own = _pair_batch(pairs, some)
        logits[part] = output.predict(pairs.predict((X, own, *strongest)))
    return logits


def _strongest(pairs: Model, X: Floats2d, parts: list[Arrays]) -> tuple[Any, ...]:
    """What parts of a batch's pairs have to know of each other, if anything."""

    def ask(module: Any) -> torch.Tensor:
        tokens = floats_to_torch(pairs, X, False)
        found = tokens.new_zeros(())  # no feature is negative
        for arrays in parts:
            batch = _pair_batch(pairs, arrays)
            here = module.strongest(module.own(tokens, batch), batch)
            found = torch.maximum(found, here)
        return found

    if getattr(pairs.shims[0]._model, "others", None) is None:
        return ()
    return (from_torch(pairs, predict_with(pairs, ask)),)


def reads_words(model: Model) -> bool:
    """Whether the pairs of a model attend to words."""
    layer = model.maybe_get_ref("pairs")
    return layer is not None and getattr(layer.shims[0]._model, "attention", False)


def pair_attention(
    model: Model, doc: Doc, pairs: list[tuple[Span, Span]]
) -> list[numpy.ndarray]:
    """How much pairs of a document's spans attend to each of its words.

    Returns for each pair an array of shape (n_heads, n_tokens); each head's weights add
    up to 1, and are 0 outside of the pair's context and at whitespace.
    """
    if not pairs:
        return []
    tok2vec, layer, _ = model.layers
    order = numpy.arange(2 * len(pairs), dtype="int64").reshape(-1, 2)
    candidates = Candidates(doc, [span for pair in pairs for span in pair], order)
    settings = model.attrs["context"], model.attrs["max_context"]
    docs = Batch([doc])
    arrays = pair_arrays([candidates], docs, *settings)
    (X,), _ = vectors_of_words(tok2vec, docs, False)
    words = word_places(doc)
    places = numpy.arange(len(doc)) if words is None else words
    batch = _pair_batch(layer, arrays)
    tokens = floats_to_torch(layer, X, False)
    found = predict_with(layer, lambda module: module.weights(tokens, batch))
    weights = found.float().cpu().numpy()  # (n_pairs, n_heads, longest context)
    result = []
    for (first, end), of_pair in zip(arrays[-1].tolist(), weights, strict=True):
        whole = numpy.zeros((len(of_pair), len(doc)), dtype="float32")
        whole[:, places[first:end]] = of_pair[:, : end - first]
        result.append(whole)
    return result


def _pair_inputs(
    model: Model, X: tuple[Any, ...], is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    tokens, batch, *strongest = X

    def backprop(d_inputs: ArgsKwargs) -> Any:
        return from_torch(model, d_inputs.args[0])

    args = (
        floats_to_torch(model, tokens, is_train),
        batch,
        *(floats_to_torch(model, array, False) for array in strongest),
    )
    return ArgsKwargs(args=args, kwargs={}), backprop


def pair_arrays(
    batch: list[Candidates], docs: Batch, context: int, max_context: int
) -> Arrays:
    """Spans, types, pairs and contexts of a batch, in flat word positions.

    docs: The documents of the candidates.
    """
    n_spans, n_pairs = [len(c.spans) for c in batch], [len(c) for c in batch]
    every = [span for c in batch for span in c.spans]
    spans = numpy.array([(s.start, s.end) for s in every], dtype="int64").reshape(-1, 2)
    spans += _starts(docs.lengths).repeat(n_spans)[:, None]
    if docs.words is not None:
        spans = docs.words.searchsorted(spans)  # words, not tokens
    pairs = numpy.concatenate([c.pairs for c in batch])
    pairs = pairs + _starts(n_spans).repeat(n_pairs)[:, None]
    starts, lengths = _starts(docs.document_lengths), docs.document_lengths
    both = spans[pairs]  # (n_pairs, 2, 2)
    first = both[:, :, 0].min(1) - context
    end = both[:, :, 1].max(1) + context
    first = numpy.maximum(first, starts.repeat(n_pairs))
    end = numpy.minimum(end, (starts + lengths).repeat(n_pairs))
    end = numpy.minimum(end, first + max_context)
    known = {label: type_rows(label) for label in {span.label for span in every}}
    types = numpy.array([known[span.label] for span in every], dtype="int64")
    return (
        spans,
        types.reshape(-1, N_TYPE_HASHES),
        pairs,
        numpy.stack([first, end], 1),
    )


def _starts(lengths: Any) -> numpy.ndarray:
    """Where each of consecutive stretches begins, (n,), int64."""
    sizes = numpy.asarray(lengths, dtype="int64")
    return sizes.cumsum() - sizes


def type_rows(label: int) -> list[int]:
    """Rows of an entity type's embedding, from its 64-bit hash."""
    return [(label >> (20 * i)) % N_TYPE_ROWS for i in range(N_TYPE_HASHES)]
