"""Pretrained encoders of Hugging Face's transformers: found, checked, stored."""

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from ..layers.piece_encoder import PieceEncoder, Pieces
from ..layers.varlen import attention, varlen_attn
from .bridge import from_safetensors
from .fine_tuning import count_layers, depth_in_encoder
from .onnx_encoder import OnnxEncoder, Sizes, make_onnx
from .word_pieces import WordPieces

ABOUT = "spacy_attnner"
ATTENTION = "spacy_attnner_varlen"
GRAPH = "onnx.graph"
WINDOW = 512  # pieces, where nobody says
PICKLED = "pytorch_model*.bin"
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
OF_A_MACHINE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype")
CONVERT = (
    'python -c "from transformers import AutoModel, AutoTokenizer as T; '
    "AutoModel.from_pretrained('{name}').save_pretrained('converted'); "
    "T.from_pretrained('{name}').save_pretrained('converted')\""
)


@dataclass(frozen=True)
class PieceSettings:
    """How an encoder is used.

    window: Most pieces of a window, special ones too; the encoder's own, and at most
        `WINDOW`, if None.
    margin: Pieces around a window's core.
    pooling: Of the pieces of a word: "mean" or "first".
    top_layers: Of how many of the last layers the mean is taken, if there are as many.
    """

    window: int | None
    margin: int
    pooling: str
    top_layers: int = 1


class PretrainedEncoder(PieceEncoder):
    """An encoder of word pieces with its configuration and its tokenizer.

    config: As plain data.
    pieces: Cuts words into the encoder's pieces.

    Raises ValueError where they do not fit each other or the settings.
    """

    def __init__(
        self,
        encoder: nn.Module,
        config: dict[str, Any],
        pieces: WordPieces,
        settings: PieceSettings,
    ) -> None:
        n_positions = _n_positions(encoder, config)
        window = settings.window or min(WINDOW, n_positions)
        if window > n_positions:
            raise ValueError(
                f"window {window} is more than the {n_positions} word pieces that the "
                "encoder has positions for: set a smaller window, or null"
            )
        if settings.top_layers < 1:
            raise ValueError(
                f"top_layers is {settings.top_layers}: set 1 for the last layer of the "
                "encoder, or how many to take the mean of"
            )
        _check_vocabulary(encoder, pieces)
        super().__init__(
            encoder,
            prefix=pieces.prefix,
            suffix=pieces.suffix,
            padding=config.get("pad_token_id") or 0,
            window=window,
            margin=settings.margin,
            pooling=settings.pooling,
            width=cast(Any, encoder).config.hidden_size,
            top_layers=min(
                settings.top_layers, cast(Any, encoder).config.num_hidden_layers
            ),
        )
        self.config, self.pieces = config, pieces
        self._looked_at_device = False
        self.n_layers = count_layers(name for name, _ in encoder.named_parameters())

    def forward(self, pieces: Pieces) -> torch.Tensor:
        """As of `PieceEncoder`; on a CUDA GPU, attention leaves padding out."""
        if not self._looked_at_device:
            self._looked_at_device = True
            if next(self.parameters()).is_cuda and varlen_attn is not None:
                leave_padding_out(self.encoder, self.config)
        return super().forward(pieces)

    def become_onnx(self, *, int8: bool) -> float:
        """Have ONNX Runtime run the encoder; returns how much that differs.

        See `make_onnx`, for what is raised, too.
        """
        if isinstance(self.encoder, OnnxEncoder):
            raise ValueError("the encoder is an ONNX graph already")
        n_positions = _n_positions(self.encoder, self.config)
        self.encoder, difference = make_onnx(self, n_positions, int8=int8)
        self.top_layers = self.encoder.config.num_hidden_layers
        return difference

    def depth_of(self, name: str) -> int:
        """The depth of a parameter; see `FineTuning`."""
        return depth_in_encoder(name.removeprefix("encoder."), self.n_layers)


def leave_padding_out(encoder: Any, config: dict[str, Any]) -> bool:
    """Give an encoder the attention of `layers.varlen`, if it can take another.

    Encoders of older versions of transformers cannot, nor those that look at a part of
    the sequence. Returns whether it was done.
    """
    if not getattr(encoder, "_supports_attention_backend", False) or any(
        config.get(name) for name in ("sliding_window", "local_attention")
    ):
        return False
    transformers = require_transformers()
    try:
        transformers.AttentionInterface.register(ATTENTION, attention)
        transformers.AttentionMaskInterface.register(ATTENTION, _plain_mask)
        encoder.set_attn_implementation(ATTENTION)
    except (AttributeError, ValueError):
        return False
    return True


