"""Batches of texts as a pipeline reads them; a text that fails takes no other along."""

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..explain.explainer import KINDS, Explainer
from ..explain.explanation import Explanation
from ..explain.methods import DEFAULT
from ..export.found import document_record
from ..models.onnx_encoder import OnnxEncoder
from ..onnx import encoders_of
from ..vocabulary import forgetting
from .found_page import found_html

MOST_EXPLAINED = 20  # of what a text says, categories first
REMEMBERED = 1_000_000  # characters
NEW_WORDS = 1_000_000  # after which requests wait for new tables of words
log = logging.getLogger("spacy_attnner.serving")


@dataclass(frozen=True)
class Job:
    """A text to be read.

    id: What the client calls it. explain: Also say why. html: As a part of a page, in
    place of JSON.
    """

    text: str
    id: str | int | None = None
    explain: bool = False
    html: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job: JSON or HTML, or `{"error": …}` where it failed."""

    content: str
    failed: bool = False


def failure(problem: str, id: str | int | None = None) -> Outcome:
    """The outcome of a text that cannot be read."""
    row = ({} if id is None else {"id": id}) | {"error": problem}
    return Outcome(json.dumps(row), failed=True)


class BatchReader:
    """Reads batches with a pipeline, one at a time, in whatever thread it is called.

    nlp: The pipeline, which nobody else may use meanwhile.
    remembered: Characters of texts after which their words are forgotten
        (`forgetting`): most words of a text were in another one shortly before.
    """

    def __init__(self, nlp: Language, *, remembered: int = REMEMBERED) -> None:
        self.nlp = nlp
        self.remembered = remembered
        self._zone = ExitStack()
        self._chars = 0  # read in the zone
        self.explainer = Explainer(nlp)
        # the graph of ONNX has no gradients
        graphs = (isinstance(e.encoder, OnnxEncoder) for _, e in encoders_of(nlp))
        self.method = "leave_one_out" if any(graphs) else DEFAULT

    def read(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The outcomes of jobs, in their order.

        A batch that fails, also for want of memory, is halved until the text that makes
        it fail is alone.
        """
        if not self._chars:
            self._zone.enter_context(forgetting(self.nlp, NEW_WORDS))
        self._chars += 1 + sum(len(job.text) for job in jobs)
        try:
            return self._read(jobs)
        finally:
            if self._chars > self.remembered:
                self._chars = 0
                self._zone.close()

    def _read(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            docs = self.nlp.pipe([job.text for job in jobs], batch_size=len(jobs))
            pairs = zip(docs, jobs, strict=True)
            return [self._outcome(doc, job) for doc, job in pairs]
        except Exception as error:
            problem = f"the pipeline fails on this text: {type(error).__name__}: "
            problem += str(error)[:500]
            if len(jobs) == 1:
                log.exception("a text of %d characters fails", len(jobs[0].text))
                return [failure(problem, jobs[0].id)]
        half = len(jobs) // 2
        return self._read(jobs[:half]) + self._read(jobs[half:])

    def _outcome(self, doc: Doc, job: Job) -> Outcome:
        found = self._explanations(doc) if job.explain else []
        if job.html:
            return Outcome(found_html(doc, found))
        row = document_record(doc, job.id)
        if job.explain:
            row["explanations"] = [each.to_json() for each in found]
        return Outcome(json.dumps(row, ensure_ascii=False, allow_nan=False))

    def _explanations(self, doc: Doc) -> list[Explanation]:
        targets: list[Any] = []
        for kind, _ in KINDS.values():
            if self.explainer.pipes(kind):
                targets += self.explainer.targets(doc, kind)
        explain = partial(self.explainer.explain, doc, method=self.method)
        return [explain(target) for target in targets[:MOST_EXPLAINED]]
