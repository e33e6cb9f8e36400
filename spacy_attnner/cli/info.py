"""`spacy attn info`: versions, and what the CRF and LSTMs run in."""

import platform
from importlib.metadata import distributions

from ..errors import sound
from ..terminal import echo, visible
from .app import attn_cli

PACKAGES = ("spacy-attnner", "spacy", "thinc", "torch", "numpy", "cupy")


@attn_cli.command("info")
def info_cli() -> None:
    """Show versions, the platform, and what is compiled, or why not."""
    from ..crf import compiled, kernel
    from ..layers.recurrence import recurrence, recurrence_state

    with sound("bad environment variable", "Unset it."):
        compiled.torch_chosen()
        where = "in PyTorch" if recurrence() is None else "compiled"
    found = {each.metadata["Name"]: each.version for each in distributions()}
    rows = {name: found.get(name, "not installed") for name in PACKAGES}
    rows |= {name: v for name, v in found.items() if name.startswith("cupy-cuda")}
    rows["Python"] = platform.python_version()
    rows["platform"] = platform.platform()
    rows["LSTM of a few texts"] = f"{where} ({recurrence_state()})"
    where = "in PyTorch" if compiled.loop() is None else "compiled"
    rows["CRF"] = f"{where} ({compiled.extension_state()})"
    where = "there" if kernel.is_usable() else "on the CPU"
    rows["CRF of models on a GPU"] = f"{where} ({kernel.kernel_state()})"
    width = max(map(len, rows))
    for name, value in rows.items():
        echo(f"{name:{width}}  {visible(value)}")
