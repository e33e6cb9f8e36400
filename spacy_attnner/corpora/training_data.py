"""Annotated documents as `spacy train` and the commands show them to a pipeline.

spaCy's own `Corpus` hands components a `predicted` document without annotation. A
relation component that is trained by itself would find no entity there to join, and a
component that uses sentences, as `spacy-attnner.AttentionEncoder.v1` does, would be
trained and scored without.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
from spacy.attrs import SENT_START
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Corpus, Example, dont_augment
from spacy.util import registry
from spacy.vocab import Vocab

from ..errors import UserError
from ..relations import (
    RELATIONS_KEY,
    get_relations,
    has_relations,
    move_relation,
    set_relations,
    spans_to_docs,
    split_sentences,
)

Augmenter = Callable[[Language, Example], Iterable[Example]]


@registry.readers("spacy-attnner.GoldEntitiesCorpus.v1")
def create_gold_entities_reader(
    path: Path | None,
    gold_preproc: bool,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Callable | None = None,
) -> Callable[[Language], Iterable[Example]]:
    """Read `.spacy` files like `spacy.Corpus.v1`, gold entities set on `predicted`.

    path: A file or a folder of them.
    gold_preproc: Use the gold tokens, and make one example of every sentence.
    max_length: Split documents of this many tokens into their sentences, and pass over
        what is still as long; 0 for no limit.
    limit: Read no more than this many documents; 0 for no limit.
    augmenter: Makes further examples of each.

    Raises ValueError if there is no path.
    """
    if path is None:
        raise ValueError(Errors.E913)
    return GoldEntitiesCorpus(
        path,
        gold_preproc=gold_preproc,
        max_length=max_length,
        limit=limit,
        augmenter=augmenter,
    )


class GoldEntitiesCorpus(Corpus):
    """`spacy.training.Corpus` with gold entities on `predicted`; keeps relations.

    Documents that are split into sentences keep the relations within each, which
    spaCy's own corpus loses. Arguments are those of `Corpus`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        limit: int = 0,
        gold_preproc: bool = False,
        max_length: int = 0,
        augmenter: Augmenter | None = None,
        shuffle: bool = False,
    ) -> None:
        super().__init__(
            path,
            limit=limit,
            gold_preproc=gold_preproc,
            max_length=max_length,
            augmenter=partial(_augment, augmenter=augmenter or dont_augment),
            shuffle=shuffle,
        )

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """Read the documents of files; raises ValueError where there is no file."""
        files = list(locs)
        if not files:
            raise ValueError(
                f"there are no documents in {self.path}: only `.spacy` files and "
                "folders of them are read; make one with `python -m spacy attn convert "
                "train.jsonl train.spacy`"
            )
        yield from super().read_docbin(vocab, files)

    def make_examples(
        self, nlp: Language, reference_docs: Iterable[Doc]
    ) -> Iterator[Example]:
        """Make an example of every document, or of its sentences if it is too long."""
        for doc in reference_docs:
            whole = not self.max_length or len(doc) < self.max_length
            for part in [doc] if whole else split_sentences(doc):
                if len(part) and (whole or len(part) < self.max_length):
                    yield self._make_example(nlp, part, False)

    def make_examples_gold_preproc(
        self, nlp: Language, reference_docs: Iterable[Doc]
    ) -> Iterator[Example]:
        """Make an example of every sentence, with the gold tokens."""
        for doc in reference_docs:
            for part in split_sentences(doc):
                if len(part):
                    yield self._make_example(nlp, part, True)


def _augment(nlp: Language, example: Example, *, augmenter: Augmenter) -> Iterator:
    for augmented in augmenter(nlp, example):
        if augmented is not example:
            _restore_relations(augmented.reference, example.reference)
        set_gold_entities(augmented)
        yield augmented


def _restore_relations(doc: Doc, original: Doc) -> None:
    """Put back the relations that `Example.from_dict` loses.

    Where an augmenter changed the number of tokens they become "not annotated".
    """
    if has_relations(doc) or not has_relations(original):
        return
    doc.spans.pop(RELATIONS_KEY, None)
    if len(doc) == len(original):
        moved = [move_relation(each, doc, 0) for each in get_relations(original)]
        set_relations(doc, moved)


def set_gold_entities(example: Example) -> None:
    """Set the entities of the reference on `predicted`, aligned to its tokens.

    Tokens whose annotation is missing, or that an entity cannot be aligned to, stay
    missing.
    """
    if not example.reference.has_annotation("ENT_IOB"):
        return
    ents, tags = example.get_aligned_ents_and_ner()
    doc = example.predicted
    if None not in tags:
        doc.set_ents(ents, default="outside")
        return
    outside = [doc[i : i + 1] for i, tag in enumerate(tags) if tag == "O"]
    doc.set_ents(ents, outside=outside, default="missing")


