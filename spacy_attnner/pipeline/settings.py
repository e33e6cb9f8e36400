"""Settings of a component: one value, in the component, its config and on disk.

A setting is an argument of the factory, so its place is the config of the pipeline:
what `config.cfg` says, or `spacy.load(config=…)`, goes before what a component stored.
Each is also a property that may be set at any time; the config of the pipeline that the
component belongs to follows. Only what was set on a component that has lost its
pipeline (in a copy of it, say) is stored with the component, as a change of the config.
"""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy
from spacy.language import Language

BEFORE_FITTING = "before_fitting"  # in `cfg`: settings that fitted ones replace
CHANGED = "changed"  # in `cfg`: what the config said of settings that it does not have


def setting(
    name: str, description: str, check: Callable[[str, Any], None] | None = None
) -> Any:
    """A property for a setting.

    check: From the component's name and a value; raises ValueError.
    """

    def get(component: Any) -> Any:
        return component.cfg[name]

    def set_(component: Any, value: Any) -> None:
        if check is not None:
            check(component.name, value)
        component._configure(name, value)

    return property(get, set_, doc=description)


def check_threshold(name: str, value: Any) -> None:
    """Raises ValueError where a threshold is not between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise ValueError(f"threshold {value!r} of {name!r} is not a number")
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"threshold {value} of {name!r} is not in [0, 1]")


def check_thresholds(name: str, value: Any) -> None:
    """Raises ValueError where thresholds are not numbers by label."""
    if not isinstance(value, dict):
        raise ValueError(f"thresholds {value!r} of {name!r} are no {{label: number}}")
    for label, threshold in value.items():
        check_threshold(f"{name}, label {label}", threshold)


def check_weight(name: str, value: Any) -> None:
    """Raises ValueError where the weight of a loss is not a number above 0."""
    if not is_number(value) or value <= 0.0:
        raise ValueError(f"loss_weight {value!r} of {name!r} is not a number above 0")


def loss_weight_setting() -> Any:
    """The property of all components that says how much their loss counts."""
    return setting(
        "loss_weight",
        "How much the loss counts in an encoder that components share.",
        check_weight,
    )


class Owner:
    """The pipeline that a component belongs to, which it does not keep alive."""

    def __init__(self, nlp: Language | None = None) -> None:
        self.find = (lambda: None) if nlp is None else weakref.ref(nlp)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Owner, ()  # what was sent elsewhere belongs to none

    def __deepcopy__(self, memo: dict[int, Any]) -> "Owner":
        return Owner(memo.get(id(self.find())))  # the copy of the pipeline, if any

    def config_of(self, component: Any) -> dict[str, Any] | None:
        """The component's part of its pipeline's config, to be changed."""
        nlp = self.find()
        if nlp is None:
            return None
        names = (name for name, pipe in nlp.components if pipe is component)
        name = next(names, None)
        return None if name is None else nlp.get_pipe_config(name)


class Configured:
    """What components with settings share: setting, storing and checking them.

    A subclass names its settings in `SETTINGS` and makes each a `setting`.
    """

    SETTINGS: tuple[str, ...] = ()
    cfg: dict[str, Any]
    model: Any
    name: str
    _owner = Owner()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # spaCy's component

    def belongs_to(self, nlp: Language) -> Any:
        """Let the config of a pipeline follow the settings; returns the component."""
        self._owner = Owner(nlp)
        return self

    def n_outputs(self, n_labels: int) -> int:
        """Width of the model's output for a number of labels."""
        return n_labels

    def _configure(self, name: str, value: Any) -> None:
        config = self._owner.config_of(self)
        if config is not None:
            config[name] = value
        elif name not in self.cfg.get(CHANGED, {}):
            self.cfg[CHANGED] = {**self.cfg.get(CHANGED, {}), name: self.cfg[name]}
        self.cfg[name] = value
        self._remember_fitted(name)

    def _fit(self, **values: Any) -> None:
        """Set settings to what was fitted to data; `initialize` takes it back."""
        known = self.cfg.get(BEFORE_FITTING, {})
        before = {name: known.get(name, getattr(self, name)) for name in values}
        for name, value in values.items():
            setattr(self, name, value)
        self._remember_fitted(**before)

    def _remember_fitted(self, forget: str = "", /, **before: Any) -> None:
        """What settings were before they were fitted, of one or more not any more."""
        known = self.cfg.pop(BEFORE_FITTING, {}) | before
        known.pop(forget, None)
        if known:
            self.cfg[BEFORE_FITTING] = known

    def _forget_fitted(self) -> None:
        """Take back what was fitted, but for settings that were set since."""
        for name, value in self.cfg.pop(BEFORE_FITTING, {}).items():
            setattr(self, name, value)

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Any:
        """Load the component with the settings that it had when it was stored.

        Raises ValueError where what is stored cannot be a component of its kind.
        """
        super().from_bytes(bytes_data, exclude=exclude)  # type: ignore[misc]
        self.cfg.pop(CHANGED, None)
        return self._loaded({name: self.cfg[name] for name in self.SETTINGS}, exclude)

    def from_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> Any:
        """Load the component from a folder; its config goes before what it stored.

        Raises ValueError as `from_bytes` does.
        """
        configured = {name: self.cfg[name] for name in self.SETTINGS}
        self.cfg.pop(CHANGED, None)
        super().from_disk(path, exclude=exclude)  # type: ignore[misc]
        stored, changed = dict(self.cfg), self.cfg.pop(CHANGED, {})
        self.cfg.update(configured)
        differ = {
            name: stored[name]
            for name, value in configured.items()
            if name in changed and changed[name] == value
        }
        return self._loaded(differ, exclude)

    def _loaded(self, settings: dict[str, Any], exclude: Iterable[str]) -> Any:
        fitted = self.cfg.get(BEFORE_FITTING, {})
        for name, value in settings.items():
            setattr(self, name, value)
        self._remember_fitted(**fitted)
        if not {"cfg", "model"} & set(exclude):
            self._check_stored()
        return self

    def _check_stored(self) -> None:
        """Raises ValueError where labels, sizes or weights make no working model."""
        labels = self.cfg.get("labels")
        known = labels if isinstance(labels, list | tuple) else [None]
        if not all(isinstance(label, str) and label.strip() for label in known):
            self._reject(f"its labels are {labels!r}, not a list of strings")
        if len(set(known)) != len(known):
            self._reject(f"its labels {labels!r} repeat each other")
        output = self.model.get_ref("output_layer").maybe_get_dim("nO")
        if output is not None and output != self.n_outputs(len(known)):
            self._reject(
                f"it has {len(known)} labels, {labels!r}, and its model {output} "
                f"outputs, not {self.n_outputs(len(known))}"
            )
        for node in self.model.walk():
            for name in node.param_names:
                values = node.get_param(name) if node.has_param(name) else 0.0
                if not bool(node.ops.xp.isfinite(values).all()):
                    self._reject(f"weights {name!r} of {node.name!r} are not finite")

    def _reject(self, problem: str) -> None:
        raise ValueError(
            f"what is stored of {self.name!r} cannot be used: {problem}; restore it "
            "from a copy, or train it again"
        )


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    is_kind = isinstance(value, float | int) and not isinstance(value, bool)
    return is_kind and bool(numpy.isfinite(value))
