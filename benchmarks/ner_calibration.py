"""How far the confidences of trained pipelines can be believed, before and after
`spacy attn calibrate`.

    python benchmarks/ner_calibration.py MODEL [MODEL ...] --corpus corpus/ner

Each pipeline is calibrated on the dev set and scored on the test set, as whole
documents with gold sentence starts ("given") and without any ("none"). Beside the JSON
file it writes the reliability diagram of the first pipeline (calibrated and tested
without sentence starts) as SVG, and prints its table of tags.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from record import use_threads, write_result
from tqdm import tqdm

from spacy_attnner.atomic import write_text
from spacy_attnner.confidence.calibration import MARGIN
from spacy_attnner.fitting import calibrate_pipeline
from spacy_attnner.report.content import Report
from spacy_attnner.report.html import plot_reliability
from spacy_attnner.report.run import report_pipeline

RESULTS = Path(__file__).parent / "results"
HIGH = 0.99  # confidence
SETTINGS = {"none": False, "given": True}  # whether sentence starts are


def row_of(report: Report) -> dict[str, float | None]:
    """ECE in percent, and of predictions with at least `HIGH` the share and how many
    percent of them are right."""
    calibration = report.calibration
    if calibration is None:
        raise SystemExit(f"{report.model} has no confidences")
    high = next(each for each in calibration.thresholds if each.threshold == HIGH)
    right = None if high.precision is None else round(100 * high.precision, 2)
    return {
        "ece": round(100 * calibration.ece, 2),
        "kept at 0.99": round(100 * high.kept, 2),
        "right at 0.99": right,
    }


def table_of_tags(report: Report) -> str:
    """Precision, recall, F1 and support of every IOB2 tag, and their averages."""
    tags = report.tags
    averages = {
        "micro average": tags.micro,
        "macro average": tags.macro,
        "weighted average": tags.weighted,
    }
    lines = ["| tag | precision | recall | F1 | support |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} | {s.support:,} |"
        for name, s in {**tags.per_label, **averages}.items()
    ]
    return "\n".join(lines)


def measure(model: str, options: argparse.Namespace) -> tuple[list[dict], Report]:
    """Rows of one pipeline, and its report after calibration, nothing given."""
    dev, test = (options.corpus / f"{split}.spacy" for split in ("dev", "test"))
    rows, shown = [], None
    for name, given in SETTINGS.items():
        before = report_pipeline(model, test, gold_sents=given)
        rows.append({"model": model, "fitted": "no", "test": name} | row_of(before))
    with tempfile.TemporaryDirectory() as folder:
        for fitted, dev_given in SETTINGS.items():
            output = Path(folder) / fitted
            calibrate_pipeline(
                model, dev, output, gold_sents=dev_given, margin=options.margin
            )
            for name, given in SETTINGS.items():
                report = report_pipeline(str(output), test, gold_sents=given)
                own = {"model": model, "fitted": fitted, "test": name}
                rows.append(own | row_of(report))
                if not (dev_given or given):
                    shown = report
    assert shown is not None
    return rows, shown


def means(rows: list[dict]) -> list[dict]:
    """Mean over the pipelines of each way to fit and to test."""
    found = []
    ways = dict.fromkeys((row["fitted"], row["test"]) for row in rows)
    for fitted, test in ways:
        own = [r for r in rows if (r["fitted"], r["test"]) == (fitted, test)]
        columns = {
            key: round(statistics.mean(row[key] for row in own), 3)
            for key in ("ece", "kept at 0.99", "right at 0.99")
        }
        found.append({"fitted": fitted, "test": test, "models": len(own)} | columns)
    return found


def main() -> None:
    """Parse the command line, measure, keep the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="+", help="folders of trained pipelines, not calibrated")
    add("--corpus", type=Path, required=True, help="folder of {dev,test}.spacy")
    add("--margin", type=float, default=MARGIN, help="as for `spacy attn calibrate`")
    add("--output", type=Path, default=RESULTS / "ner_calibration.json")
    options = parser.parse_args()
    use_threads(1)
    rows, reports = [], []
    for model in tqdm(options.models, desc="pipelines"):
        of_model, report = measure(model, options)
        rows += of_model
        reports.append(report)
    content = {"means": means(rows), "rows": rows}
    names = " ".join(f"MODEL{i}" for i in range(len(options.models)))
    command = f"python benchmarks/ner_calibration.py {names} --corpus corpus/ner"
    write_result(options.output, command, content)
    calibration = reports[0].calibration
    if calibration is not None:
        write_text(options.output.with_suffix(".svg"), plot_reliability(calibration))
    sys.stdout.write(json.dumps(content["means"], indent=1) + "\n")
    sys.stdout.write(table_of_tags(reports[0]) + "\n")


if __name__ == "__main__":
    main()
