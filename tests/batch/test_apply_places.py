"""Where an output may lie, and what of a folder is ours."""

import os

import pytest

from spacy_attnner.batch import annotator
from spacy_attnner.errors import UserError
from tests.batch.conftest import read_jsonl


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"overwrite": True}])
def test_what_is_not_a_run_stays(flags, model, rows, tmp_path, apply):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    for output in (tmp_path / "mine", model, tmp_path):
        with pytest.raises(UserError):
            apply(rows, output, **flags)
    assert os.listdir(tmp_path / "mine") == ["letter.txt"]
    (tmp_path / "file.jsonl").write_text("dear")
    if not flags.get("overwrite"):
        with pytest.raises(UserError, match="is there"):
            apply(rows, tmp_path / "file.jsonl", **flags)
        assert (tmp_path / "file.jsonl").read_text() == "dear"


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"overwrite": True}])
@pytest.mark.parametrize(
    "first", ['{"audio": "a.wav"}\n', "17\n", '{"settings": 1}\n', "[", "{}"]
)
def test_a_folder_with_a_manifest_of_others(first, flags, rows, tmp_path, apply):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.jsonl").write_text(first)
    for name in ("errors.jsonl", "part-000000.jsonl"):
        (folder / name).write_text("mine")
    with pytest.raises(UserError, match=r"other things: errors.jsonl, manifest.jsonl"):
        apply(rows, folder, **flags)
    assert (folder / "manifest.jsonl").read_text() == first
    assert len(os.listdir(folder)) == 3


def test_only_names_of_parts_are_removed(rows, tmp_path, apply):
    apply(rows, tmp_path / "out", format="csv")
    others = ("part-1.csv", "part-00000-aa.parquet", "part-000000.old.jsonl")
    for name in others:
        (tmp_path / "out" / name).write_text("mine")
    apply(rows, tmp_path / "out", overwrite=True)
    parts = [f"part-{number:06}.jsonl" for number in range(5)]
    assert set(os.listdir(tmp_path / "out")) == {*others, *parts, "manifest.jsonl"}


def test_an_output_among_the_inputs(rows, tmp_path, apply):
    for output in (rows, tmp_path):
        with pytest.raises(UserError):
            apply(rows, output, overwrite=True)
    with pytest.raises(UserError, match="lies inside"):
        apply(tmp_path, tmp_path / "out.jsonl")
    assert os.listdir(tmp_path) == [rows.name]


@pytest.mark.parametrize("name", ["out.jsonl", "folder"])
def test_an_output_that_a_pattern_would_match(name, rows, tmp_path, apply):
    with pytest.raises(UserError, match="would be among the texts"):
        apply(tmp_path / "**/*.jsonl", tmp_path / name)
    assert os.listdir(tmp_path) == [rows.name]


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("out.xml", {}, "is of no known format"),
        ("out.csv", {"format": "jsonl"}, "says csv, and --format jsonl"),
        ("out.spacy", {"per": "entity"}, "no row per entity"),
    ],
)
def test_outputs_that_are_refused(name, options, problem, rows, tmp_path, apply):
    with pytest.raises(UserError, match=problem):
        apply(rows, tmp_path / name, **options)
    assert os.listdir(tmp_path) == [rows.name]


def test_two_runs_on_one_output(rows, tmp_path, apply):
    call = annotator.Annotator.__call__
    refused = []

    def try_another(self, part):
        if part.number == 1:
            for flags in ({"resume": True}, {"overwrite": True}):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(annotator.Annotator, "__call__", call)
                    with pytest.raises(UserError, match="another process") as error:
                        apply(rows, tmp_path / "out.jsonl", **flags)
                refused.append(error.value.way_out)
        return call(self, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotator.Annotator, "__call__", try_another)
        apply(rows, tmp_path / "out.jsonl")
    assert len(refused) == 2
    assert len(read_jsonl(tmp_path / "out.jsonl")) == 30
