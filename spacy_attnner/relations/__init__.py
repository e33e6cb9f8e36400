"""What a relation is, how a `Doc` stores it, and how it moves between documents.

Relations live in a span group, `doc.spans["relations"]`, or in several, whose union
`get_relations(doc)` gives: the group holds the argument spans and its
`attrs["triples"]` one `[head, tail, label, score]` per relation, where `head` and
`tail` index the group's spans. Plain ints, strings and floats survive `DocBin` (without
`store_user_data`), `to_bytes`, `Doc.copy`, pickling and multiprocessing, and are read
without this package.

A document without such a group has *no relation annotation*; one with an empty group is
annotated as having no relation. spaCy's `Doc.from_docs`, `Doc.from_json` and
`Example.from_dict` keep a group's spans without its `attrs`, which makes it no
annotation: `merge_docs` and `doc_from_json` keep both. `Span.as_doc` drops the group:
`span_to_doc` keeps it. All of them keep the confidences of entities, too.

A component that merges or splits tokens (`doc.retokenize`) leaves the token indices of
all span groups as they were; their characters stay right, and those are what
everything here goes by, see `spacy_attnner.span_groups`.
"""

from ..span_groups import group_spans
from .as_json import doc_from_json, doc_to_json
from .relation import Relation
from .storage import (
    RELATIONS_KEY,
    add_relations,
    drop_relations,
    get_rel,
    get_relations,
    has_relations,
    realign_relations,
    set_rel,
    set_relations,
)
from .transfer import (
    copy_doc,
    merge_docs,
    move_relation,
    span_to_doc,
    spans_to_docs,
    split_sentences,
)

__all__ = [
    "RELATIONS_KEY",
    "Relation",
    "add_relations",
    "copy_doc",
    "doc_from_json",
    "doc_to_json",
    "drop_relations",
    "get_rel",
    "get_relations",
    "group_spans",
    "has_relations",
    "merge_docs",
    "move_relation",
    "realign_relations",
    "set_rel",
    "set_relations",
    "span_to_doc",
    "spans_to_docs",
    "split_sentences",
]
