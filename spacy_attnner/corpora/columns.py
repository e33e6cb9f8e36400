"""Columns: a token a line with its tags, a blank line after each sentence.

    Ada     PROPN   B-PER
    slept   VERB    O

Two columns or more, separated by tabs or spaces: WNUT's, MultiCoNER's, GermEval's
(index, token, outer and inner tag), CoNLL-2003's with more or fewer columns, CoNLL-U
and CoNLL-U Plus with entities as `NER=B-PER`, Stanza's `ner=`, in `MISC` or in a column
of tags. `--columns token=0,tag=3` says which is which, from 0 or, below 0, from the
last; several `tag=` give nested entities.
With a line of names in front it may be CSV or TSV, see `token_tables`.
The scheme (IOB1, IO, BIO, BIOES, BMES, BILUO) is told from the tags; without prefixes
(Few-NERD's) the column has to be named. BioBERT's bare `B`, `I` and `O` get the label
that `--entity-label` gives.

`-DOCSTART-` and `# newdoc` begin a document; without them each sentence is one.
Comments are lines before a sentence that begin with `#` and have other columns.

https://universaldependencies.org/format.html and
https://universaldependencies.org/ext-format.html describe CoNLL-U (Plus).
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from .complaints import CorpusError
from .conll import CONLL04, CONLL2003, DOCSTART, document_blocks, split_blank
from .reading import Numbered, Source, split_columns
from .recognition import Format, Glimpse, Options
from .record import Record
from .semeval import ENTITY_LABEL
from .tagged_rows import Row, named_columns, record_of_rows
from .tags import OUTSIDE, Scheme, are_bare, is_prefixed, tell_scheme
from .token_tables import find_table, read_token_table

NEWDOC = re.compile(r"#\s*newdoc\b(?:\s+id\s*=\s*(\S+))?")
PLUS = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
SETTING = re.compile(r"# ?(?:[\w.]+ ?=|id \S+\tdomain=)")  # the latter MultiCoNER's
RANGE = re.compile(r"\d+[-.]\d+")  # of a word made of several, and words left out
MISC_TAG = re.compile(r"(?:^|\|)(?:NER|NE|Entity)=([^|(]+)", re.IGNORECASE)
NO_SPACE = "SpaceAfter=No"
TAG_NAMES = ("NER", "NE", "ENTITY", "IOB", "BIO", "TAG", "NAMED_ENTITY")
UNREAD = "column of tags before the last one: not read; --columns reads several"
TWICE = (
    "columns {} and {} say the same of most entities, as those of gold and predicted"
)
TWICE += " tags do; name the one that is meant, such as --columns token={},tag={}"
CONLLU = 10  # columns
NARROWEST, WIDEST = 2, 30


class Layout(NamedTuple):
    """Which column is which, from 0.

    tags: Columns of tags; of CoNLL-U's MISC, if `misc`.
    tabs: Whether tabs alone separate columns.
    numbered: Whether the first column numbers the tokens of a sentence.
    scheme: That of the tags.
    unread: Columns of tags that are left alone.
    """

    token: int
    tags: tuple[int, ...]
    n_columns: int
    misc: bool = False
    tabs: bool = False
    numbered: bool = False
    scheme: Scheme = Scheme()
    unread: tuple[int, ...] = ()

    def split(self, line: str) -> list[str]:
        return line.split("\t") if self.tabs else split_columns(line)


def read_columns(source: Source) -> Iterator[Record]:
    """Read columns; `options.columns` says which, None tells it from the file.
    `options.entity_label` is the label of entities that have none.

    Raises CorpusError if it cannot be told.
    """
    source.check_file()
    glimpse = Glimpse(source.path, source.encoding)
    if CONLL04.fits and CONLL04.fits(glimpse):  # whose relations would be lost
        raise source.error("the file is of the format conll04; name that with --format")
    try:
        table = find_table(glimpse, source.options)
        layout = None if table else _choose(glimpse, source.options)
    except ValueError as error:
        raise CorpusError(source.path, None, str(error)) from error
    if table:
        return read_token_table(source, table)
    if layout is None:
        raise source.error(
            f"no column of {glimpse.lines[:1]} holds tags; name them, like --columns "
            "token=0,tag=3"
        )
    for i in layout.unread:
        source.repaired(UNREAD, f"column {i}, counted from 0")

    def parse(block: list[Numbered]) -> Iterator[Record]:
        name = next((m[1] for _, line in block if (m := NEWDOC.match(line))), None)
        lines = [each for each in block if not _is_no_word(each[1], layout)]
        tokens = source.parse_lines(lines, lambda line: _parse(line, layout, source))
        sentences = split_blank(tokens)
        if sentences:
            yield record_of_rows(sentences, layout.scheme, name, source)

    return source.records(document_blocks(source, _begins), parse)


def _begins(line: str) -> bool:
    return bool(NEWDOC.match(line)) or split_columns(line)[:1] == [DOCSTART]


def _parse(line: str, layout: Layout, source: Source) -> Row | None:
    """A token, None for what stands between sentences."""
    columns = layout.split(line)
    if not line.strip() or columns[0] == DOCSTART or is_comment(line, columns, layout):
        return None
    if len(columns) != layout.n_columns:
        raise ValueError(
            f"{len(columns)} columns in {line[:60]!r}; write {layout.n_columns}, as in "
            "the other lines"
        )
    word = columns[layout.token]
    if not word.strip():
        raise ValueError(f"no token in {line!r}; fill column {layout.token}")
    tags = [layout.scheme.split(tag) for tag in _tags(columns, layout)]
    space = not (layout.n_columns == CONLLU and NO_SPACE in columns[-1])
    return Row(source.line, word, tags, space)


def _tags(columns: list[str], layout: Layout) -> list[str]:
    tags = [columns[i].strip() for i in layout.tags]
    if layout.misc:
        tags = [(MISC_TAG.search(tag) or ["", "O"])[1] for tag in tags]
    return tags


def _is_no_word(line: str, layout: Layout) -> bool:
    """Whether it is a word of several tokens, or one left out, of CoNLL-U (Plus)."""
    return layout.numbered and bool(RANGE.fullmatch(layout.split(line)[0]))


def is_comment(line: str, columns: list[str], layout: Layout) -> bool:
    if not line.startswith("#"):
        return False
    return len(columns) != layout.n_columns or bool(SETTING.match(line))


def _choose(glimpse: Glimpse, options: Options) -> Layout | None:
    """The layout of a file, None if it has none."""
    lines = [line for line in glimpse.lines if split_columns(line)[:1] != [DOCSTART]]
    plain = [line for line in lines if not line.startswith("#")] or lines
    if not plain:
        return None
    tabs = sum("\t" in line for line in plain) > len(plain) / 2
    bare = Layout(0, (), 0, tabs=tabs)
    width = Counter(len(bare.split(line)) for line in plain).most_common(1)[0][0]
    bare = bare._replace(n_columns=width)
    rows = [bare.split(line) for line in lines]
    rows = [
        row
        for line, row in zip(lines, rows, strict=True)
        if len(row) == width and not is_comment(line, row, bare)
    ]
    bare = bare._replace(numbered=_are_numbered(rows))
    rows = [row for row in rows if not (bare.numbered and RANGE.fullmatch(row[0]))]
    if not rows:
        return None
    if options.columns:
        found = _named(options.columns, rows, bare)
    else:
        found = _told(glimpse, rows, bare)
    if not found:
        return None
    tags = [_tags(row, found) for row in rows]
    scheme = tell_scheme(tags, options.entity_label or ENTITY_LABEL)
    return found._replace(scheme=scheme)


def _named(wanted: str, rows: list[list[str]], bare: Layout) -> Layout:
    """Raises ValueError."""
    named = named_columns(wanted, bare.n_columns)
    token, tags = named.get("token", [0]), named.get("tag", [bare.n_columns - 1])
    misc = _are_misc(tags, rows)
    return bare._replace(token=token[-1], tags=tuple(tags), misc=misc)


def _are_misc(tags: list[int], rows: list[list[str]]) -> bool:
    """Whether the tags are those in CoNLL-U's MISC."""
    return tags == [CONLLU - 1] and any(MISC_TAG.search(row[-1]) for row in rows)


