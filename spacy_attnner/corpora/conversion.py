"""From a corpus file in any format to a `.spacy` file, counting what it holds."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from tqdm import tqdm

from ..atomic import check_apart, check_file, write_bytes
from ..relations import Relation, get_relations, has_relations, set_relations
from ..terminal import visible
from .formats import detect_format, read_corpus
from .reading import CorpusError, Repairs

MAX_NOTES = 20


@dataclass
class Summary:
    """Counts of a corpus.

    format: The format it was read in.
    docs, sentences, tokens: How many there are; sentences where they are annotated.
    entities, relations: How many of each label.
    cats: How many documents have each category, scores of 0 not counted.
    annotated: How many documents have each of these annotated.
    repairs: What was repaired.
    """

    format: str = ""
    docs: int = 0
    sentences: int = 0
    tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    relations: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)
    annotated: Counter[str] = field(default_factory=Counter)
    repairs: Repairs = field(default_factory=Repairs)

    def add(self, doc: Doc) -> None:
        """Count one more document."""
        self.docs += 1
        self.tokens += len(doc)
        if len(doc) and doc.has_annotation("SENT_START"):
            self.sentences += sum(1 for _ in doc.sents)
            # a document of one token counts as annotated whether it is or not
            self.annotated["sentences"] += len(doc) > 1
        self.entities.update(ent.label_ for ent in doc.ents)
        self.relations.update(relation.label for relation in get_relations(doc))
        self.cats.update(label for label, value in doc.cats.items() if value)
        self.annotated["entities"] += bool(len(doc) and doc.has_annotation("ENT_IOB"))
        self.annotated["relations"] += has_relations(doc)
        self.annotated["cats"] += bool(doc.cats)

    def lines(self) -> list[str]:
        """The counts as text, one kind a line, the repairs at the end."""
        counts = [f"{self.docs:,} documents", f"{self.tokens:,} tokens"]
        if self.annotated["sentences"]:
            counts.insert(1, f"{self.sentences:,} sentences")
        lines = [f"{', '.join(counts)} ({self.format})"]
        for name in ("entities", "relations", "cats"):
            lines.append(self._line(name, getattr(self, name)))
        lines += [f"repaired {n:,}: {kind}" for kind, n in self.repairs.items()]
        notes = self.repairs.notes
        lines += [f"  {note}" for note in notes[:MAX_NOTES]]
        if len(notes) > MAX_NOTES:
            lines.append(f"  … and {len(notes) - MAX_NOTES:,} more places")
        return lines

    def _line(self, name: str, counts: Counter[str]) -> str:
        annotated = self.annotated[name]
        if not annotated:
            return f"{name}: not annotated"
        where = "" if annotated == self.docs else f" in {annotated:,} annotated docs"
        labels = ", ".join(f"{label} {counts[label]:,}" for label in sorted(counts))
        return f"{name}: {counts.total():,}{where}" + (f" ({labels})" if labels else "")


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
    phrases: bool = False,
    entity_label: str = "ENTITY",
    progress: bool = False,
) -> Summary:
    """Convert a corpus file into a `.spacy` file and count what it holds.

    input: The corpus file.
    output: The file to write; its folder is made if need be.
    format: One of conll2003, conll04, trec, sst2, sst_trees, jsonl, prodigy,
        semeval2010; None tells it from the file.
    sentences: Make one document of every sentence.
    lang: The language of the tokenizer and the vocabulary.
    label_map: New names of entity labels.
    labels: The labels allowed in the output, of entities, relations and categories;
        with TREC also the categories that every document gets.
    cats: Keep only these categories.
    fine: Use TREC's fine labels, five classes of SST's trees.
    phrases: Make a document of every phrase of SST's trees.
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
        phrases=phrases,
        entity_label=entity_label,
        labels=_labels_before(labels, names) if labels else None,
        repairs=summary.repairs,
    )
    docs = _relabel(docs, input, names, cats)
    doc_bin = DocBin(store_user_data=sentences)
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


def _relabel(
    docs: Iterable[Doc],
    path: str | Path,
    names: Mapping[str, str],
    cats: Collection[str] | None,
) -> Iterator[Doc]:
    """Rename entity labels and choose categories of a whole corpus.

    path: The file that the documents come from.
    names: The new label of each old one; labels not named stay.
    cats: Keep only these; None keeps all.

    Raises CorpusError at the end if a name or a category never occurred.
    """
    ent_labels: set[str] = set()
    cat_labels: set[str] = set()
    for doc in docs:
        ent_labels.update(ent.label_ for ent in doc.ents)
        cat_labels.update(doc.cats)
        if names:
            rename_entities(doc, names)
        if cats:
            doc.cats = {each: p for each, p in doc.cats.items() if each in cats}
        yield doc
    for wanted, there, option in (
        (names, ent_labels, "--map-labels"),
        (cats or (), cat_labels, "--cats"),
    ):
        unknown = set(wanted) - there
        if unknown:
            listed = ", ".join(sorted(unknown))
            known = ", ".join(sorted(there)) or "none"
            message = f"{option} names {listed}, but the labels there are: {known}"
            raise CorpusError(path, None, message)


def rename_entities(doc: Doc, names: Mapping[str, str]) -> None:
    """Rename entity labels, in the entities and in the arguments of relations.

    names: The new label of each old one; labels not named stay.
    """

    def rename(span: Span) -> Span:
        label = names.get(span.label_, span.label_)
        return Span(doc, span.start, span.end, label)

    ents = [rename(ent) for ent in doc.ents]
    relations = [
        Relation(rename(each.head), rename(each.tail), each.label, each.score)
        for each in get_relations(doc)
    ]
    doc.set_ents(ents, default="unmodified")
    if has_relations(doc):
        set_relations(doc, relations)


def _labels_before(labels: Collection[str], names: Mapping[str, str]) -> set[str]:
    """The labels that are among `labels` once they are renamed."""
    renamed = {old for old, new in names.items() if new in labels}
    return renamed | {label for label in labels if label not in names}
