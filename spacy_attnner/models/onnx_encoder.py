"""Pretrained encoders that ONNX Runtime runs: for predictions on a CPU."""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy
import torch
from torch import Tensor, nn

from ..layers.piece_encoder import PieceEncoder

INPUTS = ("inputs_embeds", "attention_mask")
BATCH, LENGTH = 3, 9  # of what an encoder is traced with
MOST_TEXTS = 4096  # of a batch
CLOSE = 1e-3  # of what PyTorch computes, where the standard deviation is 1


@dataclass(frozen=True)
class Sizes:
    """What is known of an encoder without its modules, by transformers' names.

    num_hidden_layers: A graph gives one, whatever that is the mean of.
    n_positions: Pieces of the longest sequence.
    """

    num_hidden_layers: ClassVar[int] = 1
    hidden_size: int
    n_positions: int


class OnnxEncoder(nn.Module):
    """Stands where an encoder of Hugging Face's transformers stood.

    Its session begins with the first prediction of each process, with as many threads
    as PyTorch has then.

    embeddings: Vectors of pieces.
    graph: An ONNX file: embedded pieces, (batch_size, seq_len, width), and which of
        them count, (batch_size, seq_len), to vectors, (batch_size, seq_len, width).
    """

    def __init__(self, embeddings: nn.Embedding, graph: bytes, sizes: Sizes) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.graph = graph
        self.config = sizes
        self._session: tuple[int, Any] = (0, None)  # and the process that it is of

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": (0, None)}

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embeddings

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> tuple[Tensor]:
        """Raises ValueError in a training that would have the encoder learn."""
        if torch.is_grad_enabled():
            raise ValueError(
                "the encoder was made an ONNX graph, which has no gradients: train "
                'with the pipeline that it was made of, or with frozen = "all" what is '
                "above it; explain by leave-one-out"
            )
        arrays = (inputs_embeds.float(), attention_mask.long())
        feed = dict(zip(INPUTS, (each.cpu().numpy() for each in arrays), strict=True))
        (Y,) = self._running().run(None, feed)
        return (torch.from_numpy(Y).to(inputs_embeds.device),)

    def _running(self) -> Any:
        process, session = self._session
        if session is None or process != os.getpid():
            onnxruntime = require_onnxruntime()
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            session = onnxruntime.InferenceSession(
                self.graph, options, providers=["CPUExecutionProvider"]
            )
            self._session = (os.getpid(), session)
        return session


def require_onnxruntime() -> Any:
    """ONNX Runtime; raises ImportError with the way out."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "the encoder is an ONNX graph and needs ONNX Runtime: "
            'pip install "spacy-attnner[onnx]"'
        ) from error
    return onnxruntime


class _Graph(nn.Module):
    """What is exported: all that stands between embedded pieces and their vectors."""

    def __init__(self, encoder: PieceEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder.hidden(inputs_embeds, attention_mask)


def make_onnx(
    encoder: PieceEncoder, n_positions: int, *, int8: bool
) -> tuple[OnnxEncoder, float]:
    """An encoder as ONNX, and how much it differs.

    n_positions: Pieces that the encoder has positions for.
    int8: Whether the weights of its linear layers are rounded to 8 bits, channel by
        channel; what goes into them is rounded in each call.

    The difference is the root of the mean of squares, divided by the standard deviation
    of what PyTorch computes; for random pieces in sequences of several lengths.

    Needs onnxscript and ONNX Runtime. Raises ValueError where the encoder cannot be
    traced, or its graph computes something else.
    """
    with tempfile.TemporaryDirectory() as folder, _silence():
        path = Path(folder) / "encoder.onnx"
        _export(encoder, path)
        plain = path.read_bytes()
        sizes = Sizes(encoder.width, n_positions)
        embeddings = cast(Any, encoder.encoder).get_input_embeddings()
        made = OnnxEncoder(embeddings, plain, sizes)
        difference = _difference(encoder, made)
        if difference > CLOSE:
            raise ValueError(
                f"ONNX Runtime differs by {difference:.2g} standard deviations from "
                "PyTorch, more than rounding does: this encoder cannot be exported"
            )
        if int8:
            from onnxruntime.quantization import quantize_dynamic

            rounded = Path(folder) / "int8.onnx"
            # 7 bits of 8: products of two are added up in 16 without AVX-512
            quantize_dynamic(path, rounded, per_channel=True, reduce_range=True)
            made = OnnxEncoder(embeddings, rounded.read_bytes(), sizes)
            difference = _difference(encoder, made)
    return made, difference


def _export(encoder: PieceEncoder, path: Path) -> None:
    """Raises ValueError where the encoder cannot be traced."""
    longest = encoder.longest
    X, mask = _sample(encoder, BATCH, min(LENGTH, longest))
    batch = torch.export.Dim("batch", min=1, max=MOST_TEXTS)
    length = torch.export.Dim("length", min=2, max=longest)
    shape = {0: batch, 1: length}
    try:
        with torch.no_grad():
            torch.onnx.export(
                _Graph(encoder).eval(),
                (X, mask),
                path,
                input_names=list(INPUTS),
                dynamic_shapes=(shape, shape),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        raise ValueError(f"the encoder cannot be exported to ONNX: {error}") from error


def _sample(encoder: PieceEncoder, n: int, length: int) -> tuple[Tensor, Tensor]:
    """Embedded random pieces, (n, length, width), the last text being shorter."""
    embed = cast(Any, encoder.encoder).get_input_embeddings()
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(embed.num_embeddings, (n, length), generator=generator)
    mask = torch.ones((n, length), dtype=torch.long)
    mask[-1, length // 2 + 1 :] = 0
    return embed(ids).detach(), mask


def _difference(encoder: PieceEncoder, made: OnnxEncoder) -> float:
    squares, values = [], []
    longest = encoder.longest
    with torch.no_grad():
        for n, length in ((1, 3), (4, longest // 2), (2, longest)):
            X, mask = _sample(encoder, n, length)
            expected = encoder.hidden(X, mask)[mask.bool()].numpy()
            (found,) = made(X, mask)
            squares.append((found[mask.bool()].numpy() - expected).ravel() ** 2)
            values.append(expected.ravel())
    deviation = numpy.concatenate(values).std()
    return float(numpy.sqrt(numpy.concatenate(squares).mean()) / deviation)


@contextmanager
def _silence() -> Iterator[None]:
    """No advice for those who write exporters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
