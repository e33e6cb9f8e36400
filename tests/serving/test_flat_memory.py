"""A service does not go on remembering the texts that it has read."""

import pytest

from spacy_attnner.serving.batch_reader import BatchReader, Job
from tests.pipeline.conftest import Task


@pytest.mark.parametrize("name", ["attn_ner", "attn_textcat"])
def test_words_are_forgotten(name):
    nlp = Task(name).trained(steps=3)
    reader = BatchReader(nlp, remembered=0)
    sizes = set()
    for n in range(6):
        words = " ".join(f"w{n}x{i * i}" for i in range(200))
        jobs = [Job(f"{words} {i}") for i in range(3)]
        assert not any(outcome.failed for outcome in reader.read(jobs))
        sizes.add((len(nlp.vocab.strings), len(list(nlp.vocab))))
    assert len(sizes) == 1


def test_words_of_a_batch_that_fails_are_forgotten():
    from .conftest import make_nlp

    nlp = make_nlp()
    reader = BatchReader(nlp, remembered=0)
    reader.read([Job("FAIL"), Job("Mira")])
    size = len(nlp.vocab.strings)
    for n in range(5):
        jobs = [Job(f"one{n} FAIL"), Job(f"Mira other{n}"), Job("third")]
        assert [outcome.failed for outcome in reader.read(jobs)] == [True, False, False]
    assert len(nlp.vocab.strings) == size


def test_words_are_remembered_for_a_while():
    """So that they are not looked at anew in every text, and not for ever."""
    from .conftest import make_nlp

    nlp = make_nlp()
    reader = BatchReader(nlp, remembered=1000)
    sizes = [len(nlp.vocab.strings)]
    for n in range(60):
        reader.read([Job(f"Mira has {n} words"), Job(f"word{n} FAIL")])
        sizes.append(len(nlp.vocab.strings))
    assert sizes.count(sizes[0]) == 2  # before, and where all was forgotten
    assert sizes[0] < sizes[10] < sizes[20]
