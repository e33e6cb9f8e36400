"""Vectors that a component is given by another one, which has to have run before.

A listener reads what the upstream component left on a document. Where that is nothing,
spaCy's listener returns zeros, of which a model makes confident nonsense.
"""

from typing import Any

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model


def listeners_of(model: Model) -> list[Any]:
    """Layers of a model that read what another component found."""
    return [
        node
        for node in model.walk()
        if isinstance(node, Tok2VecListener)
        or type(node).__name__ == "TransformerListener"
    ]


def require_vectors(
    model: Model, docs: list[Doc], name: str, nlp: Language | None
) -> None:
    """Run the upstream of a model's listeners on documents that it has not seen.

    name: The component's. nlp: Its pipeline, in which the upstream is looked for.

    Raises ValueError where the upstream is not to be found.
    """
    for listener in listeners_of(model):
        missing = [doc for doc in docs if _is_missing(listener, doc)]
        if not missing:
            continue
        upstream = _upstream_of(listener, nlp)
        if upstream is None:
            raise ValueError(
                f"{name!r} reads the vectors of the component "
                f"{listener.upstream_name!r}, which the document "
                f"{missing[0].text[:40]!r} has not been through: call the pipeline "
                "with it enabled, or that component on the documents first"
            )
        upstream.set_annotations(missing, upstream.predict(missing))


def _is_missing(listener: Any, doc: Doc) -> bool:
    if isinstance(listener, Tok2VecListener):
        # None after `doc_cleaner`, of other tokens where some were split since
        return doc.tensor is None or (len(doc) > 0 and len(doc.tensor) != len(doc))
    known = doc.has_extension("trf_data") and doc._.trf_data is not None
    return len(doc) > 0 and not known


def _upstream_of(listener: Any, nlp: Language | None) -> Any:
    """The component that a listener listens to, enabled or not."""
    for _, pipe in nlp.components if nlp is not None else ():
        known = getattr(pipe, "listeners", ()) if isinstance(pipe, Tok2Vec) else ()
        if any(each is listener for each in known):
            return pipe
    return None


def release_listeners(model: Model) -> None:
    """Let listeners go of what a shared `tok2vec` gave them for an update, once over.

    They then read the documents' own vectors, until the upstream is trained again. The
    way of the gradient is a local function, which cannot be pickled.
    """
    for listener in listeners_of(model):
        if isinstance(listener, Tok2VecListener):
            receive: Any = listener.receive
            receive(None, None, None)
