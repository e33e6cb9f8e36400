"""A page of HTML that needs no other file and no network, light or dark."""

from collections.abc import Iterable
from html import escape

from ..hidden import shown

CSS = """
:root { color-scheme: light dark; --ink: #1d2530; --soft: #556070; --back: #fff;
  --line: #dde2ea; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #9aa5b4; --back: #14181f; --line: #333b47; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
p { color: var(--soft); margin: .3rem 0; }
svg { max-width: 100%; height: auto; }
"""


def page(title: str, parts: Iterable[str], css: str = "") -> str:
    """A whole page.

    title: Plain text. parts: HTML. css: Rules beside the common ones.
    """
    title = markup(title)
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{CSS}{css}</style>\n</head>\n<body>",
            f"<h1>{title}</h1>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def markup(text: str) -> str:
    """A text as HTML or XML; characters that control how it is shown become `�`."""
    return escape(shown(text))
