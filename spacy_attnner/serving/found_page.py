"""Pages of a service: one to paste a text into, and what its requests look like."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from spacy.tokens import Doc

from ..explain.explanation import Explanation
from ..export.found import document_record
from ..render import caption, heat, page, picture
from ..render.heat import CSS as HEAT
from ..render.page import markup

CSS = (
    HEAT
    + """
textarea { width: 100%; box-sizing: border-box; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 4px;
  padding: .5rem; }
button { font: inherit; padding: .3rem 1rem; margin-right: 1rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 8rem; }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .5rem; }
.error { color: #d1495b; }
"""
)
# nothing but this service is asked for anything, whatever a text holds
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
SCRIPT = """
const form = document.getElementById("ask");
const out = document.getElementById("found");
const button = form.querySelector("button");
function say(text) {
  const p = document.createElement("p");
  p.className = "error";
  p.textContent = text;
  out.replaceChildren(p);
}
async function ask(event) {
  event.preventDefault();
  button.disabled = true;
  out.setAttribute("aria-busy", "true");
  try {
    const text = document.getElementById("text").value;
    const explain = document.getElementById("explain").checked;
    const answer = await fetch("show", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({text, explain}),
    });
    const body = await answer.text();
    if (answer.ok) out.innerHTML = body;
    else say(JSON.parse(body).error);
  } catch (error) {
    say("The service does not answer: " + error.message);
  }
  out.removeAttribute("aria-busy");
  button.disabled = false;
}
form.addEventListener("submit", ask);
const given = new URLSearchParams(location.hash.slice(1));  // #text=…, a link to a text
if (given.has("text")) {
  document.getElementById("text").value = given.get("text");
  document.getElementById("explain").checked = given.has("explain");
  form.requestSubmit();
}
document.getElementById("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
"""
FORM = """
<form id="ask">
<p><label for="text">Text</label></p>
<textarea id="text" rows="6" dir="auto" spellcheck="false" required></textarea>
<p><button>Read</button>
<label><input type="checkbox" id="explain"> explain, which takes longer</label></p>
</form>
<div id="found" aria-live="polite"></div>
<p><a href="docs">Requests</a></p>
<link rel="icon" href="data:,">
<script src="page.js"></script>
"""


def text_page(model: str) -> str:
    """The page to paste a text into."""
    return page(f"What {model} finds", [FORM], CSS)


def found_html(doc: Doc, explanations: Sequence[Explanation]) -> str:
    """What a pipeline found in a document, as a part of a page."""
    row = document_record(doc)
    parts = [picture(doc).svg]
    if entities := row["entities"]:
        parts.append("<h2>Entities</h2>")
        keys = ("text", "label", "confidence")
        parts.append(_table(keys, (map(each.get, keys) for each in entities)))
    if relations := row["relations"]:
        cells = (
            (each["head"]["text"], each["label"], each["tail"]["text"], each["score"])
            for each in relations
        )
        parts.append("<h2>Relations</h2>")
        parts.append(_table(("head", "relation", "tail", "probability"), cells))
    if cats := row["cats"]:
        ordered = sorted(cats.items(), key=lambda item: -item[1])
        parts += ["<h2>Categories</h2>", _table(("category", "probability"), ordered)]
    if explanations:
        parts.append("<h2>Why</h2>")
    for each in explanations:
        parts += [f"<h3>{markup(caption(each))}</h3>", heat(each)]
    return "\n".join(parts)


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return f"<td>{'' if value is None else markup(value)}</td>"
    bar = f'<meter min="0" max="1" value="{value:.4f}"></meter>'
    return f'<td class="number">{value:.3f}</td><td>{bar}</td>'


def requests_page(schema: dict[str, Any]) -> str:
    """The requests of a service, as its OpenAPI schema has them."""
    parts = ['<p>As <a href="openapi.json">OpenAPI</a>.</p>']
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            parts.append(f"<h2>{method.upper()} {markup(path)}</h2>")
            parts.append(f"<p>{markup(about.get('description', about['summary']))}</p>")
            content = about.get("requestBody", {}).get("content", {})
            for example in content.get("application/json", {}).get("examples", {}):
                value = content["application/json"]["examples"][example]["value"]
                parts.append(_json(f"Send ({example})", value))
            cells = ((n, each["description"]) for n, each in about["responses"].items())
            parts.append(_table(("status", "answer"), cells))
    for name, each in schema.get("components", {}).get("schemas", {}).items():
        parts.append(_json(name, each.get("properties", each)))
    return page(schema["info"]["title"], parts, CSS)


def _json(title: str, value: Any) -> str:
    shown = json.dumps(value, indent=2, ensure_ascii=False)
    return f"<h3>{markup(title)}</h3><pre>{markup(shown)}</pre>"
