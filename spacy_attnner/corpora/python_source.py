"""Lists of examples in Python source, as spaCy's tutorials have them.

    TRAIN_DATA = [("Ada left Oslo.", {"entities": [(0, 3, "PER")]}), …]

With an assignment or without, as `str(TRAIN_DATA)` prints it, or an example a line;
other statements may stand around it. Nothing is executed. Tuples become lists, as in
JSON. All of it is held in memory, about 150 times the size of the file.
"""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from typing import Any, TypeGuard

from .complaints import CorpusError
from .reading import Source
from .recognition import Glimpse

# of what spaCy's Example.from_dict is given
KEYS = "entities|spans|cats|links|ner|words|spaces|tags|pos|morphs|lemmas|deps|heads"
KEYS += "|sent_starts"
NOTES = frozenset(KEYS.split("|"))
N_LOOKED_AT = 100_000  # characters of what may be JSON
JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?$)', re.DOTALL)
NO_JSON = re.compile(r"['(#]|\b(?:None|True|False)\b")  # outside of its strings
BEGIN = re.compile(
    r"^[ \t]*(?:[\w.]+[ \t]*(?::[^=\n]+)?\+?=[ \t]*)?[\w.]*[\[({]", re.MULTILINE
)
PAIR = r"""["']\s*,\s*\[\s*\(\s*\d+\s*,"""  # of spaCy v1
# curly ones, too, as ISO-8859-1 has UTF-8's: Python then says that they are wrong
QUOTE = r"""(?:["']|\xe2\x80.)"""
KEY = re.compile(rf"""[{{,]\s*{QUOTE}(?:{KEYS}){QUOTE}\s*:|{PAIR}""")
CONTAINERS = (ast.Tuple, ast.List, ast.Dict)
LITERALS = (*CONTAINERS, ast.Constant, ast.UnaryOp)
WAY_OUT = "write its value, or have Python save it: json.dump(TRAIN_DATA, file)"
NO_LIST = "no list of texts with dictionaries; write [('a text', {'entities': []})]"
Named = tuple[str, list[ast.expr]]


def is_python(glimpse: Glimpse) -> bool:
    """Whether a file that is no JSON has dictionaries of spaCy's in a list."""
    text = "\n".join(glimpse.lines).replace("\r", "\n")
    if not BEGIN.search(text):
        return False
    beginning = JSON_STRING.sub("", text[:N_LOOKED_AT])
    if glimpse.is_json and not NO_JSON.search(beginning):
        return False
    return bool(KEY.search(text))


def read_literals(source: Source) -> Iterator[ast.expr]:
    """The examples of a file that has one list of them.

    Raises CorpusError if it has none, or several, or is no Python.
    """
    text = "\n".join(source.lines()).replace("\r", "\n")  # which ends a line there
    text = textwrap.dedent(text).lstrip(" \t")
    found: list[Named] = []
    for name, items in _parse(text, source):
        if found and name == found[-1][0] == "":  # an example a line
            found[-1][1].extend(items)
        else:
            found.append((name, items))
    source.line = found[-1][1][0].lineno if found else 1
    if len(found) != 1:
        told = [f"{name or 'one'} on line {items[0].lineno}" for name, items in found]
        several = f"several lists, {', '.join(told)}; give each a file of its own"
        raise source.error(f"the file holds {several if found else NO_LIST}")
    lines = text.encode().split(b"\n")  # places in them are those of bytes
    for item in found[0][1]:
        source.line, source.raw = item.lineno, _written(item, lines)
        yield item


def _parse(text: str, source: Source) -> list[Named]:
    source.line, source.raw = 1, text
    try:
        source.check_decoded()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown escapes in strings
            tree = ast.parse(text)
        return list(_find_lists(tree, source))
    except SyntaxError as error:
        source.line = error.lineno or 1
        near = text.split("\n")[source.line - 1].strip()[:40]
        raise source.error(
            f"no Python, {error.msg}: {near!r}; give the whole list and nothing else, "
            "or have Python save it: json.dump(TRAIN_DATA, file)"
        ) from error
    except RecursionError as error:
        raise source.error(f"{error}; leave the list alone in the file") from error
    except CorpusError:
        raise
    except ValueError as error:
        raise source.error(str(error)) from error


