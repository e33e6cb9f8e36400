"""Names for documents, entities and relations that are the same in every export.

They are IRIs: a base, what is named, and its parts percent-encoded (RFC 3986, 2.1)
with a colon between them, so that no text can end a part or a name.
"""

import re
from urllib.parse import quote

from .triples import Argument, Triple

BASE = "urn:spacy-attnner:"
# an absolute IRI of what an IRIREF of N-Triples may hold unescaped, up to a character
# behind which nothing changes what stands before it; a host is left by /
BASE_IRI = re.compile(
    r"""[A-Za-z][A-Za-z0-9+.-]*:(?!//[^/?\#]*$)
        (?:[^\x00-\x20<>"{}|^`\\%\x7f-\x9f\ud800-\udfff]|%[0-9A-Fa-f]{2})*
        (?<=[:/\#?=])""",
    re.VERBOSE,
)


def check_base(base: str) -> str:
    """Raises ValueError if it is no IRI that names can be put behind."""
    if not BASE_IRI.fullmatch(base):
        raise ValueError(
            f"{base!r} is not a base IRI; give an absolute one that ends with / # or "
            ":, such as https://example.org/relations/"
        )
    return base


def make_iri(base: str, kind: str, *parts: str | int) -> str:
    """`BASEkind:part:part`, each part percent-encoded but for letters, digits, -._~"""
    return base + ":".join([kind, *(quote(str(part), safe="") for part in parts)])


def document_iri(base: str, triple: Triple) -> str:
    """Named by the document's id or, if it has none, by its number."""
    if triple.doc_id is None:
        return make_iri(base, "document", triple.doc)
    return make_iri(base, "document", "id", triple.doc_id)


def entity_iri(base: str, argument: Argument) -> str:
    """The same for arguments of the same text and label, in whatever document."""
    return make_iri(base, "entity", argument.label, argument.text)


def mention_iri(base: str, triple: Triple) -> str:
    """The relation at its place in its document."""
    head, tail = triple.head, triple.tail
    places = (
        *(head.start_char, head.end_char, head.label),
        *(tail.start_char, tail.end_char, tail.label),
    )
    document = document_iri("", triple)
    return f"{make_iri(base, 'mention', triple.label, *places)}:{document}"
