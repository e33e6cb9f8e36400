"""Word pieces of words: each distinct word is tokenized once, no text is aligned."""

import json
import warnings
from collections.abc import Iterable
from typing import Any

import numpy
from spacy.attrs import ORTH

from ..layers.layout import positions
from ..layers.piece_encoder import Pieces
from .batch import Batch

REMEMBERED = 2**16  # words
MOST_CHARACTERS = 1000  # of a word that are looked at
UNKNOWN_SHARE = 0.3  # of a document's words that are worth a warning
FEW_WORDS = 5


class WordPieces:
    """The pieces that a tokenizer cuts words into.

    Byte-level BPE and SentencePiece write the space before a word into its first piece,
    so a word behind a space and one behind no space are two words to them.

    tokenizer: The `tokenizer.json` of Hugging Face's tokenizers, as a string.
    """

    def __init__(self, tokenizer: str) -> None:
        self.json = tokenizer
        spec = {**json.loads(tokenizer), "truncation": None, "padding": None}
        joined, spaced = (_spaced(spec, space) for space in (False, True))
        self._tells_spaces = joined != spaced
        behind = _tokenizer(spaced)
        # one serves both where spaces make no difference: a large one takes a while
        self._tokenizers = [
            _tokenizer(joined) if self._tells_spaces else behind,
            behind,
        ]
        original = _tokenizer(spec)
        self.prefix, self.suffix = _around(original)
        self.first_is_spaced = self._encode("a", True) == _plain(original, "a")
        self.unknown = _unknown(spec, original)
        self._known: dict[int, numpy.ndarray] = {}
        self._warned = False

    def __len__(self) -> int:
        """Pieces that the tokenizer knows, up to the highest number."""
        numbers = self._tokenizers[0].get_vocab(with_added_tokens=True).values()
        return max(numbers, default=-1) + 1

    def count(self, words: Iterable[str]) -> numpy.ndarray:
        """How many pieces each word has behind a space, (n_words,)."""
        counts = [len(self._encode(word[:MOST_CHARACTERS], True)) for word in words]
        return numpy.maximum(numpy.array(counts, dtype="int64"), 1)

    def of(self, batch: Batch, most: int) -> Pieces:
        """The pieces of a batch's words.

        A word that becomes no piece is the unknown one.

        most: Pieces of a word that are taken.
        """
        words, own = batch.distinct
        keys = 2 * own + self._spaces(batch)
        if batch.words is not None:
            keys = keys[batch.words]
        present = numpy.zeros(2 * len(words), dtype=bool)
        present[keys] = True
        used = numpy.flatnonzero(present)
        orths = words.column(ORTH)[used // 2].tolist()
        pieces = self._look_up(orths, (used % 2).tolist(), words.vocab.strings, most)
        which = (present.cumsum() - 1)[keys]
        lengths = numpy.array([len(each) for each in pieces], dtype="int64")
        counts = lengths[which]
        starts = (lengths.cumsum() - lengths)[which]
        flat = numpy.concatenate([numpy.zeros(0, dtype="int64"), *pieces])
        ids = flat[numpy.repeat(starts, counts) + positions(counts)]
        documents = batch.document_lengths
        self._warn_of_unknown(ids, counts, documents)
        return Pieces(ids, counts, batch.sentence_lengths, documents[documents > 0])

    def _spaces(self, batch: Batch) -> numpy.ndarray:
        """1 for tokens behind a space, (n_tokens,)."""
        if not self._tells_spaces:
            return numpy.ones(sum(batch.lengths), dtype="int64")
        return batch.after_space(self.first_is_spaced).astype("int64")

    def _look_up(
        self, orths: list[int], spaced: list[int], strings: Any, most: int
    ) -> list[numpy.ndarray]:
        known, found = self._known, []
        for orth, space in zip(orths, spaced, strict=True):
            key = orth ^ space  # of a hash, whose last bit tells nothing
            pieces = known.get(key)
            if pieces is None:
                ids = self._encode(strings[orth][:MOST_CHARACTERS], bool(space))
                pieces = numpy.array(ids or [self.unknown], dtype="int64")
                if len(known) >= REMEMBERED:
                    known.clear()
                known[key] = pieces
            found.append(pieces[:most])
        return found

    def _encode(self, word: str, space: bool) -> list[int]:
        # one by one: threads of the tokenizer's own would not survive a fork
        return _plain(self._tokenizers[space], f" {word}" if space else word)

    def _warn_of_unknown(
        self, ids: numpy.ndarray, counts: numpy.ndarray, documents: numpy.ndarray
    ) -> None:
        """Warn once of a document of which the tokenizer knows too few words."""
        if self._warned or not len(ids) or not (ids == self.unknown).any():
            return
        firsts = counts.cumsum() - counts
        unknown = (ids[firsts] == self.unknown) & (counts == 1)
        ends = documents.cumsum()
        totals = numpy.diff(numpy.concatenate([[0], unknown.cumsum()])[ends], prepend=0)
        shares = totals / numpy.maximum(documents, 1)
        shares[documents < FEW_WORDS] = 0.0
        if shares.max() >= UNKNOWN_SHARE:
            self._warned = True
            warnings.warn(
                f"the encoder's tokenizer does not know {shares.max():.0%} of the "
                "words of a document: it was made for another language or script; "
                "take an encoder that knows this one (a multilingual one, say)",
                stacklevel=2,
            )


def _tokenizer(spec: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(spec))
    if hasattr(tokenizer, "encode_special_tokens"):
        tokenizer.encode_special_tokens = True  # a word "[SEP]" is a word
    return tokenizer


def _plain(tokenizer: Any, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def _spaced(part: Any, space: bool) -> Any:
    """A tokenizer's description that takes a text's beginning as behind a space.

    Or, without `space`, as behind none.
    """
    if isinstance(part, list):
        return [_spaced(each, space) for each in part]
    if not isinstance(part, dict):
        return part
    changed = {
        key: value if key in ("model", "post_processor") else _spaced(value, space)
        for key, value in part.items()
        if key != "decoder"
    }
    kind = part.get("type")
    if kind == "Metaspace":
        changed.pop("add_prefix_space", None)  # of older files
        changed["prepend_scheme"] = "always" if space else "never"
    elif kind == "ByteLevel":
        changed["add_prefix_space"] = space
    elif kind == "Prepend" and not space:
        return {"type": "Sequence", "normalizers": []}
    return changed


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Special pieces before and behind a text."""
    encoded = tokenizer.encode("a")
    special = encoded.special_tokens_mask
    if all(special):
        return [], []
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return encoded.ids[:first], encoded.ids[last:]


def _unknown(spec: dict[str, Any], tokenizer: Any) -> int:
    """The piece for what has none."""
    model = spec.get("model", {})
    if isinstance(model.get("unk_id"), int):
        return model["unk_id"]
    names = (model.get("unk_token"), "<unk>", "[UNK]", "<pad>", "[PAD]")
    found = [tokenizer.token_to_id(name) for name in names if name]
    return next((number for number in found if number is not None), 0)
