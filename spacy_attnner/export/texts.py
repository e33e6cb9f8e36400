"""The texts that a pipeline is to read, one after the other."""

from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..errors import UserError, sound
from .decoding import AGAIN, STDIN, check_text, read_file, read_lines
from .records import read_record
from .triples import DocInfo

KINDS = ("txt", "jsonl", "spacy")
FOLDER = "folder"


def choose_kind(path: Path, kind: str | None = None) -> str:
    """What there is to read: a folder, or the kind that was named or that the file's
    name tells; stdin is txt if nothing else is said.

    Raises UserError if there is nothing to read, or it is of no known kind.
    """
    if path == STDIN:
        if kind == "spacy":
            raise UserError(
                "a .spacy file is not read from stdin", "Give the path of the file."
            )
        return kind or "txt"
    if not path.exists():
        raise UserError(
            f"{path} does not exist",
            "Give a .txt, .jsonl or .spacy file, a folder of .txt files, or - (stdin).",
        )
    if path.is_dir():
        if not _files(path):
            raise UserError(f"the folder {path} holds no .txt file", "Give one.")
        return FOLDER
    kind = kind or path.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise UserError(
            f"{path} is not a .txt, .jsonl or .spacy file",
            "Rename it, or say what it is: --input-format txt, jsonl or spacy.",
        )
    return kind


def read_texts(
    path: Path, kind: str, nlp: Language, notes: list[str] | None = None
) -> Iterator[tuple[str | Doc, DocInfo]]:
    """Texts, or documents of the given tokens, with what is known of them.

    txt: A text on every line; an empty line is an empty text, so that the numbers of
        documents are those of lines.
    jsonl: An object on every line, with `text` and optionally `id`, a string or an
        integer, and `meta`, an object. Other keys and empty lines are passed over.
    spacy: The tokens of documents; their annotation is left behind.
    folder: Every .txt file below it is one text, its path from there the id.

    kind: What `choose_kind` says.
    nlp: The pipeline that will read them.
    notes: Gets what is wrong with each text that has half of a surrogate pair, in whose
        place an empty one is returned; without a list, it is an error.

    Raises UserError where something cannot be read, naming file and line.
    """
    if kind == FOLDER:
        for file in _files(path):
            name = file.relative_to(path).as_posix()
            yield check_text(read_file(file), str(file), nlp, notes), DocInfo(id=name)
    elif kind == "spacy":
        for doc in _read_spacy(path, nlp):
            yield doc, DocInfo()
    elif kind == "txt":
        for where, line in read_lines(path):
            yield check_text(line, where, nlp, notes), DocInfo()
    else:
        for where, line in read_lines(path):
            if line.strip():
                text, info = read_record(line, where)
                yield check_text(text, where, nlp, notes), info


def _files(folder: Path) -> list[Path]:
    """In the order of their names; hidden ones belong to systems and editors."""
    return sorted(
        path
        for path in folder.rglob("*.txt")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _read_spacy(path: Path, nlp: Language) -> Iterator[Doc]:
    with sound(f"{path} cannot be read", AGAIN):
        for doc in DocBin().from_disk(path).get_docs(nlp.vocab):
            words = [token.text for token in doc]
            spaces = [bool(token.whitespace_) for token in doc]
            known = None if doc.has_unknown_spaces else spaces
            yield Doc(nlp.vocab, words=words, spaces=known)
