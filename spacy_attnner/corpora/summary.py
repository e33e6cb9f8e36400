"""What a corpus holds: the counts that the converter reports."""

from collections import Counter
from dataclasses import dataclass, field

from spacy.tokens import Doc

from ..relations import get_relations, has_relations
from .errors import Repairs

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
