"""The models that components have where a config gives them none."""

from typing import Any


def default_model(
    architecture: str,
    *,
    width: int,
    depth: int,
    n_heads: int,
    characters: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """A model over an encoder of its own that needs no static vectors.

    architecture: Registered name of the model, which takes a `tok2vec`.
    width, depth, n_heads: Of `AttentionEncoder.v1`.
    characters: Whether words are also read letter by letter.
    settings: Of the architecture.
    """
    tok2vec: dict[str, Any] = {
        "@architectures": "spacy-attnner.AttentionEncoder.v1",
        "width": width,
        "depth": depth,
        "n_heads": n_heads,
        "embed": {
            "@architectures": "spacy-attnner.WordEmbed.v1",
            "vector_width": 0,
            "word_width": 64,
        },
    }
    if characters:
        tok2vec["characters"] = {
            "@architectures": "spacy-attnner.CharacterCNN.v1",
            "width": 60,
        }
    return {"@architectures": architecture, **settings, "tok2vec": tok2vec}