def _plain_mask(*_: Any, attention_mask: Any = None, **__: Any) -> Any:
    """The mask as it is, (B, T); to look whether it is needed would ask the GPU."""
    return attention_mask


def _embeddings(encoder: Any) -> Any:
    return encoder.get_input_embeddings()


def _n_positions(encoder: nn.Module, config: dict[str, Any]) -> int:
    """Pieces of the longest sequence that an encoder can take."""
    if isinstance(encoder, OnnxEncoder):
        return encoder.config.n_positions
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            if module.padding_idx is None:
                return module.num_embeddings
            return module.num_embeddings - module.padding_idx - 1
    return config.get("max_position_embeddings") or WINDOW


def _check_vocabulary(encoder: nn.Module, pieces: WordPieces) -> None:
    rows = _embeddings(encoder).num_embeddings
    if len(pieces) > rows:
        raise ValueError(
            f"the tokenizer has {len(pieces):,} word pieces and the encoder has "
            f"vectors of {rows:,}: they are not of one model; take both from one folder"
        )


# found


def load_pretrained(name: str | None, settings: PieceSettings) -> PretrainedEncoder:
    """An encoder by its folder or its name on Hugging Face's hub.

    Weights come from safetensors alone, and no code of the hub is run. Weights of its
    attention are never dropped: the fused kernels (on a CPU, and without padding on
    CUDA) cannot, and without them attention takes three times as long in training.

    Raises ValueError where it cannot be had or is not sound, saying what to do.
    """
    if not name:
        raise ValueError(
            "TransformerEncoder.v1 has no name: set it to a folder or a name on "
            "Hugging Face's hub (--paths.encoder, in the shipped configs)"
        )
    transformers = require_transformers()
    check_encoder(name)
    with _found(name):
        config, tokenizer = _config_and_tokenizer(name)
        for rate in ATTENTION_DROPOUT:
            if hasattr(config, rate):
                setattr(config, rate, 0.0)
        encoder, report = transformers.AutoModel.from_pretrained(
            name,
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing:
        raise ValueError(
            f"{name} has no weights for {len(missing)} parameters of the encoder, "
            f"{missing[0]!r} the first: it is incomplete, or its config.json is of "
            "another model"
        )
    plain = _plain_config(config)
    return PretrainedEncoder(
        _encoder_alone(encoder, name), plain, _word_pieces(tokenizer, name), settings
    )


def _config_and_tokenizer(name: str) -> tuple[Any, Any]:
    transformers = require_transformers()
    config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        name, use_fast=True, trust_remote_code=False
    )
    return config, tokenizer


def load_pieces(name: str) -> tuple[WordPieces, int]:
    """The tokenizer of an encoder, and its window: the most pieces it is given.

    Raises ValueError where it cannot be had, ImportError without transformers.
    """
    require_transformers()
    check_encoder(name)
    with _found(name):
        config, tokenizer = _config_and_tokenizer(name)
    n_positions = getattr(config, "max_position_embeddings", None) or WINDOW
    return _word_pieces(tokenizer, name), min(WINDOW, n_positions)


def require_transformers() -> Any:
    """Hugging Face's package; raises ImportError with the way out."""
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "transformer encoders need Hugging Face's transformers: "
            'pip install "spacy-attnner[transformers]"'
        ) from error
    return transformers


def check_encoder(name: str) -> None:
    """Raises ValueError for a folder that holds no encoder."""
    folder = Path(name)
    if not folder.is_dir():
        if folder.exists() or folder.is_absolute() or name.startswith((".", "~")):
            raise ValueError(f"{name} is not a folder, so it holds no encoder")
        return
    if not (folder / "config.json").is_file():
        raise ValueError(f"{name} has no config.json, so it holds no encoder")
    if not any(any(folder.glob(pattern)) for pattern in VOCABULARIES):
        raise ValueError(
            f"{name} has no tokenizer (tokenizer.json): save the encoder's own beside "
            "it, with the tokenizer's save_pretrained"
        )
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for path in folder.glob(PICKLED))
        raise ValueError(
            f"{name} has no weights (model.safetensors)"
            + (
                f"; {pickled[0]} is a pickle, which could run any code and is not "
                f"read. Trust it? Convert it: {CONVERT.format(name=name)}"
                if pickled
                else ""
            )
        )


