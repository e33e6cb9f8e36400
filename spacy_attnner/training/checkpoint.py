"""Where a training stands, on disk: enough for it to go on as if it had not stopped.

    OUTPUT/checkpoint/
        start/  the pipeline before its first update
        last/   weights, the optimizer, the generators and the scores of a step

Weights are exact and not averaged, unlike those of `model-last`.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.numpy import load_file, save_file
from spacy.language import Language
from spacy.util import load_model
from thinc.api import Config, Optimizer

from ..atomic import remove_folders, replacing_folder, replacing_pipeline
from ..errors import UserError, sound
from ..models.bridge import whole_state
from ..report.card import TRAINED
from . import randomness
from .optimizer_state import put_state, take_state

FOLDER = "checkpoint"
STATE = "state.json"
TENSORS = "arrays.safetensors"
VERSION = 3
META = ("performance", TRAINED)  # of meta.json, what evaluations set
AGAIN = "Name another --output, or give what it was begun with."
DAMAGED = "Restore the folder from a copy, or begin anew by --force."


@dataclass
class Progress:
    """What spaCy's loop went through.

    step: Steps that are done.
    words: Tokens of their batches.
    results: Each evaluation's score and its step.
    epochs: The number of each epoch's first batch, and the states of Python's and
        NumPy's generators before it was made.
    files: The digests of the corpora's files.
    """

    step: int = 0
    words: int = 0
    results: list[tuple[float, int]] = field(default_factory=list)
    epochs: dict[int, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


class Checkpoint:
    """The checkpoint of the training into a folder."""

    def __init__(self, output: Path) -> None:
        self.folder = output / FOLDER
        self.start, self.last = self.folder / "start", self.folder / "last"

    @property
    def exists(self) -> bool:
        """Whether a training can go on from it."""
        return (self.start / "meta.json").exists() and (self.last / STATE).exists()

    @property
    def is_unfinished(self) -> bool:
        """Whether a training began and is not over; maybe too early to go on from."""
        return self.start.exists()

    def check(self) -> None:
        """Raises UserError if something else stands in its place."""
        known = (self.start / "meta.json").exists() or (self.last / STATE).exists()
        found = sorted(os.listdir(self.folder)) if self.folder.is_dir() else []
        # with a dot, what a killed run left
        others = [name for name in found if not name.startswith(".")]
        if others and not known:
            raise UserError(
                f"{self.folder} is there and holds no checkpoint: {', '.join(others)}",
                "Name another --output; nothing in it was changed.",
            )

    def begin(self, nlp: Language) -> None:
        """Keep the pipeline as it is before the first update."""
        self.remove()
        with replacing_pipeline(self.start) as folder:
            nlp.to_disk(folder)

    def remove(self) -> None:
        """The training is over, or begins anew."""
        remove_folders(self.start, self.last)  # the training ends with the first
        if self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def save(self, nlp: Language, optimizer: Optimizer, progress: Progress) -> None:
        """Keep where the training stands."""
        names = [name for name, component in nlp.components if _is_stored(component)]
        files = [f"{number}.bin" for number in range(len(names))]
        arrays, counts = take_state(optimizer, nlp)
        drawn = randomness.torch_states()
        arrays |= {f"torch/{name}": state.numpy() for name, state in drawn.items()}
        state = {
            "version": VERSION,
            "step": progress.step,
            "words": progress.words,
            "results": progress.results,
            "epochs": [
                [number, randomness.states_to_plain(found)]
                for number, found in progress.epochs.items()
            ],
            "random": randomness.states_to_plain(randomness.states()),
            "optimizer": counts,
            "files": progress.files,
            "components": names,
            "settings": {name: _settings(nlp.get_pipe(name)) for name in names},
            "meta": {name: nlp.meta[name] for name in META},
        }
        with (
            replacing_folder(self.last, [STATE, TENSORS, *files]) as folder,
            whole_state(),
        ):
            for name, file in zip(names, files, strict=True):
                component: Any = nlp.get_pipe(name)
                data = component.to_bytes(exclude=["vocab"])
                (folder / file).write_bytes(data)
            save_file(arrays, folder / TENSORS)
            # scores and losses may be numbers of NumPy
            (folder / STATE).write_text(json.dumps(state, default=float), "utf8")

    def pipeline(self) -> Language:
        """The pipeline as it was before its first update."""
        with sound(f"the checkpoint in {self.folder} does not load", DAMAGED):
            return load_model(self.start)

    def progress(self) -> Progress:
        """What the training went through; raises UserError if it cannot be read."""
        with sound(f"the checkpoint in {self.folder} cannot be read", DAMAGED):
            state = self._state()
            return Progress(
                state["step"],
                state["words"],
                [(score, step) for score, step in state["results"]],
                {
                    number: randomness.states_from_plain(x)
                    for number, x in state["epochs"]
                },
                state["files"],
            )

    def restore(self, nlp: Language, optimizer: Optimizer) -> None:
        """Give weights, the optimizer and the generators what they had.

        Raises UserError if it cannot be read or does not fit.
        """
        with (
            sound(f"the checkpoint in {self.folder} does not load", DAMAGED),
            whole_state(),
        ):
            state = self._state()
            for number, name in enumerate(state["components"]):
                component: Any = nlp.get_pipe(name)
                data = (self.last / f"{number}.bin").read_bytes()
                # spaCy rounds the numbers of `cfg`, and labels are those of the start
                component.from_bytes(data, exclude=["vocab", "cfg"])
                known = _settings(component)
                for setting, value in state["settings"][name].items():
                    if value != known[setting]:  # a callback changed it
                        setattr(component, setting, value)
            nlp.meta.update(state["meta"])
            arrays = load_file(self.last / TENSORS)
            put_state(optimizer, nlp, arrays, state["optimizer"])
            randomness.set_states(randomness.states_from_plain(state["random"]))
            randomness.set_torch_states(
                {
                    name.removeprefix("torch/"): torch.from_numpy(numpy.array(array))
                    for name, array in arrays.items()
                    if name.startswith("torch/")
                }
            )

    def _state(self) -> dict[str, Any]:
        state = json.loads((self.last / STATE).read_text("utf8"))
        if state["version"] != VERSION:
            raise ValueError(f"it is of another version, {state['version']}")
        return state

    def check_config(self, config: Config) -> None:
        """Raises UserError, naming what differs, if it is of another config."""
        with sound(f"the checkpoint in {self.folder} cannot be read", DAMAGED):
            before = Config().from_disk(self.start / "config.cfg").interpolate()
        require_same(
            before,
            config.interpolate(),
            f"the training in {self.folder.parent} was begun with another config",
            "Give the config and the settings that it was begun with, or another "
            "--output to begin anew.",
        )


def _is_stored(component: Any) -> bool:
    return hasattr(component, "to_bytes") and hasattr(component, "from_bytes")


def _settings(component: Any) -> dict[str, Any]:
    names = getattr(component, "SETTINGS", ())
    return {name: getattr(component, name) for name in names}


def require_same(before: Any, now: Any, problem: str, way_out: str) -> None:
    """Raises UserError, adding what differs to the problem, for another config."""
    differing = differences(before, now)
    if differing:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise UserError(f"{problem}: {'; '.join(differing[:5])}{more}", way_out)


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Where two configs differ, as `path: value before, value now`."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = sorted({*before, *now})
        return [
            each
            for name in names
            for each in differences(
                before.get(name), now.get(name), f"{path}.{name}".lstrip(".")
            )
        ]
    return [] if before == now else [f"{path} was {before!r} and is {now!r}"]
