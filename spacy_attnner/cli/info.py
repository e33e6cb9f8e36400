"""`spacy attn info`: versions, and what the CRF and LSTMs run in."""

import platform
from importlib.metadata import distributions

from ..errors import sound
from ..native import extension, extension_state, torch_chosen
from ..terminal import echo, visible
from .app import attn_cli

PACKAGES = ("spacy-attnner", "spacy", "thinc", "torch", "numpy", "cupy")


@attn_cli.command("info")
def info_cli() -> None:
    """Show versions, the platform, and what is compiled, or why not."""
    from ..crf import kernel
    from ..crf.recursions import LOOP
    from ..layers.recurrence import RECURRENCE

    with sound("bad environment variable", "Unset it."):
        torch_chosen()
    found = {each.metadata["Name"]: each.version for each in distributions()}
    rows = {name: found.get(name, "not installed") for name in PACKAGES}
    rows |= {name: v for name, v in found.items() if name.startswith("cupy-cuda")}
    rows["Python"] = platform.python_version()
    rows["platform"] = platform.platform()
    for what, name in (("LSTM of a few texts", RECURRENCE), ("CRF", LOOP)):
        where = "in PyTorch" if extension(name) is None else "compiled"
        rows[what] = f"{where} ({extension_state(name)})"
    where = "there" if kernel.is_usable() else "on the CPU"
    rows["CRF of models on a GPU"] = f"{where} ({kernel.kernel_state()})"
    width = max(map(len, rows))
    for name, value in rows.items():
        echo(f"{name:{width}}  {visible(value)}")
