"""Write into a pipeline what it was trained on, and what it is good for.

python scripts/stamp.py MODEL_DIR corpus/SOURCE.json [--vectors VECTORS]
    [--encoder training/configs] [--name NAME]
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from confection import Config
from source import read_source
from spacy.util import get_minor_version_range

from spacy_attnner.atomic import write_json, write_text
from spacy_attnner.errors import UserError, sound
from spacy_attnner.terminal import Commands

app = Commands()


@app.command()
def stamp(
    model_dir: Path,
    source_path: Path,
    vectors: Path | None = None,
    encoder: Path | None = None,
    name: str = "",
) -> None:
    """Put `sources`, `description` and `license` into MODEL_DIR/meta.json, and into its
    config.cfg what the corpora let it be used for, where `[card]` does not say it.

    source_path: The `SOURCE.json` of the corpora.
    vectors: The folder of the word vectors, whose own sources are added.
    encoder: The folder of the chosen configs; a pretrained encoder's sources are added,
        and that the pipeline needs transformers.
    name: What the pipeline is called, without its language.

    Raises UserError if one of them is missing or no JSON.
    """
    source = read_source(source_path)
    meta = _read_meta(model_dir)
    sources = list(source["sources"])
    if vectors is not None:
        sources += _read_meta(vectors).get("sources") or []
    if encoder is not None and (own := _read_meta(encoder).get("sources")):
        sources += own
        allowed = get_minor_version_range(version("spacy-attnner"))
        meta["requirements"] = [f"spacy-attnner[transformers]{allowed}"]
    components = ", ".join(meta.get("pipeline", []))
    meta["description"] = (
        "Named entities with confidences, relations between them and text categories "
        f"({components}). {source['description']}"
    )
    meta["sources"] = sources
    if name:
        meta["name"] = name
    meta["license"] = source["licence"]
    _state(model_dir / "config.cfg", source.get("card", {}))
    write_json(model_dir / "meta.json", meta)


def _state(path: Path, stated: dict[str, str]) -> None:
    with sound(f"{path} cannot be read", "Run the step that makes the pipeline."):
        config = Config().from_disk(path, interpolate=False)
    own = config.setdefault("card", {})
    own.update({key: text for key, text in stated.items() if not own.get(key)})
    write_text(path, config.to_str(interpolate=False))


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / "meta.json"
    try:
        meta = json.loads(path.read_text(encoding="utf8"))
        if not isinstance(meta, dict):
            raise ValueError("it is no object")
        return meta
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}",
            f"{folder} is no complete spaCy pipeline; run the step that makes it.",
        ) from error


if __name__ == "__main__":
    app()
