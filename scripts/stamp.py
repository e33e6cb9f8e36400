"""Write into a pipeline's `meta.json` what it was trained on.

python scripts/stamp.py MODEL_DIR corpus/SOURCE.json [--vectors VECTORS]
"""

import json
from pathlib import Path
from typing import Any

from source import read_source

from spacy_attnner.atomic import write_json
from spacy_attnner.errors import UserError
from spacy_attnner.terminal import Commands

app = Commands()


@app.command()
def stamp(model_dir: Path, source_path: Path, vectors: Path | None = None) -> None:
    """Put `sources`, `description` and `license` into MODEL_DIR/meta.json.

    source_path: The `SOURCE.json` of the corpora.
    vectors: The folder of the word vectors, whose own sources are added.

    Raises UserError if one of them is missing or no JSON.
    """
    source = read_source(source_path)
    meta = _read_meta(model_dir)
    sources = list(source["sources"])
    if vectors is not None:
        sources += _read_meta(vectors).get("sources") or []
    components = ", ".join(meta.get("pipeline", []))
    meta["description"] = (
        "Named entities with confidences, relations between them and text categories "
        f"({components}). {source['description']}"
    )
    meta["sources"] = sources
    meta["license"] = source["licence"]
    write_json(model_dir / "meta.json", meta)


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
