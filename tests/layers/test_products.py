"""Products with weights in panels, as each kind of processor computes them."""

import ctypes
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy
import pytest
import torch

from spacy_attnner.layers.recurrence import panels

SOURCE = """
#include "kernels.h"
#define CALL(name) name(to, from, weights, rows, width, n, s, turn)
int multiply(
    int which, float *to, const float *from, const float *weights, Py_ssize_t rows,
    Py_ssize_t width, Py_ssize_t n, Py_ssize_t s, int turn)
{
#if defined(__x86_64__)
    if (which == 2 && !HAS_AVX512) return 0;
    if (which == 1 && !HAS_AVX2) return 0;
    if (which == 2) CALL(multiply_with_avx512);
    if (which == 1) CALL(multiply_with_avx2);
#else
    if (which) return 0;
#endif
    if (!which) CALL(multiply_anywhere);
    return 1;
}
"""
KINDS = ["any processor", "AVX2", "AVX-512"]


@pytest.fixture(scope="module")
def multiply(tmp_path_factory):
    """Each product, compiled as the extensions are."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"{compiler} is no compiler here")
    folder = tmp_path_factory.mktemp("products")
    source, target = folder / "products.c", folder / "products.so"
    source.write_text(SOURCE, "utf8")
    layers = Path(__file__).parents[2] / "spacy_attnner" / "layers"
    options = ["-O3", "-fno-trapping-math", "-shared", "-fPIC", f"-I{layers}"]
    options.append(f"-I{sysconfig.get_path('include')}")
    command = [*compiler.split(), *options, str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    function = ctypes.PyDLL(str(target)).multiply
    pointer, size = ctypes.c_void_p, ctypes.c_ssize_t
    function.argtypes = [ctypes.c_int, *[pointer] * 3, *[size] * 4, ctypes.c_int]
    return function


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 7, 8, 9, 15, 40])
@pytest.mark.parametrize(
    ("width", "columns"),
    [(1, 1), (3, 16), (7, 17), (8, 31), (9, 32), (12, 33), (700, 48), (3, 64)],
)
def test_products(multiply, kind, rows, width, columns):
    torch.manual_seed(0)
    W = torch.randn(columns, width)
    wide = numpy.random.default_rng(0).normal(size=(rows, width + 3)).astype("float32")
    X, weights = wide[:, :width], panels(W).numpy()
    start = numpy.full((rows + 1, columns), 2.0, dtype="float32")
    expected = start.copy()
    expected[:rows] += (X.astype("float64") @ W.numpy().T.astype("float64")).astype("f")
    for turn in (0, 1):
        Y = start.copy()
        arrays = (array.ctypes.data for array in (Y, wide, weights))
        sizes = (rows, width, columns, width + 3)
        if not multiply(KINDS.index(kind), *arrays, *sizes, turn):
            pytest.skip(f"this processor has no {kind}")
        numpy.testing.assert_allclose(Y, expected, rtol=1e-5, atol=1e-4)
