"""Where a format does not tell whether relations were looked for, the file does."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.relations import has_relations

TEXT = "Ada left Oslo ."


def brat(folder, joined):
    folder.mkdir()
    for i, is_joined in enumerate(joined):
        line = "R1\tLeft Arg1:T1 Arg2:T2\n" if is_joined else ""
        (folder / f"{i}.txt").write_text(TEXT)
        ann = f"T1\tPER 0 3\tAda\nT2\tLOC 9 13\tOslo\n{line}"
        (folder / f"{i}.ann").write_text(ann)


def label_studio(path, joined):
    spans = [("a", 0, 3, "PER"), ("b", 9, 13, "LOC")]
    regions = [
        {
            "id": name,
            "type": "labels",
            "value": {"start": start, "end": end, "labels": [label]},
        }
        for name, start, end, label in spans
    ]
    link = {"type": "relation", "from_id": "a", "to_id": "b", "labels": ["Left"]}
    tasks = [
        {
            "id": i,
            "data": {"text": TEXT, "id": f"own {i}"},
            "annotations": [{"result": [*regions, *[link] * is_joined]}],
        }
        for i, is_joined in enumerate(joined)
    ]
    path.write_text(json.dumps(tasks))


def pubtator(path, joined):
    head = "\n".join(
        f"{i}|t|{TEXT}\n{i}\t0\t3\tAda\tPER\tP1\n{i}\t9\t13\tOslo\tLOC\tL1\n"
        + f"{i}\tLeft\tP1\tL1\n" * is_joined
        for i, is_joined in enumerate(joined)
    )
    path.write_text(head)


@pytest.mark.parametrize("write_as", [brat, label_studio, pubtator])
@pytest.mark.parametrize("joined", [(False, False), (False, True)])
def test_none_in_a_file_are_not_annotated(write_as, joined, tmp_path, nlp):
    write_as(tmp_path / "corpus", joined)
    summary = convert(tmp_path / "corpus", tmp_path / "out.spacy")
    docs = list(DocBin().from_disk(tmp_path / "out.spacy").get_docs(nlp.vocab))
    assert [has_relations(doc) for doc in docs] == [any(joined)] * 2
    assert ("relations: not annotated" in summary.lines()) != any(joined)
    if write_as is label_studio:
        assert [doc.user_data["id"] for doc in docs] == ["own 0", "own 1"]
        assert "meta" not in docs[0].user_data
