"""`spacy attn onnx`: a stored pipeline whose pretrained encoders ONNX Runtime runs."""

from dataclasses import dataclass
from pathlib import Path

from spacy.language import Language
from thinc.api import Model

from .atomic import check_apart, check_pipeline, replacing_pipeline
from .errors import UserError, import_extra
from .loading import load_pipeline, require_pipeline, use_gpu
from .models.pretrained import PretrainedEncoder


@dataclass(frozen=True)
class Exported:
    """An encoder that was made an ONNX graph.

    component: The first component that it is of.
    difference: How far its vectors are from PyTorch's: the root of the mean of squares,
        in standard deviations.
    """

    component: str
    difference: float


def export_to_onnx(model: str, output: Path, *, int8: bool = False) -> list[Exported]:
    """Write a pipeline with encoders as ONNX, complete or not at all.

    model: A pipeline's folder or the name of an installed one.
    int8: Whether to round the weights of their linear layers to 8 bits.

    Raises UserError where there is no pipeline, no encoder in it, or one that cannot be
    exported, and where packages are missing.
    """
    for package in ("onnxscript", "onnxruntime"):
        import_extra(package, "onnx", "spacy attn onnx")
    output = output.resolve()
    check_pipeline(output)
    require_pipeline(model)
    check_apart(output, {"pipeline": model})
    use_gpu(-1, silent=True)
    nlp = load_pipeline(model)
    found = encoders_of(nlp)
    if not found:
        raise UserError(
            f"{model} has no encoder of spacy-attnner.TransformerEncoder.v1",
            "Only that is exported; a BiLSTM over static vectors is compiled already.",
        )
    done = []
    for name, encoder in found:
        try:
            done.append(Exported(name, encoder.become_onnx(int8=int8)))
        except ValueError as error:
            raise UserError(f"{name!r} of {model}", f"{error}.") from error
    with replacing_pipeline(output) as folder:
        nlp.to_disk(folder)
    return done


def encoders_of(nlp: Language) -> list[tuple[str, PretrainedEncoder]]:
    """Every pretrained encoder, and the first component that it is of."""
    found: dict[int, tuple[str, PretrainedEncoder]] = {}
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        for layer in model.walk() if isinstance(model, Model) else ():
            for shim in layer.shims:
                if isinstance(encoder := shim._model, PretrainedEncoder):
                    found.setdefault(id(encoder), (name, encoder))
    return list(found.values())
