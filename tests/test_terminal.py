"""Nothing that a terminal would obey reaches it from labels, texts or names."""

import json
import os
import signal
import warnings
from contextlib import ExitStack
from pathlib import Path

import check
import evaluate
import pytest
import spacy
import typer
from evaluate import Evaluation
from source import sample_source, write_source
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from spacy_attnner import fitting
from spacy_attnner.errors import UserError
from spacy_attnner.fitting import Thresholds
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.terminal import echo, msg, reported, visible, visible_lines

from .commands import invoke

EVIL = "\x1b]0;pwned\x07"  # gives a terminal window a title
SHOWN = "\\x1b]0;pwned\\x07"
LABEL = f"PER{EVIL}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("a\tb\r\n\x7f\x00", "a\\tb\\r\\n\\x7f\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
        ("naïve 東京 \U0001f469\u200d\U0001f680 e\u0301 \\x1b", None),
    ],
)
def test_visible(text, shown):
    assert visible(text) == (text if shown is None else shown)
    assert visible_lines(f"{text}\n{text}".replace("\r\n", "")).count("\n") == 1


def test_messages(capsys):
    msg.good(EVIL, EVIL)
    msg.warn(EVIL)
    msg.divider(EVIL)
    msg.table([(EVIL, 1)], header=(EVIL, "n"))
    msg.table({EVIL: EVIL})
    echo(f"{EVIL}\nnext")
    shown = capsys.readouterr().out
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert shown.count(SHOWN) == 9
    assert shown.endswith(f"{SHOWN}\nnext\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are others here")
@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_what_is_open_first(name, status):
    number = getattr(signal, name)
    signals = signal.getsignal(number)
    signal.signal(number, signal.SIG_DFL)
    ended = []
    is_open = ExitStack()
    is_open.callback(ended.append, name)
    try:
        with pytest.raises(typer.Exit) as stop, reported(), is_open:
            signal.raise_signal(number)
        with reported():
            forked = os.fork()
            if not forked:  # a worker, which ends at once
                signal.raise_signal(number)
                os._exit(0)
            assert os.WTERMSIG(os.waitpid(forked, 0)[1]) == number
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # as nohup does
        with reported():
            signal.raise_signal(number)
    finally:
        signal.signal(number, signals)
    assert (stop.value.exit_code, ended) == (status, [name])


def find(doc: Doc) -> Doc:
    """Set annotation whose labels are evil on a document of some tokens."""
    doc.ents = ents = [Span(doc, 0, 1, LABEL), Span(doc, 2, 3, LABEL)]
    doc.spans["scored"] = SpanGroup(doc, spans=ents, attrs={"scores": [0.5, 0.5]})
    set_relations(doc, [Relation(*ents, f"REL{EVIL}", 0.5)])
    doc.cats = {f"CAT{EVIL}": 0.75}
    return doc


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A pipeline and corpora with such labels, in the working directory."""
    monkeypatch.chdir(tmp_path)
    nlp = spacy.blank("en")
    spacy.Language.component("test_evil", func=find, assigns=["doc._.relations"])
    nlp.add_pipe("test_evil")
    nlp.to_disk("model")
    words = [f"Mira{EVIL}", "likes", f"Bergen{EVIL}", f"so{EVIL}"]
    doc = find(Doc(nlp.vocab, words))
    doc.ents = [Span(doc, 0, 2, LABEL), Span(doc, 2, 3, f"LOC{EVIL}")]
    Path("corpus/ner").mkdir(parents=True)
    Path("training").mkdir()
    DocBin(docs=[doc], store_user_data=True).to_disk("corpus/ner/test.spacy")
    for split in ("train", "dev", "test"):
        Path("assets/sample").mkdir(parents=True, exist_ok=True)
        Path(f"assets/sample/{split}.jsonl").touch()
    write_source(Path("corpus/SOURCE.json"), sample_source(Path()))
    label = f"A{EVIL}"
    record = {
        "text": "Mira likes Bergen",
        "entities": [
            {"start": 0, "end": 4, "label": label},
            {"start": 11, "end": 17, "label": label},
        ],
        "relations": [{"head": 0, "tail": 1, "label": label}],
        "cats": {label: 1},
    }
    Path("in.jsonl").write_text(json.dumps(record))
    Path(f"in{EVIL}.txt").write_text("Mira likes Bergen")
    return tmp_path


@pytest.mark.parametrize(
    "args",
    [
        ["check", "model"],
        ["convert", "in.jsonl", f"out{EVIL}.spacy"],
        ["convert", "in.jsonl", "out.spacy", "--labels", "B"],
        ["data", "corpus/ner/test.spacy"],
        ["evaluate", "model", "corpus/ner/test.spacy"],
        ["evaluate-project", "training", "corpus", "out"],
        ["report", "model", "corpus/ner/test.spacy"],
        ["relations", "model", f"in{EVIL}.txt", "-o", f"out{EVIL}.csv"],
        ["relations", "model", f"none{EVIL}.txt", "-o", "out.csv"],
        ["thresholds", "model", "corpus/ner/test.spacy", "out"],
        ["begin", f"../{EVIL}"],
    ],
    ids=lambda args: args[0],
)
def test_commands(place, args, monkeypatch):
    ner = ("ents_f", "ents_per_type")
    each = Evaluation("ner", f"Entities{EVIL}", "../model", "ner", ner)
    monkeypatch.setattr(evaluate, "EVALUATIONS", [each])
    fitted = Thresholds({LABEL: 0.5}, 0.0, 1.0)
    monkeypatch.setattr(fitting, "fit_pipeline_thresholds", lambda *_, **__: fitted)
    monkeypatch.setattr(check, "SENTENCES", (f"Mira{EVIL} likes Bergen{EVIL}",))
    result = invoke(args[0], args[1:])
    assert not result.exception or isinstance(result.exception, SystemExit)
    assert "pwned" in result.output
    assert "\x1b]" not in result.output
    assert "\x07" not in result.output


def test_warnings():
    before = warnings.formatwarning
    with reported():
        shown = warnings.formatwarning(f"a {EVIL}", UserWarning, "file.py", 1, "code")
        with pytest.warns(UserWarning, match="label"):
            warnings.warn("label", stacklevel=1)
    assert shown == f"file.py:1: UserWarning: a {SHOWN}\n  code\n"
    assert warnings.formatwarning is before


def test_lines_of_a_problem_stay_lines(capsys):
    with pytest.raises(typer.Exit), reported():
        raise UserError("a.yaml is no YAML:\n  line 3: " + "no " * 40, "Write:\n  a: 1")
    lines = capsys.readouterr().out.splitlines()
    assert "a.yaml is no YAML:" in lines[0]
    assert lines[1:] == ["  line 3: " + "no " * 40, "Write:", "  a: 1", ""]
