"""`spacy attn report`: its output, its files, its errors."""

import json
import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from typer.testing import CliRunner

from spacy_attnner import loading
from spacy_attnner.cli import attn_cli
from spacy_attnner.errors import UserError
from spacy_attnner.report.run import report_pipeline


def run(*args):
    return CliRunner().invoke(attn_cli, ["report", *map(str, args)])


def test_the_command(make_model, corpus, tmp_path):
    model, files = make_model(), (tmp_path / "a/r.json", tmp_path / "a/r.html")
    result = run(model, corpus, "--json", files[0], "--html", files[1], "-n", 3)
    assert result.exit_code == 0, result.output
    content = json.loads(files[0].read_text())
    assert content["kinds"] == {
        "correct": 3,
        "type": 1,
        "boundary": 0,
        "boundary+type": 0,
        "missed": 2,
        "spurious": 1,
    }
    assert content["unit"] == "documents"
    assert content["n_units"] == 3
    assert content["calibration"]["n"] == 5
    assert content["entities"]["micro"]["support"] == 6
    assert content["frequent"][0]["gold_text"] == "Kestrel Lines"
    assert "&lt;script&gt;alert(1)" in files[1].read_text()
    for part in ("micro avg", "B-ORG", "accuracy", "Kestrel Lines [ORG]", "0.95"):
        assert part in result.stdout
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["r.html", "r.json"]


@pytest.mark.parametrize("gold_preproc", [False, True])
def test_f1_is_what_spacy_evaluates(make_model, corpus, gold_preproc):
    model = make_model()
    nlp = spacy.load(model)
    expected = nlp.evaluate(list(Corpus(corpus, gold_preproc=gold_preproc)(nlp)))
    report = report_pipeline(str(model), corpus, gold_preproc=gold_preproc)
    micro = report.entities.micro
    assert 0 < micro.f1 < 1
    assert micro.f1 == pytest.approx(expected["ents_f"], abs=1e-12)
    assert micro.precision == pytest.approx(expected["ents_p"], abs=1e-12)
    assert report.n_units == (4 if gold_preproc else 3)
    assert report.unit == ("sentences" if gold_preproc else "documents")


