"""Prodigy's relation annotations, as its recipe `rel.manual` stores them.

    {"text": "Ada lives in Oslo.",
     "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": true}, …],
     "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"},
               {"start": 13, "end": 17, "token_start": 3, "token_end": 3, …}],
     "relations": [{"head": 0, "child": 3, "label": "Live_In",
                    "head_span": {"start": 0, "end": 3, …}, "child_span": {…}}],
     "answer": "accept"}

Spans become entities. A relation goes from `head` to `child`, the last tokens of two
spans. Only accepted examples are read, one without an answer counting as accepted. An
absent key means "not annotated"; other keys, such as `meta`, are passed over.

https://prodi.gy/docs/api-interfaces#relations; `tutorials/rel_component` in
https://github.com/explosion/projects has a file of these.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..relations import set_relations
from .checks import check_type
from .errors import CorpusError, Repairs, require_documents
from .lines import read_json_lines
from .prodigy_relations import read_relations
from .prodigy_spans import keep_longest, read_spans

LEFT_OUT = {
    "reject": "example that was rejected: left out",
    "ignore": "example that was ignored: left out",
}
BINARY = "example that answers one suggestion only (_is_binary): left out"


def read_prodigy(
    path: str | Path,
    nlp: Language,
    *,
    entity_label: str = "ENTITY",
    labels: Collection[str] | None = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read the accepted examples of a Prodigy JSONL file.

    nlp: Gives the vocabulary and, for examples without `tokens`, the tokenizer.
    entity_label: The label of spans that have none.
    labels: The entity and relation labels allowed; None allows any.
    repairs: Counts what was repaired or left out.

    Raises CorpusError if a line or the file is malformed, or no example is accepted.
    """
    repairs = Repairs() if repairs is None else repairs
    docs = _read_docs(path, nlp, entity_label, labels, repairs)
    return require_documents(path, docs)


def _read_docs(
    path: str | Path,
    nlp: Language,
    entity_label: str,
    labels: Collection[str] | None,
    repairs: Repairs,
) -> Iterator[Doc]:
    accepted = left_out = 0
    for number, example in read_json_lines(path):
        record = partial(repairs.record, path=path, line=number)
        try:
            if reason := _reason_to_leave_out(example):
                left_out += 1
                record(reason, detail=repr(str(example.get("text"))[:40]))
                continue
            doc = _make_doc(example, nlp)
            _annotate(doc, example, entity_label, labels, record)
        except ValueError as error:
            raise CorpusError(path, number, str(error)) from error
        accepted += 1
        yield doc
    if left_out and not accepted:
        message = f"none of the {left_out:,} examples was accepted; accept some"
        raise CorpusError(path, None, message)


def _reason_to_leave_out(example: Any) -> str | None:
    answer = check_type(example, dict, "example").get("answer", "accept")
    if answer not in ("accept", *LEFT_OUT):
        raise ValueError(f"answer is {answer!r}; write accept, reject or ignore")
    if answer != "accept":
        return LEFT_OUT[answer]
    return BINARY if example.get("_is_binary") else None


def _make_doc(example: dict[str, Any], nlp: Language) -> Doc:
    if "entities" in example:
        raise ValueError("entities is no key of Prodigy's; its entities are spans")
    text = check_type(example.get("text"), str, "text")
    if "tokens" not in example:
        return nlp.make_doc(text)
    words: list[str] = []
    spaces: list[bool] = []
    at = 0
    for i, token in enumerate(check_type(example["tokens"], list, "tokens")):
        name = f"tokens[{i}]"
        word = check_type(
            check_type(token, dict, name).get("text"), str, f"{name} text"
        )
        if not word or not text.startswith(word, at):
            raise ValueError(
                f"{name} is {word!r} where the text has {text[at : at + 20]!r}; "
                "give all tokens of the text in its order, or none"
            )
        at += len(word)
        words.append(word)
        spaces.append(text[at : at + 1] == " ")
        at += spaces[-1]
    if at < len(text):
        raise ValueError(
            f"the tokens end before {text[at : at + 20]!r}; give all tokens, or none"
        )
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _annotate(
    doc: Doc,
    example: dict[str, Any],
    entity_label: str,
    labels: Collection[str] | None,
    record: Callable[..., None],
) -> None:
    spans = read_spans(
        doc, example.get("spans", []), entity_label, labels=labels, record=record
    )
    entities = keep_longest(spans, record)
    if "spans" in example:
        doc.set_ents(entities, default="outside")
    if "relations" in example:
        relations = read_relations(
            doc, example["relations"], entities, spans, labels=labels, record=record
        )
        set_relations(doc, relations)
