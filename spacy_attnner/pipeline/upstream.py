"""Vectors that a component is given by another one, which has to have run before.

A listener reads what the upstream component left on a document. Where that is nothing,
it returns zeros, of which a model makes confident nonsense. There are three kinds of
listeners: spaCy's, which reads `doc.tensor`, and those of spacy-transformers and
spacy-curated-transformers, which read `doc._.trf_data`.
"""

from typing import Any

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

CURATED = "_TRANSFORMER_LISTENER"  # marks the listeners of spacy-curated-transformers


def listeners_of(model: Model) -> list[Any]:
    """Layers of a model that read what another component found."""
    # every prediction asks: quicker than Thinc's walk, and by type before all else
    found, seen, left = [], {id(model)}, [model]
    for node in left:
        if (type(node) is not Model or CURATED in node.attrs) and is_listener(node):
            found.append(node)
        for layer in node.layers:
            if id(layer) not in seen:
                seen.add(id(layer))
                left.append(layer)
    return found


def is_listener(layer: Model) -> bool:
    """Whether a layer reads what another component found."""
    return (
        isinstance(layer, Tok2VecListener)
        or gives_no_arrays(layer)
        or CURATED in layer.attrs
    )


def gives_no_arrays(layer: Model) -> bool:
    """Whether a layer is spacy-transformers' listener; the next one pools its data."""
    return type(layer).__name__ == "TransformerListener"


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
        upstream = upstream_of(listener, nlp)
        if upstream is not None:
            upstream.set_annotations(missing, upstream.predict(missing))
        elif any(map(len, missing)):
            text = next(doc.text for doc in missing if len(doc))
            raise ValueError(
                f"{name!r} reads the vectors of the component "
                f"{_upstream_name(listener)!r}, which the document {text[:40]!r} has "
                "not been through: call the pipeline with it enabled, or that "
                "component on the documents first"
            )


def _is_missing(listener: Any, doc: Doc) -> bool:
    """Also where there are vectors of other tokens, because some were split since."""
    if isinstance(listener, Tok2VecListener):
        # None after `doc_cleaner`
        return doc.tensor is None or (len(doc) > 0 and len(doc.tensor) != len(doc))
    data = doc._.trf_data if doc.has_extension("trf_data") else None
    if data is None:
        return True
    tokens = data.align if hasattr(data, "align") else data.last_hidden_layer_state
    return len(tokens.lengths) != len(doc)


def _upstream_name(listener: Any) -> str:
    if CURATED in listener.attrs:
        return listener.attrs["_upstream_name"]
    return listener.upstream_name


def upstream_of(listener: Any, nlp: Language | None) -> Any:
    """The component that a listener listens to, enabled or not."""
    for _, pipe in nlp.components if nlp is not None else ():
        if any(each is listener for each in getattr(pipe, "listeners", ())):
            return pipe
    return None


def release_listeners(model: Model) -> None:
    """Let listeners go of what the upstream gave them for an update, once over.

    They then read the documents' own vectors, until the upstream is trained again. The
    way of the gradient is a local function, which cannot be pickled.
    """
    for listener in listeners_of(model):
        if CURATED in listener.attrs:
            given = listener.attrs["_state"]
            given.batch_id = given.outputs = given.backprop = None
        else:
            listener.receive(None, None, None)
