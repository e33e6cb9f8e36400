"""The whole project, from the bundled sample to the installed pipeline."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    *("fetch", "vectors", "encoder", "corpus", "train-joint", "calibrate"),
    *("train-questions", "describe", "evaluate", "report", "package", "install"),
    "check",
)
PREDICT = """
import json, sys, spacy
nlp = spacy.load(sys.argv[1])
texts = [json.loads(line)["text"] for line in open(sys.argv[2], encoding="utf8")]
result = []
for doc in nlp.pipe(texts):
    ents = [(e.start, e.end, e.label_, e._.confidence) for e in doc.ents]
    rels = [(r.head.start, r.tail.start, r.label, r.score) for r in doc._.relations]
    result.append((ents, rels, sorted(doc.cats.items())))
print(json.dumps(result))
"""
# what the README's corrections take for granted
READ_EXAMPLES = """
import random
import spacy
from spacy.training import Corpus
nlp = spacy.load("en_attnner")
known = list(Corpus("corpus/ner/train.spacy")(nlp))
corrected = list(Corpus("corpus/ner/dev.spacy", limit=3)(nlp))
"""


class Project:
    """A copy of the project whose `install` step leaves this environment alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("configs", "scripts", "assets/sample"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "project.yml", folder)
        self.site = folder / "site"
        self.env = {
            **os.environ,
            "PIP_TARGET": str(self.site),
            "PYTHONPATH": str(self.site),
            "PYTHONSAFEPATH": "",  # it would hide what is beside a script
            "NO_COLOR": "1",
        }

    def python(self, *args: str, timeout: float = 2400) -> str:
        """Run Python in the project's folder; returns what it printed."""
        result = subprocess.run(
            [sys.executable, *args],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
        return result.stdout

    def run_all(self) -> str:
        """`spacy project run all` on the sample."""
        command = ("-m", "spacy", "project", "run", "all", ".")
        # the sample has fewer entities than are worth calibrating on; here they do
        options = ("--vars.corpus", "sample", "--vars.min_entities", "50")
        options += ("--vars.min_relations", "5", "--vars.max_epochs", "6")
        return self.python(*command, *options)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its first run."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.run_all()
    return project


def metrics(project: Project, name: str) -> dict:
    return json.loads((project.folder / "metrics" / f"{name}.json").read_text("utf8"))


def test_sample_teaches_something(project: Project) -> None:
    assert metrics(project, "ner")["scores"]["ents_f"] >= 0.6
    assert metrics(project, "rel")["scores"]["rel_f"] > 0.1
    assert metrics(project, "textcat")["scores"]["cats_acc"] > 0.5
    assert metrics(project, "questions")["scores"]["cats_acc"] > 1 / 6


def test_source_is_recorded_everywhere(project: Project) -> None:
    source = json.loads((project.folder / "corpus/SOURCE.json").read_text("utf8"))
    assert source["corpus"] == "sample"
    assert metrics(project, "metrics")["source"] == source
    for name in metrics(project, "metrics")["results"]:
        assert metrics(project, name)["source"]["corpus"] == "sample"
    (meta_path,) = project.site.glob("en_attnner/meta.json")
    meta = json.loads(meta_path.read_text("utf8"))
    assert source["sources"][0]["name"] in {s["name"] for s in meta["sources"]}
    assert source["description"] in meta["description"]


def test_confidences_are_calibrated(project: Project) -> None:
    for name in ("ner", "ner_documents"):
        values = metrics(project, name)["calibration"]
        assert values["entities"] > 50
        assert 0 < values["ece"] != values["ece_uncalibrated"] > 0
    report = (project.folder / "metrics/REPORT.md").read_text("utf8")
    assert "ECE before" in report
    nlp = spacy.load(project.folder / "training/calibrated/model")
    for name in ("attn_ner", "arguments", "attn_rel", "attn_textcat"):
        assert nlp.get_pipe(name).model.attrs["temperature"] != 1.0, name


def test_the_report_has_the_same_scores(project: Project) -> None:
    report = metrics(project, "ner_report")
    expected = metrics(project, "ner")
    f1 = pytest.approx(expected["scores"]["ents_f"], abs=1e-12)
    assert report["entities"]["micro"]["f1"] == f1
    assert report["calibration"]["ece"] == expected["calibration"]["ece"]
    page = (project.folder / "metrics/ner_report.html").read_text("utf8")
    assert page.endswith("</html>\n")


def test_wheel_is_at_most_100_mb(project: Project) -> None:
    (wheel,) = (project.folder / "packages").rglob("*.whl")
    assert wheel.stat().st_size <= 100_000_000


def test_check_shows_entities_relations_and_categories(project: Project) -> None:
    shown = (project.folder / "packages/check.txt").read_text("utf8")
    assert len(re.findall(r"confidence", shown)) >= 1
    assert "POSITIVE" in shown
    assert "NEGATIVE" in shown


def test_packaging_changes_no_prediction(project: Project) -> None:
    texts = str(project.folder / "assets/sample/test.jsonl")
    before = project.python("-c", PREDICT, "training/en_attnner", texts)
    after = project.python("-c", PREDICT, "en_attnner", texts)
    assert json.loads(after) == json.loads(before)
    assert any(ents for ents, _, _ in json.loads(after))


def test_second_run_skips_everything(project: Project) -> None:
    started = time.perf_counter()
    shown = project.run_all()
    assert time.perf_counter() - started <= 20
    for step in STEPS:
        assert f"Skipping '{step}': nothing changed" in shown


def test_the_readme_examples_run(project: Project) -> None:
    readme = (ROOT / "README.md").read_text("utf8")
    use, correct, why = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert "+0." in project.python("-c", why)
    assert "POSITIVE" in project.python("-c", use)
    correct = correct.replace("range(50)", "range(2)")
    project.python("-c", READ_EXAMPLES + correct)


def test_a_killed_training_is_not_taken_for_finished(project: Project) -> None:
    """kill -9 in the middle; the next run of the step starts it again."""
    step = [sys.executable, "-m", "spacy", "project", "run", "train-questions", "."]
    shutil.copytree(project.folder, copy := project.folder.with_name("killed"))
    command = [*step, "--vars.corpus", "sample", "--force"]
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=project.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    model = copy / "training/questions/model-best"
    deadline = time.monotonic() + 60
    while model.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not model.exists()
    dry = subprocess.run(
        [*step, "--vars.corpus", "sample", "--dry"],
        cwd=copy,
        env=project.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Skipping" not in dry.stdout
