"""From a corpus file in any format to a `.spacy` file."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from tqdm import tqdm

from ..atomic import check_apart, check_file, write_bytes
from ..terminal import visible
from .errors import CorpusError
from .formats import detect_format, read_corpus
from .relabel import labels_before, relabel
from .summary import Summary


def convert(
    input: str | Path,
    output: str | Path,
    *,
    format: str | None = None,
    sentences: bool = False,
    lang: str = "en",
    label_map: Mapping[str, str] | None = None,
    labels: Collection[str] | None = None,
    cats: Collection[str] | None = None,
    fine: bool = False,
    entity_label: str = "ENTITY",
    progress: bool = False,
) -> Summary:
    """Convert a corpus file into a `.spacy` file and count what it holds.

    input: The corpus file.
    output: The file to write; its folder is made if need be.
    format: One of conll2003, conll04, trec, sst2, jsonl, prodigy, semeval2010; None
        tells it from the file.
    sentences: Make one document of every sentence.
    lang: The language of the tokenizer and the vocabulary.
    label_map: New names of entity labels.
    labels: The labels allowed in the output, of entities, relations and categories;
        with TREC also the categories that every document gets.
    cats: Keep only these categories.
    fine: Use TREC's fine labels.
    entity_label: The label of entities that have none in SemEval-2010 and Prodigy.
    progress: Show a progress bar on stderr, if that is a terminal.

    Raises CorpusError if the corpus or an option is wrong; nothing is written then.
    """
    output = Path(output)
    if output.suffix != ".spacy":
        raise CorpusError(output, None, "spaCy reads .spacy files; name it so")
    check_file(output)
    check_apart(output, {"corpus": input})
    names = dict(label_map or {})
    summary = Summary(format=format or detect_format(input))
    docs = read_corpus(
        input,
        _make_tokenizer(input, lang),
        summary.format,
        sentences=sentences,
        fine=fine,
        entity_label=entity_label,
        labels=labels_before(labels, names) if labels else None,
        repairs=summary.repairs,
    )
    docs = relabel(docs, input, names, cats)
    doc_bin = DocBin()
    for doc in _show_progress(docs, Path(input).name) if progress else docs:
        summary.add(doc)
        doc_bin.add(doc)
    write_bytes(output, doc_bin.to_bytes())
    return summary


def _make_tokenizer(path: str | Path, lang: str) -> Language:
    try:
        spacy.util.get_lang_class(lang)
    except ImportError as error:
        message = f"spaCy has no language {lang!r}; give a code such as en, de or xx"
        raise CorpusError(path, None, message) from error
    return spacy.blank(lang)


def _show_progress(docs: Iterable[Doc], name: str) -> Iterable[Doc]:
    return tqdm(docs, desc=visible(name), unit=" docs", leave=False, disable=None)
