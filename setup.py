"""The compiled part of the CRF, without which PyTorch does its work."""

import sys

from setuptools import Extension, setup

FOLDER = "spacy_attnner/crf"

setup(
    ext_modules=[
        Extension(
            "spacy_attnner.crf._loop",
            [f"{FOLDER}/binding.c"],
            depends=[f"{FOLDER}/loop.c"],
            extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
            optional=True,
        )
    ]
)