@contextmanager
def _found(name: str) -> Iterator[None]:
    """Say what to do where an encoder cannot be had, of whatever error."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if Path(name).is_dir():
            raise ValueError(
                f"the encoder in {name} cannot be read: {error}"
            ) from error
        raise ValueError(
            f"the encoder {name!r} cannot be fetched from Hugging Face's hub. Without "
            f"a network, fetch it elsewhere (hf download {name} --local-dir encoder) "
            f"and give that folder as the name. The hub's words: {error}"
        ) from error


def _word_pieces(tokenizer: Any, name: str) -> WordPieces:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(
            f"the tokenizer of {name}, {type(tokenizer).__name__}, is written in "
            "Python alone and has no tokenizer.json: take an encoder with a fast one"
        )
    return WordPieces(backend.to_str())


def _encoder_alone(encoder: Any, name: str) -> nn.Module:
    """Without what only a classifier would use."""
    if getattr(encoder.config, "is_encoder_decoder", False):
        raise ValueError(f"{name} is an encoder and a decoder; take an encoder alone")
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder.float()


def _plain_config(config: Any) -> dict[str, Any]:
    values = json.loads(config.to_json_string(use_diff=True))
    return {key: value for key, value in values.items() if key not in OF_A_MACHINE}


# stored


def pretrained_to_bytes(
    module: Any, *, half_precision: bool, exact: bool = False
) -> bytes:
    """A safetensors file of the weights, with configuration and tokenizer inside.

    Both are one entry: several would come in another order at every writing, and the
    same encoder would not be the same file.

    half_precision: Store weights as float16, unless they have to be `exact`.
    """
    if not isinstance(module, PretrainedEncoder):  # nothing was loaded yet
        return b""
    encoder = module.encoder
    state = {
        name: _stored(tensor, half_precision and not exact)
        for name, tensor in encoder.state_dict().items()
    }
    about = {"config": module.config, "tokenizer": module.pieces.json}
    if isinstance(encoder, OnnxEncoder):
        state[GRAPH] = torch.frombuffer(bytearray(encoder.graph), dtype=torch.uint8)
        about["onnx"] = asdict(encoder.config)
    return save_safetensors(state, metadata={ABOUT: json.dumps(about)})


def _stored(tensor: torch.Tensor, half_precision: bool) -> torch.Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half_precision and tensor.is_floating_point() else tensor


def pretrained_from_bytes(
    module: Any, data: bytes, device: torch.device, *, settings: PieceSettings
) -> Any:
    """The encoder of `pretrained_to_bytes`, or `module` where none was stored.

    Raises ValueError where weights do not fit the configuration.
    """
    if not data:
        return module
    about = _about(data)
    config = about["config"]
    if "onnx" in about:
        encoder = _onnx_of(data, Sizes(**about["onnx"]))
    else:
        encoder = _encoder_of(config)
        encoder = from_safetensors(encoder, data, torch.device("cpu")).float()
    loaded = PretrainedEncoder(
        encoder, config, WordPieces(about["tokenizer"]), settings
    )
    return loaded.to(device)


def _onnx_of(data: bytes, sizes: Sizes) -> OnnxEncoder:
    state = load_safetensors(data)
    graph = state[GRAPH].numpy().tobytes()
    (weight,) = (tensor for name, tensor in state.items() if name != GRAPH)
    embeddings = nn.Embedding.from_pretrained(weight.float(), freeze=False)
    return OnnxEncoder(embeddings, graph, sizes)


def _about(data: bytes) -> dict[str, Any]:
    """What a safetensors file says beside its tensors."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"][ABOUT])


def _encoder_of(config: dict[str, Any]) -> nn.Module:
    """An encoder with weights of no meaning."""
    transformers = require_transformers()
    values = {key: value for key, value in config.items() if key != "model_type"}
    known = transformers.AutoConfig.for_model(config["model_type"], **values)
    with torch.random.fork_rng(devices=[]):
        return _encoder_alone(transformers.AutoModel.from_config(known), "the encoder")