def _told(glimpse: Glimpse, rows: list[list[str]], bare: Layout) -> Layout | None:
    width = bare.n_columns
    if not NARROWEST <= width <= WIDEST:
        return None
    header = next((m[1] for line in glimpse.lines if (m := PLUS.match(line))), None)
    names = split_columns(header.upper()) if header else []
    token = names.index("FORM") if "FORM" in names else int(bare.numbered)
    bare = bare._replace(token=token)
    if bare.numbered and _are_misc([width - 1], rows):
        return bare._replace(tags=(width - 1,), misc=True)
    named = [i for i, name in enumerate(names) if name.split(":")[-1] in TAG_NAMES]
    others = range(token + 1, width)
    tagged = [i for i in others if is_prefixed(row[i] for row in rows)]
    bare_tags = [i for i in others if are_bare(row[i] for row in rows)]
    if named:
        return bare._replace(tags=tuple(named))
    nested = width == token + 3 and tagged[:1] == [token + 1]
    if nested and _are_twice(rows):
        first = token + 1
        raise ValueError(TWICE.format(first, first + 1, token, first))
    if nested and _are_nested(rows, bare.numbered):
        return bare._replace(tags=(token + 1, token + 2))
    if not (tagged or bare_tags):
        return None
    *unread, last = tagged or bare_tags
    return bare._replace(tags=(last,), unread=tuple(unread))


def _are_numbered(rows: list[list[str]]) -> bool:
    """Whether the first column has numbers, and CoNLL-U's `1-2` or `1.1` among them."""
    n_whole = sum(row[0].isdigit() for row in rows)
    others = [row[0] for row in rows if not row[0].isdigit()]
    return n_whole > len(others) and all(map(RANGE.fullmatch, others))


def _are_nested(rows: list[list[str]], numbered: bool) -> bool:
    """Whether the last two columns are GermEval's, not of chunks and entities.

    They have labels in common; with a column of numbers they need not, and the inner
    one may be empty.
    """
    outer, inner = ({row[i] for row in rows} - {*OUTSIDE} for i in (-2, -1))
    return bool(outer & inner) or (numbered and (not inner or is_prefixed(inner)))


def _are_twice(rows: list[list[str]]) -> bool:
    """Whether most tags of the last column stand in the one before it, too."""
    inner = [row[-2] == row[-1] for row in rows if row[-1] not in OUTSIDE]
    return sum(inner) > len(inner) / 2


def fits_columns(glimpse: Glimpse) -> bool:
    """Whether tokens have tags with prefixes, and in no other format."""
    if any(each.fits and each.fits(glimpse) for each in (CONLL2003, CONLL04)):
        return False
    if find_table(glimpse, Options()):
        return True
    try:
        layout = _choose(glimpse, Options())
    except ValueError:  # which is told when it is read
        return True
    if layout is None or layout.n_columns < NARROWEST:
        return False
    return layout.scheme.prefixed


COLUMNS = Format(
    "columns", read_columns, fits_columns, options=("columns", "entity_label")
)
