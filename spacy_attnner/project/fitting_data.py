"""The documents that something is fitted to, as they come to it."""

from pathlib import Path

from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from tqdm import tqdm

from ..corpora.training_data import make_corpus
from ..errors import UserError, sound
from ..pipelines import running


def read_examples(
    nlp: Language, data: Path, *, gold_preproc: bool = False, gold_sents: bool = False
) -> tuple[list[Example], list[int]]:
    """Examples of a `.spacy` file, and the number of each one's document.

    Raises UserError where the file cannot be read or holds no documents.
    """
    with sound(
        f"{data} cannot be read",
        "Give a .spacy file, as `spacy convert` or `spacy attn convert` write it.",
    ):
        docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    corpus = make_corpus(data, gold_preproc=gold_preproc, gold_sents=gold_sents)
    make = corpus.make_examples_gold_preproc if gold_preproc else corpus.make_examples
    examples, groups = [], []
    for number, doc in enumerate(docs):
        if len(doc):
            for example in make(nlp, [doc]):
                for shown in corpus.augmenter(nlp, example):
                    examples.append(shown)
                    groups.append(number)
    if not examples:
        raise UserError(
            f"{data} holds no documents with tokens",
            "Give annotated documents that the pipeline was not trained on.",
        )
    return examples, groups


def annotate_before(
    nlp: Language, name: str, examples: list[Example], progress: bool
) -> None:
    """Run the components that come before `name` over the predicted documents."""
    at = nlp.pipe_names.index(name)
    if not at:
        return
    docs = nlp.pipe(
        [example.predicted for example in examples], disable=nlp.pipe_names[at:]
    )
    disable = None if progress else True  # None: unless stderr is no terminal
    bar = tqdm(docs, total=len(examples), unit=" docs", disable=disable)
    with running(str(nlp.path or nlp.meta["name"])):
        for example, doc in zip(examples, bar, strict=True):
            example.predicted = doc
