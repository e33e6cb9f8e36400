"""Raw text for `spacy pretrain`: documents without their labels, and newswire of 1987.

    python benchmarks/raw_text.py raw.jsonl --docs corpus/ner/train.spacy \\
        --reuters reuters21578.tar.xz

Writes JSONL with one `text` a line, as `spacy.JsonlCorpus.v1` reads it.
"""

import argparse
import html
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import spacy
from spacy.tokens import DocBin

BODY = re.compile(r"<BODY>(.*?)</BODY>", re.DOTALL)
SIGNED = re.compile(r"\s*(Reuter\s*)?\x03?\s*$", re.IGNORECASE)
SHORTEST = 100  # characters


def stories(archive: Path) -> Iterator[str]:
    """The stories of Reuters-21578, a `.tar` of SGML files, as text in one line."""
    with tarfile.open(archive) as files:
        for member in files:
            file = files.extractfile(member)
            if not member.name.endswith(".sgm") or file is None:
                continue
            for body in BODY.findall(file.read().decode("latin-1")):
                yield " ".join(SIGNED.sub("", html.unescape(body)).split())


def texts(path: Path) -> Iterator[str]:
    """The texts of a `.spacy` file."""
    for doc in DocBin().from_disk(path).get_docs(spacy.blank("en").vocab):
        yield doc.text


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--docs", nargs="*", type=Path, default=[], help=".spacy files")
    parser.add_argument("--reuters", nargs="*", type=Path, default=[], help="archives")
    options = parser.parse_args()
    sources = [*map(texts, options.docs), *map(stories, options.reuters)]
    n = words = 0
    with options.output.open("w", encoding="utf8") as out:
        for text in chain.from_iterable(sources):
            if len(text) >= SHORTEST:
                n, words = n + 1, words + len(text.split())
                out.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{n:,} texts, {words:,} words\n")


if __name__ == "__main__":
    main()
