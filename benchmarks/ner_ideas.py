"""Ideas that benchmarks/ner.py measures beside the package: none of them is part of it.

Importing this registers two augmenters and three layers under `benchmarks.`.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import registry
from spacy.vocab import Vocab
from thinc.api import ArgsKwargs, Model, concatenate, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor, nn

from spacy_attnner.corpora.training_data import create_gold_sentences
from spacy_attnner.layers.characters import CharacterCNN, character_ids
from spacy_attnner.models.batch import Words
from spacy_attnner.models.bridge import array_output, ints_to_torch, torch_layer
from spacy_attnner.models.crf_tagger import build_crf_tagger
from spacy_attnner.models.rows import Parts
from spacy_attnner.models.word_layers import tok2vec_of_words
from spacy_attnner.pipeline import ner

Augmenter = Callable[[Language, Example], Iterator[Example]]


@registry.augmenters("benchmarks.SwappedEntities.v1")
def create_swapped_entities(
    copies: float, share: float = 0.7, max_tokens: int = 100
) -> Augmenter:
    """`GoldSentences.v1` of every document and of copies with other names in them.

    A copy has each name replaced by one of the same label from the documents read
    before; the same name becomes the same one all over the document.

    copies: Share of the documents that a copy is made of.
    """
    sentences = create_gold_sentences(share, max_tokens)
    names: dict[str, list[list[str]]] = {}

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        yield from sentences(nlp, example)
        doc = example.reference
        if names and random.random() < copies:
            chosen: dict[tuple[str, str], list[str]] = {}

            def replace(span: Span) -> list[str]:
                own = (span.label_, span.text)
                if own not in chosen:
                    known = names.get(span.label_)
                    chosen[own] = random.choice(known) if known else _words(span)
                return chosen[own]

            yield from sentences(nlp, _rewrite(nlp.vocab, doc, replace))
        for ent in doc.ents:
            names.setdefault(ent.label_, []).append(_words(ent))

    return augment


@registry.augmenters("benchmarks.UpperCase.v1")
def create_upper_case(
    copies: float, share: float = 0.7, max_tokens: int = 100
) -> Augmenter:
    """`GoldSentences.v1` of every document and of copies in upper case.

    copies: Share of the documents that a copy is made of.
    """
    sentences = create_gold_sentences(share, max_tokens)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        yield from sentences(nlp, example)
        if random.random() < copies:
            words = [token.text.upper() for token in example.reference]
            upper = _like(nlp.vocab, example.reference, words)
            upper.ents = [
                Span(upper, ent.start, ent.end, ent.label_)
                for ent in example.reference.ents
            ]
            yield from sentences(nlp, _example(nlp.vocab, upper))

    return augment


def _words(span: Span) -> list[str]:
    return [token.text for token in span]


def _like(vocab: Vocab, doc: Doc, words: list[str]) -> Doc:
    starts: list[bool | int | None] = [bool(token.is_sent_start) for token in doc]
    return Doc(vocab, words=words, sent_starts=starts)


def _rewrite(vocab: Vocab, doc: Doc, replace: Callable[[Span], list[str]]) -> Example:
    """The document with other words in its entities."""
    words: list[str] = []
    starts: list[bool | int | None] = []
    ents: list[tuple[int, int, str]] = []
    entity_at = {ent.start: ent for ent in doc.ents}
    i = 0
    while i < len(doc):
        ent = entity_at.get(i)
        new = replace(ent) if ent else [doc[i].text]
        if ent:
            ents.append((len(words), len(words) + len(new), ent.label_))
        words += new
        starts += [bool(doc[i].is_sent_start), *[False] * (len(new) - 1)]
        i = ent.end if ent else i + 1
    copy = Doc(vocab, words=words, sent_starts=starts)
    copy.ents = [Span(copy, *ent) for ent in ents]
    return _example(vocab, copy)


def _example(vocab: Vocab, reference: Doc) -> Example:
    words = [token.text for token in reference]
    return Example(Doc(vocab, words=words), reference)


@registry.architectures("benchmarks.SoftmaxTagger.v1")
def build_softmax_tagger(
    tok2vec: Model, nO: int | None = None, sentences: bool = False
) -> Model:
    """`CRFTagger.v1` trained on each token by itself, transition scores left at zero.

    Decoding still allows BILUO sequences alone. All models of the process are trained
    so.
    """
    ner.crf_loss = softmax_loss
    return build_crf_tagger(tok2vec, nO, sentences=sentences)


def softmax_loss(
    model: Model,
    emissions: list[Floats2d],
    allowed: list[numpy.ndarray],
    incorrect: Any = (),
    sequences: Any = None,
) -> tuple[float, list[Floats2d]]:
    """Cross-entropy over tags, a mean over tokens, and its gradient."""
    flat = xp2torch(model.ops.xp.concatenate(emissions)).requires_grad_()
    mask = torch.from_numpy(numpy.concatenate(allowed))
    right = flat.masked_fill(~mask, -torch.inf).logsumexp(-1)
    loss = (flat.logsumexp(-1) - right).mean()
    (gradient,) = torch.autograd.grad(loss, flat)
    d_flat = cast(Floats2d, torch2xp(gradient))
    return float(loss.detach()), Parts(d_flat, [len(e) for e in emissions])


@registry.architectures("benchmarks.Gazetteer.v1")
def build_gazetteer(embed: Model, path: str) -> Model:
    """Embeddings, and flags of the names of the training documents that a token is in.

    The flags say which BILUO tag each match gives the token. A training document does
    not see names that it alone has.

    path: The training documents, `.spacy`.
    """
    known: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for doc in DocBin().from_disk(Path(path)).get_docs(Vocab()):
        for ent in doc.ents:
            of = known.setdefault(tuple(_words(ent)), {})
            of.setdefault(ent.label_, set()).add(_key(doc))
    labels = sorted({label for of in known.values() for label in of})
    longest = max(map(len, known))

    def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[Any, Callable]:
        outputs = []
        for doc in docs:
            key, words = _key(doc), [token.text for token in doc]
            out = model.ops.alloc2f(len(doc), 4 * len(labels))
            for start in range(len(doc)):
                for n in range(1, min(longest, len(doc) - start) + 1):
                    found = known.get(tuple(words[start : start + n]), {})
                    for label, sources in found.items():
                        if sources - {key}:
                            _mark(out, start, n, 4 * labels.index(label))
            outputs.append(out)
        return outputs, lambda d_outputs: []

    return concatenate(embed, Model("gazetteer", forward, dims={"nO": 4 * len(labels)}))


def _key(doc: Doc) -> str:
    return hashlib.md5(" ".join(token.text for token in doc).encode()).hexdigest()


class CharacterIntNet(CharacterCNN):
    """Convolutions over characters, each over the outputs of all before it.

    Source: Xin et al. (2018), "Learning Better Internal Structure of Words for Sequence
    Labeling".

    depth: Layers after the first. growth: Filters of each of a layer's two widths.
    """

    def __init__(self, *, embed_width: int, depth: int, growth: int) -> None:
        width = 2 * embed_width + 2 * growth * depth
        super().__init__(embed_width=embed_width, width=1, kernel_size=1)
        self.width = width
        self.first = _two_widths(embed_width, embed_width)
        inputs = [2 * embed_width + 2 * growth * i for i in range(depth)]
        self.squeezes = nn.ModuleList(nn.Conv1d(n, growth, 1) for n in inputs)
        self.layers = nn.ModuleList(_two_widths(growth, growth) for _ in inputs)

    def _encode(self, characters: Tensor) -> Tensor:
        inside = (characters != 0)[:, None, :]
        X = self.dropout(self.embed(characters)).transpose(1, 2)  # (n_words, E, L)
        Y = torch.cat([conv(X) for conv in self.first], 1).relu() * inside
        for squeeze, layer in zip(self.squeezes, self.layers, strict=True):
            X = squeeze(Y).relu() * inside
            convs = cast(nn.ModuleList, layer)
            new = torch.cat([conv(X) for conv in convs], 1).relu() * inside
            Y = torch.cat([Y, new], 1)
        return Y.amax(-1)  # (n_words, width); of padding alone zeros


def _two_widths(n_inputs: int, n_filters: int) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Conv1d(n_inputs, n_filters, size, padding=size // 2) for size in (3, 5)
    )


@registry.architectures("benchmarks.CharacterIntNet.v1")
def build_character_intnet(
    embed_width: int = 30, depth: int = 3, growth: int = 16, max_length: int = 24
) -> Model[list[Doc], list[Floats2d]]:
    """Token vectors out of characters, as `CharacterCNN.v1` gives them."""
    sizes = {"embed_width": embed_width, "depth": depth, "growth": growth}
    make_module = partial(CharacterIntNet, **sizes)
    layer = torch_layer(
        "character_intnet",
        make_module,
        convert_inputs=partial(_characters, max_length=max_length),
        convert_outputs=array_output,
        dims={"nO": make_module().width},
    )
    return tok2vec_of_words(layer)


def _characters(
    model: Model, words: Words, is_train: bool, *, max_length: int
) -> tuple[ArgsKwargs, Callable]:
    distinct, own = words.distinct()
    characters = character_ids(distinct.strings(), max_length)
    rows = numpy.arange(len(words)) if own is None else own
    args = (ints_to_torch(model, characters), ints_to_torch(model, rows))
    return ArgsKwargs(args=args, kwargs={}), lambda d_inputs: []


def _mark(out: Floats2d, start: int, n: int, column: int) -> None:
    if n == 1:
        out[start, column + 3] = 1.0
        return
    out[start, column] = 1.0
    out[start + 1 : start + n - 1, column + 1] = 1.0
    out[start + n - 1, column + 2] = 1.0