def test_attn_ner_gives_confidences(corpus, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("attn_ner")
    examples = list(Corpus(corpus)(nlp))
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.01
    for _ in range(15):
        nlp.update(examples, sgd=sgd)
    nlp.to_disk(tmp_path / "attn")
    report = report_pipeline(str(tmp_path / "attn"), corpus, batch_size=2)
    assert report.calibration is not None
    assert report.calibration.without == 0
    assert report.calibration.n == sum(map(sum, _columns(report.confusion.counts)))
    assert 0 < report.calibration.confidence < 1


def _columns(counts):
    return [row[:-1] for row in counts]


def test_spacys_own_ner_has_no_confidences(corpus, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    examples = list(Corpus(corpus)(nlp))
    sgd = nlp.initialize(lambda: examples)
    for _ in range(15):
        nlp.update(examples, sgd=sgd)
    nlp.to_disk(tmp_path / "ner")
    result = run(tmp_path / "ner", corpus)
    assert result.exit_code == 0, result.output
    assert "micro avg" in result.output
    assert "Confidence" not in result.output


def test_some_entities_have_no_confidence(make_model, corpus):
    model = make_model()
    nlp = spacy.load(model)
    ruler = nlp.add_pipe("entity_ruler", name="later")
    ruler.add_patterns([{"label": "PER", "pattern": "Nils"}])
    nlp.to_disk(model)
    result = run(model, corpus)
    assert "of 5 predictions; 1 without a confidence left out" in result.output


def test_a_folder_of_files(make_model, corpus):
    report = report_pipeline(str(make_model()), corpus.parent)
    assert report.n_units == 3


def write_docs(path: Path, *docs: Doc) -> Path:
    DocBin(docs=docs).to_disk(path)
    return path


def test_no_document(make_model, tmp_path):
    data = write_docs(tmp_path / "none.spacy")
    with pytest.raises(UserError, match=r"none\.spacy holds no document"):
        report_pipeline(str(make_model()), data)


def test_an_empty_file(make_model, tmp_path):
    (tmp_path / "empty.spacy").touch()
    with pytest.raises(UserError, match=r"empty\.spacy cannot be read"):
        report_pipeline(str(make_model()), tmp_path / "empty.spacy")


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_file_cut_short(make_model, corpus, keep):
    data = corpus.read_bytes()
    corpus.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError, match=r"test\.spacy cannot be read"):
        report_pipeline(str(make_model()), corpus)


def test_no_entity_annotation(make_model, tmp_path):
    words = ["Rain", "again", "."]
    data = write_docs(tmp_path / "cats.spacy", Doc(spacy.blank("en").vocab, words))
    with pytest.raises(
        UserError, match=r"no entities, relations or .* 1 documents of .*cats"
    ):
        report_pipeline(str(make_model()), data)


@pytest.mark.parametrize("option", ["--gold-preproc", "--gold-sents"])
def test_no_sentences(make_model, corpus, tmp_path, option):
    nlp = spacy.blank("en")
    docs = list(DocBin().from_disk(corpus).get_docs(nlp.vocab))
    for doc in docs:
        for token in doc:
            token.is_sent_start = None
    data = write_docs(tmp_path / "no_sentences.spacy", *docs)
    result = run(make_model(), data, option)
    assert result.exit_code == 0
    assert "No sentences are annotated" in result.output
    assert "3 documents, " in result.output


def test_a_pipeline_without_entities(corpus, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "other")
    output = tmp_path / "r.json"
    result = run(tmp_path / "other", corpus, "--json", output)
    assert result.exit_code == 1
    assert "other' sets no entities; its components: sentencizer" in flat(result.output)
    assert "attn_ner" in result.output
    assert not output.exists()


def test_gold_sentence_starts_of_whole_documents(make_model, corpus):
    model = make_model()
    nlp = spacy.load(model)
    nlp.add_pipe("test_report_opens")
    nlp.to_disk(model)
    result = run(model, corpus, "--gold-sents")
    assert result.exit_code == 0, result.output
    assert "3 documents with sentence starts, " in result.output
    found = [
        report_pipeline(str(model), corpus, gold_sents=gold_sents).kinds["correct"]
        for gold_sents in (False, True)
    ]
    assert found == [3, 2]  # of Mira Okafor, Bergen and Bergen, one is in a sentence


def test_one_kind_of_sentences(make_model, corpus):
    result = run(make_model(), corpus, "--gold-sents", "--gold-preproc")
    assert result.exit_code == 1
    assert "--gold-preproc and --gold-sents exclude each other" in flat(result.output)


def flat(text: str) -> str:
    """Wrapped lines put together again, wherever they were wrapped."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("missing.spacy", "does not exist"),
        ("folder", "holds no .spacy file"),
        ("corpus.jsonl", "is not a .spacy file"),
    ],
)
def test_data_that_cannot_be_used(make_model, tmp_path, data, problem):
    (tmp_path / "folder").mkdir()
    (tmp_path / "corpus.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=f"{data}.* {problem}|{problem}") as caught:
        report_pipeline(str(make_model()), tmp_path / data)
    assert data in caught.value.problem
    assert caught.value.way_out


def test_models_that_cannot_be_used(corpus, tmp_path):
    with pytest.raises(UserError, match="'en_none' is neither"):
        report_pipeline("en_none", corpus)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty' does not load"):
        report_pipeline(str(tmp_path / "empty"), corpus)


@pytest.mark.parametrize("error", [ValueError, RuntimeError])  # no GPU; no such GPU
def test_no_such_gpu(make_model, corpus, monkeypatch, error):
    def refuse(gpu_id, silent):
        raise error(f"no device {gpu_id}")

    monkeypatch.setattr(loading, "setup_gpu", refuse)
    with pytest.raises(UserError, match="GPU 7 cannot be used"):
        report_pipeline(str(make_model()), corpus, gpu_id=7)


def test_outputs_that_cannot_be_written(make_model, corpus, tmp_path):
    model, same, plain = str(make_model()), tmp_path / "same", tmp_path / "plain"
    with pytest.raises(UserError, match=r"--json .*report\.json"):
        report_pipeline(model, corpus, json_path=tmp_path)
    with pytest.raises(UserError, match="are both"):
        report_pipeline(model, corpus, json_path=same, html_path=same)
    plain.write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        report_pipeline(model, corpus, json_path=plain / "r.json")
    assert not same.exists()


def test_html_without_matplotlib(make_model, corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    files = tmp_path / "r.json", tmp_path / "r.html"
    result = run(make_model(), corpus, "--json", files[0], "--html", files[1])
    assert result.exit_code == 1
    assert "pip install 'spacy-attnner[report]'" in result.output
    assert not any(file.exists() for file in files)
    assert run(make_model(), corpus, "--json", files[0]).exit_code == 0


def test_code_is_imported(make_model, corpus, tmp_path):
    code = tmp_path / "more.py"
    code.write_text("raise SystemExit('imported')\n")
    assert "imported" in str(run(make_model(), corpus, "--code", code).exception)
