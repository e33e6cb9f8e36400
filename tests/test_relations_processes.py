"""Relations that one process writes and another one reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKE = """
import json, sys
from pathlib import Path
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

def readable(doc):
    from spacy_attnner.relations import get_relations
    return [
        [r.head.start, r.head.end, r.head.label_, r.head.text, r.label,
         r.tail.start, r.tail.end, r.tail.label_, r.tail.text, r.score]
        for r in get_relations(doc)
    ]

def make_doc(vocab):
    words = "Ida Ness left Kestrel Lines for Bergen .".split()
    return annotate(Doc(vocab, words=words))

def annotate(doc):
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 3, 5, "ORG"), Span(doc, 6, 7, "LOC")]
    return doc

def relate(doc):
    person, company, place = doc.ents
    given = Span(doc, 0, 1, "GIVEN")
    set_relations(doc, [
        Relation(person, company, "Left", 0.123456789),
        Relation(company, person, "Lost"),
        Relation(given, person, "Part_Of", 1 / 3),
        Relation(person, Span(doc, 0, 2, "ARTIST"), "Same", 0.5),
    ])
    return doc
"""
WRITE = """
from spacy_attnner import Relation, set_relations
doc = relate(make_doc(Vocab()))
empty = make_doc(doc.vocab)
set_relations(empty, [])
docs = [doc, empty, make_doc(doc.vocab)]
DocBin(docs=docs).to_disk(sys.argv[1])
print(json.dumps([readable(each) for each in docs]))
"""
READ = """
import spacy_attnner
docs = list(DocBin().from_disk(sys.argv[1]).get_docs(Vocab()))
print(json.dumps([readable(doc) for doc in docs]))
print(json.dumps(["relations" in doc.spans for doc in docs]))
"""
READ_BEFORE_IMPORT = """
docs = list(DocBin().from_disk(sys.argv[1]).get_docs(Vocab()))
assert not any(name.startswith("spacy_attnner") for name in sys.modules)
import spacy_attnner
spacy_attnner.register_extensions()
assert docs[0]._.rel[0, 3] == {"Left": 0.123456789}
print(json.dumps([readable(doc) for doc in docs]))
print(json.dumps(["relations" in doc.spans for doc in docs]))
"""
WRITE_WITHOUT_THE_PACKAGE = """
doc = make_doc(Vocab())
grouped = make_doc(doc.vocab)
grouped.spans["relations"] = [grouped[0:2]]
DocBin(docs=[doc, grouped], store_user_data=True).to_disk(sys.argv[1])
assert not any(name.startswith("spacy_attnner") for name in sys.modules)
"""
READ_WITHOUT_ANNOTATION = """
from spacy_attnner import has_relations, register_extensions
register_extensions()
for doc in DocBin().from_disk(sys.argv[1]).get_docs(Vocab()):
    print(json.dumps([has_relations(doc), doc._.relations, len(doc._.rel)]))
"""
PIPE = """
import spacy
from spacy_attnner import Relation, set_relations
from spacy.language import Language

@Language.component("relate")
def component(doc):
    return relate(annotate(doc))

if __name__ == "__main__":
    nlp = spacy.blank("en")
    nlp.add_pipe("relate")
    texts = ["Ida Ness left Kestrel Lines for Bergen ."] * 20
    docs = nlp.pipe(texts, n_process=2, batch_size=3)
    print(json.dumps([readable(doc) for doc in docs]))
    print(json.dumps(readable(nlp(texts[0]))))
"""


def run(script: str, *args: Path) -> list:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MAKE + script, *map(str, args)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("read", [READ, READ_BEFORE_IMPORT], ids=["import", "late"])
def test_one_process_writes_and_another_reads(tmp_path: Path, read: str):
    path = tmp_path / "docs.spacy"
    (written,) = run(WRITE, path)
    assert [len(relations) for relations in written] == [4, 0, 0]
    assert written[0][2][-1] == 1 / 3
    read_again, annotated = run(read, path)
    assert read_again == written
    assert annotated == [True, True, False]


def test_documents_that_were_written_without_the_package(tmp_path: Path):
    path = tmp_path / "docs.spacy"
    run(WRITE_WITHOUT_THE_PACKAGE, path)
    assert run(READ_WITHOUT_ANNOTATION, path) == [[False, [], 0]] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_worker_processes_give_relations_back():
    found, expected = run(PIPE)
    assert len(expected) == 4
    assert found == [expected] * 20
