"""The one place that makes documents of records: tokens, spans, relations, categories.

What a file says and what spaCy's documents can hold differ: entities begin inside a
token, hold a space at their edge, lie in each other, or have offsets that some other
language counted. All that is changed here is counted and listed, see
`complaints.Repairs`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..relations import Relation, set_relations
from .alignment import (
    Place,
    describe_misaligned,
    is_covered,
    other_units,
    split_tokens,
    trim,
)
from .complaints import Collector, Labels, check_label, check_named
from .record import FLAWED, Link, Mention, Record

ALIGN = ("strict", "expand", "contract", "split")
ALL_ENTITIES = "all_entities"  # the span group where entities overlap
ID, META = "id", "meta"  # keys of `doc.user_data`
SPLIT = "entity that begins or ends inside a token: token split"
ALIGNED = {
    "expand": "entity that begins or ends inside a token: expanded to whole tokens",
    "contract": "entity that begins or ends inside a token: contracted to whole tokens",
}
TRIMMED = "entity with whitespace or punctuation at its edges: trimmed"
OVERLAP = "entity that overlaps a longer or an earlier one: not in doc.ents, but in the"
OVERLAP += " span group of all entities"
NESTED = (
    "relation of an entity that is not in doc.ents: kept; attn_rel does not find it"
)
TWICE = "entity given twice: one left out"
LINK_TWICE = "relation given twice: one left out"
MERGED = "relation that aligned entities made a self relation or a duplicate: dropped"
UNITS = "offsets that count {}: turned into characters, by the text that is stored"
Key = tuple[int, int, int]  # what makes two spans of a document the same one
Spans = list[Span | None]  # of each entity; None for one that is wrong
Note = Callable[[int | None, str, str, int], None]  # line, kind, detail, how many


@dataclass(frozen=True)
class Rules:
    """How documents are made.

    align: What becomes of an entity that begins or ends inside a token: an error, or it
        is expanded, or contracted, or the token is split.
    trim: Leave whitespace and punctuation at the edges of entities out.
    labels: The labels allowed once they are renamed; None allows any.
    label_map: New names of labels: of entities, relations and categories.
    cats: Keep only these categories; None keeps all.
    categories: The categories that every document with categories gets, those that it
        does not name at 0.
    spans_key: A span group that gets all entities of every document. Without one those
        that overlap, and the others of their document, are in `ALL_ENTITIES`.
    """

    align: str = "strict"
    trim: bool = False
    labels: Labels = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    cats: Collection[str] | None = None
    categories: Collection[str] = ()
    spans_key: str | None = None


def _unheard(line: int | None, kind: str, detail: str, n: int) -> None:
    pass


class DocumentMaker:
    """Makes documents of records.

    nlp: Gives the vocabulary and the tokenizer.
    note: Is told of each repair: the line or None, the kind, the value, how many.

    ent_labels, rel_labels, cat_labels: The labels that there were, before they were
        renamed.
    """

    def __init__(
        self, nlp: Language, rules: Rules | None = None, note: Note = _unheard
    ) -> None:
        self.nlp = nlp
        self.rules = rules or Rules()
        self.note = note
        self.ent_labels: set[str] = set()
        self.rel_labels: set[str] = set()
        self.cat_labels: set[str] = set()

    def make(self, record: Record, flaws: Collector | None = None) -> Doc:
        """Make a document.

        flaws: What is known to be wrong in the record.

        Raises Flaws if there are some, if an entity or a relation cannot be, or a label
        is not allowed, with all that is wrong.
        """
        flaws = Collector() if flaws is None else flaws
        doc = None
        with flaws.of():
            doc = self._make(record, flaws)
        flaws.check()
        assert doc is not None
        return doc

    def _make(self, record: Record, flaws: Collector) -> Doc:
        cats = self._cats(record, flaws)
        doc = self._make_tokens(record)
        doc.cats = cats
        spans: Spans = []
        ents: set[Key] = set()
        if record.entities is not None:
            doc, spans = self._place(doc, record, record.entities, flaws)
            ents = self._set_entities(doc, record, spans)
        if record.relations is not None and (spans or not flaws.items):
            links = self._relations(record.relations, spans, ents, flaws)
            if not flaws.items:
                set_relations(doc, links)
        if record.id is not None:
            if type(record.id) not in (str, int, float):
                raise ValueError(f"id is {record.id!r}; give a string or a number")
            doc.user_data[ID] = record.id
        if record.meta:
            doc.user_data[META] = dict(record.meta)
        return doc

    def _make_tokens(self, record: Record) -> Doc:
        if record.words is None:
            return self.nlp.make_doc(record.text or "")
        # without `spaces` spaCy trains on these words instead of tokenizing anew
        flags: dict[str, Any] = {}
        if record.spaces is not None:
            flags["spaces"] = list(record.spaces)
        if record.sent_starts is not None:
            flags["sent_starts"] = list(record.sent_starts)
        doc = Doc(self.nlp.vocab, words=list(record.words), **flags)
        if record.text is not None and doc.text != record.text:
            raise ValueError(
                f"the tokens give {doc.text[:40]!r}, the text is {record.text[:40]!r}; "
                "make them agree, or leave the tokens out"
            )
        return doc

    def _cats(self, record: Record, flaws: Collector) -> dict[str, float]:
        if record.cats is None:
            return {}
        self.cat_labels.update(record.cats)
        new = self.rules.label_map
        for label in record.cats:
            with flaws.of():
                check_label(label, self.rules.labels, new.get(label))
        cats = dict.fromkeys(sorted(self.rules.categories), 0.0)
        self.cat_labels.update(cats)
        cats.update({label: float(value) for label, value in record.cats.items()})
        kept = self.rules.cats or cats
        found: dict[str, float] = {}
        for label in (label for label in cats if label in kept):
            name = new.get(label, label)
            found[name] = max(cats[label], found.get(name, 0.0))
        return found

    def _place(
        self, doc: Doc, record: Record, given: Sequence[Mention], flaws: Collector
    ) -> tuple[Doc, Spans]:
        """The document, whose tokens may be split anew, and a span for each mention."""
        text = record.text  # which is that of the document
        sound = [mention for mention in given if mention is not FLAWED]
        found = [(mention.start, mention.end) for mention in sound]
        if text is not None:
            found = self._characters(text, sound)
        mentions: list[Mention] = []
        places: list[Place] = []
        for mention, place in zip(sound, found, strict=True):
            with flaws.of(mention.line):
                self._check_label(mention)
            with flaws.of(mention.line):
                self._check_place(mention, place, doc, text)
                if self.rules.trim:
                    place = self._trim(doc, text, mention, place)
                mentions.append(mention)
                places.append(place)
        if text is not None and self.rules.align == "split":
            doc = self._split(doc, mentions, places)
        spans: dict[int, Span] = {}  # by the identity of the mention
        for mention, place in zip(mentions, places, strict=True):
            with flaws.of(mention.line):
                spans[id(mention)] = self._span(doc, mention, place, text is None)
        return doc, [spans.get(id(mention)) for mention in given]

    def _check_label(self, mention: Mention) -> None:
        name, old = mention.place, mention.label
        check_named(old, name)
        self.ent_labels.add(old)
        check_label(old, self.rules.labels, self.rules.label_map.get(old))

    def _check_place(
        self, mention: Mention, place: Place, doc: Doc, text: str | None
    ) -> None:
        """Raises ValueError for offsets that cannot be."""
        name, old, (start, end) = mention.place, mention.label, place
        size = len(doc if text is None else text)
        if not 0 <= start < end <= size:
            raise ValueError(
                f"{name} {old!r} spans {start} to {end}, out of range: the document "
                f"has {size} {'tokens' if text is None else 'characters'}; "
                f"give 0 <= start < end <= {size}"
            )
        found = doc[start:end].text if text is None else text[start:end]
        if not is_covered(found, (0, len(found)), mention.text):
            raise ValueError(
                f"{name} {old!r} is {found!r} ({start} to {end}), but its text is "
                f"given as {mention.text!r}; correct one of them"
            )
        if not found.strip():
            raise ValueError(f"{name} {old!r} holds whitespace only; remove it")

    def _characters(self, text: str, mentions: list[Mention]) -> list[Place]:
        """Offsets in characters, whatever they count, where the text covered tells."""
        places = [(mention.start, mention.end) for mention in mentions]
        stored = [mention.text for mention in mentions]
        if all(map(is_covered, [text] * len(places), places, stored)):
            return places
        for unit, indices in other_units(text):
            try:
                moved = [(indices[start], indices[end]) for start, end in places]
            except KeyError:
                continue
            if all(map(is_covered, [text] * len(moved), moved, stored)):
                self.note(None, UNITS.format(unit), repr(text[:40]), len(moved))
                return moved
        return places

    def _trim(
        self, doc: Doc, text: str | None, mention: Mention, place: Place
    ) -> Place:
        """A place without edges; in tokens where there is no text."""
        if text is None:
            span = doc[slice(*place)]
            start, end = self._trim(
                doc, doc.text, mention, (span.start_char, span.end_char)
            )
            inner = doc.char_span(start, end, alignment_mode="expand")
            return (inner.start, inner.end) if inner is not None else place
        start, end = trim(doc, text, *place)
        if (start, end) != place:
            detail = f"{text[slice(*place)]!r} to {text[start:end]!r}"
            self.note(mention.line, TRIMMED, detail, 1)
        return start, end

    def _split(self, doc: Doc, mentions: list[Mention], places: list[Place]) -> Doc:
        made = split_tokens(doc, [at for place in places for at in place])
        if made is doc:
            return doc
        for mention, place in zip(mentions, places, strict=True):
            if doc.char_span(*place) is None:
                within = doc.char_span(*place, alignment_mode="expand")
                detail = f"{doc.text[slice(*place)]!r} in {str(within)!r}"
                self.note(mention.line, SPLIT, detail, 1)
        return made

    def _span(self, doc: Doc, mention: Mention, place: Place, tokens: bool) -> Span:
        label = self.rules.label_map.get(mention.label, mention.label)
        if tokens:
            return Span(doc, *place, label)
        span = doc.char_span(*place, label)
        mode = self.rules.align
        if span is None and mode in ALIGNED:
            span = doc.char_span(*place, label, alignment_mode=mode)
            if span is not None and len(span):
                detail = f"{doc.text[slice(*place)]!r} to {span.text!r}"
                self.note(mention.line, ALIGNED[mode], detail, 1)
        if span is None or not len(span):
            raise ValueError(describe_misaligned(doc, mention.place, place, mode))
        return span

    def _set_entities(self, doc: Doc, record: Record, spans: Spans) -> set[Key]:
        """The longest into the entities, all into a span group if some overlap.

        Returns what is in the entities.
        """
        given: dict[Key, Span] = {}
        lines: dict[Key, int | None] = {}
        for mention, span in zip(record.entities or (), spans, strict=True):
            if span is None:
                continue
            if given.setdefault(_key(span), span) is not span:
                detail = f"{span.text!r} ({span.label_})"
                self.note(mention.line, TWICE, detail, 1)
            lines.setdefault(_key(span), mention.line)
        kept = filter_spans(given.values())
        ents = {_key(span) for span in kept}
        for key, span in given.items():
            if key not in ents:
                self.note(lines[key], OVERLAP, f"{span.text!r} ({span.label_})", 1)
        doc.set_ents(kept, default="missing" if record.partial else "outside")
        overlapping = ALL_ENTITIES if len(kept) < len(given) else None
        if name := self.rules.spans_key or overlapping:
            doc.spans[name] = list(given.values())
        return ents

    def _relations(
        self, links: Iterable[Link], spans: Spans, ents: set[Key], flaws: Collector
    ) -> list[Relation]:
        found: dict[Any, Relation] = {}
        places: dict[Any, tuple[int, int]] = {}
        for link in links:
            with flaws.of(link.line):
                check_named(link.label, link.place)
                self.rel_labels.add(link.label)
                new = self.rules.label_map.get(link.label)
                check_label(link.label, self.rules.labels, new)
            with flaws.of(link.line):
                self._add(found, places, link, spans, ents)
        return list(found.values())

    def _add(
        self,
        found: dict[Any, Relation],
        places: dict[Any, tuple[int, int]],
        link: Link,
        spans: Spans,
        ents: set[Key],
    ) -> None:
        for name, index in (("head", link.head), ("tail", link.tail)):
            if not 0 <= index < len(spans):
                raise ValueError(
                    f"{link.place} {name} is {index}, which is no entity: the document "
                    f"has {len(spans)}; give its place in entities, counted from 0"
                )
        head, tail = spans[link.head], spans[link.tail]
        if head is None or tail is None:  # whose flaw is told
            return
        label = self.rules.label_map.get(link.label, link.label)
        key = _key(head), _key(tail), label
        ends, what = (link.head, link.tail), _describe(link, head, tail)
        if link.head == link.tail:
            raise ValueError(
                f"{link.place} {what} joins an entity to itself; remove it"
            )
        if key[0] == key[1] or key in found:
            kind = LINK_TWICE if places.get(key) == ends else MERGED
            self.note(link.line, kind, what, 1)
            return
        if not {key[0], key[1]} <= ents:
            self.note(link.line, NESTED, what, 1)
        found[key] = Relation(head, tail, label)
        places[key] = ends


def _key(span: Span) -> Key:
    return span.start, span.end, span.label


def _describe(link: Link, head: Span, tail: Span) -> str:
    return f"{link.label!r} from {head.text!r} to {tail.text!r}"
