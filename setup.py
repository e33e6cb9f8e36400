"""The packages, and the compiled parts, without which PyTorch does their work.

The folder `configs` is installed as `spacy_attnner/configs`: a checkout and what is
installed of it share one copy.
"""

import sys

from setuptools import Extension, find_packages, setup

CRF, LAYERS = "spacy_attnner/crf", "spacy_attnner/layers"
HEADERS = [f"{LAYERS}/kernels.h", f"{LAYERS}/product.h"]
OPTIONS = {
    "extra_compile_args": []
    if sys.platform == "win32"
    else ["-O3", "-fno-trapping-math"],
    "optional": True,
}

setup(
    packages=[*find_packages(include=["spacy_attnner*"]), "spacy_attnner.configs"],
    package_dir={"spacy_attnner.configs": "configs"},
    package_data={
        "spacy_attnner": ["py.typed", "crf/loop.c"],
        "spacy_attnner.configs": ["*.cfg"],
    },
    ext_modules=[
        Extension(
            "spacy_attnner.crf._loop",
            [f"{CRF}/binding.c"],
            depends=[f"{CRF}/loop.c"],
            **OPTIONS,
        ),
        Extension(
            "spacy_attnner.layers._recurrence",
            [f"{LAYERS}/recurrence.c"],
            depends=HEADERS,
            **OPTIONS,
        ),
        Extension(
            "spacy_attnner.layers._context",
            [f"{LAYERS}/context.c"],
            depends=HEADERS,
            **OPTIONS,
        ),
    ],
)
