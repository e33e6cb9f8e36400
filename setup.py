"""The compiled parts, without which PyTorch does their work."""

import sys

from setuptools import Extension, setup

CRF, LAYERS = "spacy_attnner/crf", "spacy_attnner/layers"
OPTIONS = {
    "extra_compile_args": []
    if sys.platform == "win32"
    else ["-O3", "-fno-trapping-math"],
    "optional": True,
}

setup(
    ext_modules=[
        Extension(
            "spacy_attnner.crf._loop",
            [f"{CRF}/binding.c"],
            depends=[f"{CRF}/loop.c"],
            **OPTIONS,
        ),
        Extension(
            "spacy_attnner.layers._recurrence", [f"{LAYERS}/recurrence.c"], **OPTIONS
        ),
    ]
)
