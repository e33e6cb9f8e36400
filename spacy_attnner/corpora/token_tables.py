"""Tables with a token and its tags in each row, CSV or TSV with a line of names.

    Sentence #,Word,POS,Tag             sentence_id,words,labels
    Sentence: 1,Ada,NNP,B-per           0,Ada,B-PER
    ,slept,VBD,O                        0,slept,O

The sentence is named in each row or, as in Kaggle's `ner_dataset.csv`, in its first;
where each document numbers its own, by `doc_id` as well, which `meta` has for
`--group-key`. Without a column of sentences an empty row ends one. Each sentence is a
document, its name the `id`. `--columns token=Word,tag=Tag,sentence=Sentence #` says
which column is which, by names or by numbers from 0.

https://www.kaggle.com/datasets/abhinavwalia95/entity-annotated-corpus,
https://simpletransformers.ai/docs/ner-data-formats
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from .reading import Numbered, Source
from .recognition import Glimpse, Options
from .record import Record
from .semeval import ENTITY_LABEL
from .table_rows import read_names
from .tagged_rows import Row, named_columns, record_of_rows
from .tags import Scheme, is_tag, tell_scheme

# names of columns, in lower case; the first that there is is meant
TOKENS = ("word", "words", "token", "tokens", "form")
TAGS = ("ner", "ner_tag", "ner_tags", "ne", "ne_tag", "named_entity", "entity", "iob")
TAGS += ("bio", "iob_tag", "bio_tag", "tag", "tags", "label", "labels")
SENTENCE = re.compile(r"sent(ence)?[ _-]*(#|ids?|idx|index|no|nr|num|number)?\.?")
# where sentences are numbered in each document
DOCUMENT = re.compile(r"doc(ument)?[ _-]*(#|ids?|idx|index|no|nr|num|number)?\.?")
EMPTY = "token without a tag: read as outside of entities"
MOST = 1_000  # tokens of a sentence, where no column tells them apart
Sentence = tuple[list[str], list[Numbered]]


class Table(NamedTuple):
    """The columns of a table.

    names: What they are called.
    comma: What separates them.
    token, tags, sentence: Which is which, from 0; several may tell a sentence, or none.
    scheme: That of the tags.
    """

    names: list[str]
    comma: str
    token: int
    tags: tuple[int, ...]
    sentence: tuple[int, ...]
    scheme: Scheme = Scheme()

    def split(self, line: str) -> list[str]:
        """The cells of a row, none if they are all empty."""
        try:
            cells = next(csv.reader([line], delimiter=self.comma, strict=True), [])
        except csv.Error:  # of quotes that are tokens
            cells = line.split(self.comma)
        cells = [cell.strip() for cell in cells]
        return cells if any(cells) else []


def find_table(glimpse: Glimpse, options: Options) -> Table | None:
    """The columns of a file, None if it is no such table.

    Raises ValueError if `options.columns` names one that there is not.
    """
    if not glimpse.lines:
        return None
    first = glimpse.lines[0]
    with suppress(UnicodeError):  # which is as of ISO-8859-1
        first = first.encode("iso-8859-1").decode()
    names, comma = read_names(first)
    names = [name.strip() for name in names]
    lower = [name.lower().replace(" ", "_") for name in names]
    token = _places(lower, TOKENS)[:1]
    wanted = options.columns
    by_names = wanted and _are_named(wanted, names)
    if not token and not by_names:
        return None
    sentence = _first(lower, SENTENCE)
    sentence = sentence and [*_first(lower, DOCUMENT), *sentence]
    bare = Table(names, comma, 0, (), ())
    rows = [cells for line in glimpse.lines[1:] if (cells := bare.split(line))]
    rows = [cells for cells in rows if len(cells) == len(names)]
    tags = [i for i in _places(lower, TAGS) if _are_tags(row[i] for row in rows)][:1]
    if wanted and by_names:
        named = named_columns(wanted, len(names), names)
        token, tags = named.get("token", token), named.get("tag", tags)
        sentence = named.get("sentence", sentence)
    if not token or not tags:
        return None
    scheme = tell_scheme(
        [[row[i] for i in tags] for row in rows], options.entity_label or ENTITY_LABEL
    )
    return Table(names, comma, token[0], tuple(tags), tuple(sentence), scheme)


def _places(names: Sequence[str], usual: Sequence[str]) -> list[int]:
    return [names.index(name) for name in usual if name in names]


def _first(names: Sequence[str], pattern: re.Pattern[str]) -> list[int]:
    return [i for i, name in enumerate(names) if pattern.fullmatch(name)][:1]


def _are_named(wanted: str, names: list[str]) -> bool:
    """Whether some columns are given by names, not by numbers."""
    given = {part.partition("=")[2].strip() for part in wanted.split(",")}
    return any(name in names and not name.isdigit() for name in given)


def _are_tags(values: Iterable[str]) -> bool:
    return any(map(is_tag, values))


def read_token_table(source: Source, table: Table) -> Iterator[Record]:
    """Read the sentences of a table.

    Raises CorpusError if nothing tells them apart.
    """
    names = [table.names[i] for i in table.sentence]

    def parse(sentence: Sentence) -> Iterator[Record]:
        given, block = sentence
        rows = source.parse_lines(block, lambda line: _parse(line, table, source))
        name = "-".join(filter(None, given)) or None
        meta = dict(zip(names, given, strict=True)) if len(names) > 1 else {}
        yield replace(record_of_rows([rows], table.scheme, name, source), meta=meta)

    return source.records(_sentences(source, table), parse)


def _sentences(source: Source, table: Table) -> Iterator[Sentence]:
    """What each is called, and its rows, behind the line of names."""
    block: list[Numbered] = []
    current, is_behind = [""] * len(table.sentence), False
    for line in source.lines():
        if not is_behind:
            is_behind = bool(line.strip())
            continue
        at, cells = source.line, table.split(line)
        given = [cells[i] if i < len(cells) else "" for i in table.sentence]
        name = [new or old for new, old in zip(given, current, strict=True)]
        if block and (not cells or name != current):
            yield current, source.stand(block)
            block = []
        if cells:
            block.append((at, line))
        if len(block) > MOST and not table.sentence:
            raise source.error(
                f"{MOST:,} rows without an empty one; name the column of sentences, "
                "like --columns sentence=id"
            )
        current = name
    if block:
        yield current, source.stand(block)


def _parse(line: str, table: Table, source: Source) -> Row:
    cells = table.split(line)
    if len(cells) != len(table.names):
        raise ValueError(
            f"{len(cells)} cells for {len(table.names)} columns in {line[:60]!r}; "
            "quote cells that hold the separator"
        )
    word = cells[table.token]
    if not word:
        name = table.names[table.token]
        raise ValueError(f"no token in {line[:60]!r}; fill column {name}")
    tags = [cells[i] for i in table.tags]
    if not all(tags):
        source.repaired(EMPTY, repr(word))
    return Row(source.line, word, [table.scheme.split(tag) for tag in tags])