def _find_lists(
    node: ast.AST, source: Source, name: str = "", executed: bool = False
) -> Iterator[Named]:
    """Lists of examples, and what they are assigned to, "" for examples alone.

    executed: Whether it takes execution to know what becomes of the node.
    """
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = ast.unparse(target)
    items: list[ast.expr] = []
    if _is_example(node):
        items = [node]
    elif isinstance(node, ast.List | ast.Tuple) and any(map(_is_example, node.elts)):
        items = node.elts
        name = name or ("one" if isinstance(node, ast.List) else "")
    if items and executed:
        source.line = items[0].lineno
        raise source.error(
            f"{_shown(items[0])} is part of what has to be computed; {WAY_OUT}"
        )
    if items:
        yield name, items
        return
    is_value = isinstance(node, ast.expr) and not isinstance(node, CONTAINERS)
    executed = executed or is_value or isinstance(node, ast.AugAssign)
    for child in ast.iter_child_nodes(node):
        yield from _find_lists(child, source, name, executed)


def _is_example(node: ast.AST) -> TypeGuard[ast.expr]:
    """Whether it is a text with a dictionary or entities, or a dictionary of both."""
    if isinstance(node, ast.Call):  # of an example, to which the next one is given
        return _is_example(node.func)
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
        text, notes = node.elts
        return _is_text(text) and (
            bool(_keys(notes).keys() & NOTES) or _are_entities(notes)
        )
    keys = _keys(node)
    return "text" in keys and _is_text(keys["text"]) and bool(keys.keys() & NOTES)


def _are_entities(node: ast.AST) -> bool:
    """Whether it is a list of tuples, as spaCy v1 has them beside a text."""
    items = node.elts if isinstance(node, ast.List) else []
    return any(isinstance(item, ast.Tuple) for item in items)


def _keys(node: ast.AST) -> dict[str, ast.expr]:
    """The values of the keys of a dictionary that are strings."""
    if not isinstance(node, ast.Dict):
        return {}
    pairs = zip(node.keys, node.values, strict=True)
    return {str(key.value): value for key, value in pairs if _is_text(key)}


def _is_text(node: ast.AST | None) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _written(node: ast.expr, lines: list[bytes]) -> str:
    """What the source has for an expression."""
    assert node.end_lineno is not None
    start, end = node.col_offset, node.end_col_offset
    first, *rest = lines[node.lineno - 1 : node.end_lineno]
    if not rest:  # of what may be a line of all examples
        return first[start:end].decode()
    return b"\n".join([first[start:], *rest[:-1], rest[-1][:end]]).decode()


def literal(node: ast.expr, source: Source) -> Any:
    """The value of an expression.

    Raises ValueError, with its line, where it is no literal or gives a key twice.
    """
    for each in ast.walk(node):
        source.line = getattr(each, "lineno", source.line)
        if isinstance(each, ast.Call) and isinstance(each.func, CONTAINERS):
            source.line = each.func.end_lineno or source.line
            raise ValueError(f"a comma is missing behind {_shown(each.func)}; add it")
        if isinstance(each, ast.expr) and not isinstance(each, LITERALS):
            raise ValueError(f"{_shown(each)} would have to be computed; {WAY_OUT}")
        if isinstance(each, ast.Dict):
            keys = [ast.unparse(key) for key in each.keys if key]
            if len(set(keys)) < len(keys):
                twice = next(key for key in keys if keys.count(key) > 1)
                raise ValueError(f"key {twice} is given twice; remove one")
    source.line = node.lineno
    return _with_lists(ast.literal_eval(node))


def _shown(node: ast.expr) -> str:
    return ast.unparse(node)[:40]


def _with_lists(value: Any) -> Any:
    """A value with lists instead of tuples."""
    if isinstance(value, dict):
        return {key: _with_lists(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_lists(each) for each in value]
    return value
