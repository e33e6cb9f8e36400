"""Encoders of every family that fit into a test, with tokenizers of their own kind.

Their words come from the package's sample, whose sentences are invented.
"""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

N_TEXTS = 268  # what there is to learn words from
SAMPLE = Path(__file__).parents[1] / "assets" / "sample" / "train.jsonl"
BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 23,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 40,
}
DISTILBERT = {
    "dim": 16,
    "hidden_dim": 23,
    "n_heads": 2,
    "n_layers": 2,
    "max_position_embeddings": 40,
}
MODERN = {"global_attn_every_n_layers": 2, "local_attention": 8}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_buckets": 8,
}
# the kind of tokenizer, and what differs from SIZES
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "albert": ("unigram", {**SIZES, "embedding_size": 8}),
    "bert": ("wordpiece", SIZES),
    "deberta-v2": ("unigram", {**SIZES, **DEBERTA}),
    "distilbert": ("wordpiece", DISTILBERT),
    "electra": ("wordpiece", {**SIZES, "embedding_size": 8}),
    "modernbert": ("bytes", {**SIZES, **MODERN}),
    "mpnet": ("wordpiece", SIZES),
    "roberta": ("bytes", SIZES),
    "xlm-roberta": ("unigram", SIZES),
}


@cache
def sample_texts() -> list[str]:
    """The texts of the sample's training part."""
    lines = SAMPLE.read_text("utf8").splitlines()[:N_TEXTS]
    texts = [json.loads(line) for line in lines]
    return [each.get("text") or " ".join(each["tokens"]) for each in texts]


def make_encoder(folder: Path, family: str = "bert", **changes: Any) -> Path:
    """Write an encoder of a family into a folder, as `save_pretrained` does.

    changes: Of the configuration.
    """
    kind, sizes = FAMILIES[family]
    tokenizer = make_tokenizer(kind)
    names = ROBERTA if kind == "bytes" or "roberta" in family else BERT
    special = dict(
        zip(("cls", "pad", "sep", "unk", "mask"), ROBERTA, strict=True)
        if names is ROBERTA
        else zip(("pad", "unk", "cls", "sep", "mask"), BERT, strict=True)
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_with_special(tokenizer, special),
        **{f"{name}_token": token for name, token in special.items()},
    )
    numbers = {
        "vocab_size": len(fast),
        "pad_token_id": fast.pad_token_id,
        "bos_token_id": fast.cls_token_id,
        "eos_token_id": fast.sep_token_id,
        "cls_token_id": fast.cls_token_id,
        "sep_token_id": fast.sep_token_id,
    }
    config = transformers.AutoConfig.for_model(
        family, **{**numbers, **sizes, **changes}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = transformers.AutoModel.from_config(config)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def _with_special(tokenizer: Tokenizer, special: dict[str, str]) -> Tokenizer:
    tokenizer.add_special_tokens(list(special.values()))
    around = (special["cls"], special["sep"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{around[0]} $A {around[1]}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in around],
    )
    return tokenizer


def _wordpiece() -> Tokenizer:
    """As BERT's, uncased; its trainer breaks ties in another way in every process."""
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for text in sample_texts()
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    letters = sorted(set("".join(counts)))
    words = sorted(counts, key=lambda word: (-counts[word], word))
    pieces = [*BERT, *letters, *(f"##{letter}" for letter in letters), *words]
    pieces = list(dict.fromkeys(pieces))[:600]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def _byte_level() -> Tokenizer:
    """As RoBERTa's: byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(ROBERTA),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    return tokenizer


def _unigram() -> Tokenizer:
    """As XLM-R's: SentencePiece's unigram model."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=600,
        special_tokens=[*ROBERTA, *BERT],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    return tokenizer


@cache
def _trained(kind: str) -> str:
    return TOKENIZERS[kind]().to_str()


def make_tokenizer(kind: str) -> Tokenizer:
    """A new tokenizer of a kind, which is trained once in a process."""
    return Tokenizer.from_str(_trained(kind))


TOKENIZERS = {"wordpiece": _wordpiece, "bytes": _byte_level, "unigram": _unigram}
