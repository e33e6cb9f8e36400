"""The states of the generators that a training draws from."""

import random
from typing import Any

import numpy
import torch
from torch import Tensor

PythonState = tuple[Any, ...]
NumpyState = tuple[Any, ...]


def states() -> tuple[PythonState, NumpyState]:
    """Of Python's and NumPy's global generators."""
    return random.getstate(), numpy.random.get_state(legacy=True)  # type: ignore


def set_states(found: tuple[PythonState, NumpyState]) -> None:
    """Put both back."""
    random.setstate(found[0])
    numpy.random.set_state(found[1])


def states_to_plain(found: tuple[PythonState, NumpyState]) -> list[Any]:
    """Both as plain data."""
    (version, words, gauss), (kind, keys, *rest) = found
    return [[version, list(words), gauss], [kind, keys.tolist(), *rest]]


def states_from_plain(plain: list[Any]) -> tuple[PythonState, NumpyState]:
    """Both out of plain data."""
    (version, words, gauss), (kind, keys, *rest) = plain
    return (version, tuple(words), gauss), (kind, numpy.array(keys, "uint32"), *rest)


def torch_states() -> dict[str, Tensor]:
    """Of PyTorch's generators, by device."""
    found = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        each = torch.cuda.get_rng_state_all()
        found |= {f"cuda{number}": state for number, state in enumerate(each)}
    return found


def set_torch_states(found: dict[str, Tensor]) -> None:
    """Put them back, as far as there are such devices."""
    torch.set_rng_state(found["cpu"])
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in range(gpus):
        if f"cuda{number}" in found:
            torch.cuda.set_rng_state(found[f"cuda{number}"], number)
