"""A training corpus whose documents come with their gold entities.

spaCy's own `Corpus` hands components a `predicted` document without annotation. A
relation component that is trained by itself would find no entity there to join.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example, dont_augment
from spacy.util import registry
from spacy.vocab import Vocab

from ..relations import (
    RELATIONS_KEY,
    get_relations,
    has_relations,
    move_relation,
    set_relations,
)
from .sentences import split_sentences

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
