"""The packages, and the compiled parts, without which PyTorch does their work.

The folder `configs` is installed as `spacy_attnner/configs`: a checkout and what is
installed of it share one copy.
"""

import sys

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

CRF, LAYERS = "spacy_attnner/crf", "spacy_attnner/layers"
HEADERS = [f"{LAYERS}/{name}.h" for name in ("kernels", "product", "product512")]
OPTIONS = {
    "extra_compile_args": []
    if sys.platform == "win32"
    else ["-O3", "-fno-trapping-math"],
    "optional": True,
}


class BuildExt(build_ext):
    """Leaves what it compiles in the source as well: `python -m spacy`, and so a
    project's commands, find that first where they run in this folder.
    """

    def run(self) -> None:
        super().run()
        if not self.inplace:
            self.copy_extensions_to_source()


setup(
    cmdclass={"build_ext": BuildExt},
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
        *(
            Extension(
                f"spacy_attnner.layers._{name}",
                [f"{LAYERS}/{name}.c"],
                depends=HEADERS,
                **OPTIONS,
            )
            for name in ("recurrence", "context", "pairs")
        ),
    ],
)