@registry.augmenters("spacy-attnner.GoldSentences.v1")
def create_gold_sentences(
    share: float = 1.0, max_tokens: int = 100
) -> Callable[[Language, Example], Iterator[Example]]:
    """Set the gold sentence starts on `predicted`.

    What is set is drawn once, when the corpus is read.

    share: Share of the documents that show all sentence starts. The others show only
        some, so that they fall into runs of sentences, of lengths drawn evenly from 1
        to `max_tokens`: what a sentence splitter makes of headlines and tables.
    max_tokens: Most tokens of a run of several sentences.

    Raises ValueError for a share outside [0, 1] or a limit below 1.
    """
    _check_share("share", share, max_tokens)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        if example.reference.has_annotation("SENT_START"):
            starts = _gold_sentence_starts(example)
            if random.random() >= share:
                starts = draw_runs(starts, len(example.predicted), max_tokens)
            _set_sentence_starts(example.predicted, starts)
        yield example

    return augment


def _check_share(name: str, share: float, max_tokens: int) -> None:
    """Raises ValueError for a share outside [0, 1] or a limit below 1."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{name} {share} is not in [0, 1]")
    if max_tokens < 1:
        raise ValueError(f"max_tokens {max_tokens} is less than 1")


def _gold_sentence_starts(example: Example) -> numpy.ndarray:
    """The reference's sentence starts as tokens of `predicted`, shape (n_sentences,).

    A start inside a predicted token is one of the next token.
    """
    reference = example.reference
    starts = numpy.array([sent.start for sent in reference.sents], dtype="int64")
    predicted = example.predicted
    if len(predicted) == len(reference) and all(
        a.orth == b.orth for a, b in zip(predicted, reference, strict=True)
    ):
        return starts
    offsets = [token.idx for token in predicted]
    wanted = [reference[int(start)].idx for start in starts]
    found = numpy.unique(numpy.searchsorted(offsets, wanted))
    return found[found < len(predicted)]


def draw_runs(starts: numpy.ndarray, n_tokens: int, max_tokens: int) -> numpy.ndarray:
    """Some of the starts: consecutive sentences joined up to drawn lengths."""
    kept: list[int] = []
    limit = 0
    ends = [*starts[1:].tolist(), n_tokens]
    for start, end in zip(starts.tolist(), ends, strict=True):
        if not kept or end - kept[-1] > limit:
            kept.append(start)
            limit = random.randint(1, max_tokens)
    return numpy.array(kept, dtype="int64")


def _set_sentence_starts(doc: Doc, starts: numpy.ndarray) -> None:
    """Make sentences of a document begin at these tokens and nowhere else."""
    # the setter of a token looks through the whole document each time
    is_start = numpy.full(len(doc), -1, dtype="int64")
    is_start[starts] = 1
    flags: Any = is_start.view("uint64")
    doc.from_array([SENT_START], flags)


@registry.augmenters("spacy-attnner.SentenceRuns.v1")
def create_sentence_runs(
    single: float = 0.5, max_tokens: int = 150
) -> Callable[[Language, Example], Iterator[Example]]:
    """Train on stretches of every length, so that a model knows single sentences and
    whole documents.

    At each reading of the corpus (every epoch if `max_epochs` is -1, else once) a
    document is cut anew: into its sentences, or into runs of sentences whose lengths
    are drawn evenly from 1 to `max_tokens`. A document without sentence starts stays
    whole.

    single: Share of the documents that are cut into single sentences.
    max_tokens: Most tokens of a run of several sentences.

    Raises ValueError for a share outside [0, 1] or a limit below 1.
    """
    _check_share("single", single, max_tokens)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        doc = example.reference
        if not doc.has_annotation("SENT_START"):
            yield example
            return
        runs = doc.sents if random.random() < single else _runs(doc, max_tokens)
        for part in spans_to_docs(runs):
            yield _make_example(nlp, part)

    return augment


def _runs(doc: Doc, max_tokens: int) -> Iterator[Span]:
    """Consecutive sentences of at least one each, joined up to drawn lengths."""
    starts = numpy.array([sentence.start for sentence in doc.sents], dtype="int64")
    bounds = [*draw_runs(starts, len(doc), max_tokens).tolist(), len(doc)]
    for start, end in pairwise(bounds):
        yield doc[start:end]


def _make_example(nlp: Language, reference: Doc) -> Example:
    if not reference.has_unknown_spaces:
        return Example(nlp.make_doc(reference.text), reference)
    words = [token.text for token in reference]
    return Example(Doc(nlp.vocab, words=words), reference)


def check_choice(*, gold_preproc: bool, gold_sents: bool) -> None:
    """Raises UserError for both at once."""
    if gold_preproc and gold_sents:
        raise UserError(
            "--gold-preproc and --gold-sents exclude each other",
            "--gold-sents keeps documents whole and says where their sentences begin; "
            "--gold-preproc makes a document of every sentence.",
        )


def make_corpus(data: Path, *, gold_preproc: bool, gold_sents: bool) -> Corpus:
    """A reader of whole documents, or of their sentences.

    gold_preproc: Gold tokens, and an example of every sentence.
    gold_sents: Whole documents, with the gold sentence starts set on `predicted`.
    """
    augmenter = create_gold_sentences() if gold_sents else None
    return Corpus(data, gold_preproc=gold_preproc, augmenter=augmenter)


def has_sentences(examples: Iterable[Example], data: Path) -> bool:
    """Whether sentences are annotated in any example; warns if not."""
    if any(each.reference.has_annotation("SENT_START") for each in examples):
        return True
    from ..terminal import msg

    msg.warn(f"No sentences are annotated in {data}: it is read as whole documents")
    return False
