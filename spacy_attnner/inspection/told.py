"""What a training needs to know and documents tell: task, language, how many."""

import runpy
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import spacy.lang

from ..errors import UserError
from .gathering import Gathered, gather
from .label_checks import n_categories

FEWEST_STOP_WORDS = 0.1  # share of the words
CLEARLY = 1.15  # so many times as many as of the next language


@dataclass(frozen=True)
class Told:
    """task: A key of `recipes.templates.TASKS`; None where it is not clear.

    language: None where it is not clear. documents: Of train.
    """

    task: str | None
    language: str | None
    documents: int


def tell(gathered: Gathered) -> Told:
    """What the documents of train say."""
    n = len(gathered.in_split(gathered.splits[0]))
    counts = Counter(gathered.flat.tolist())
    words = {gathered.strings[i]: n for i, n in counts.items()}
    return Told(_task(gathered), tell_language(words), n)


def _task(gathered: Gathered) -> str | None:
    spans = bool(gathered.entities or gathered.relations)
    if spans == bool(gathered.cats):
        return None
    if not spans:
        return "textcat" if set(n_categories(gathered)) == {1} else "multilabel"
    return "rel" if gathered.relations else "ner"


def tell_language(words: dict[str, int]) -> str | None:
    """The language whose stop words are the most of the words, if that is clear.

    words: How often each comes.
    """
    lower: Counter[str] = Counter()
    for word, n in words.items():
        if any(map(str.isalpha, word)):
            lower[word.lower()] += n
    shares = {
        name: sum(lower[word] for word in stop_words) / max(1, lower.total())
        for name, stop_words in _stop_words().items()
    }
    best, second = sorted(shares, key=lambda name: -shares[name])[:2]
    clear = shares[best] >= max(FEWEST_STOP_WORDS, CLEARLY * shares[second])
    return best if clear else None


@cache
def _stop_words() -> dict[str, set[str]]:
    """Of spaCy's languages; their packages are not imported, which takes long."""
    return {
        path.parent.name: {
            word.lower() for word in runpy.run_path(str(path))["STOP_WORDS"]
        }
        for path in sorted(Path(spacy.lang.__path__[0]).glob("*/stop_words.py"))
    }


def tell_of_data(data: Path, *, task: str = "", lang: str = "") -> Told:
    """What a training file says, where it was not said already.

    Raises UserError where it does not say it clearly.
    """
    told = tell(gather([data], progress=True))
    if (task or told.task) is None:
        raise UserError(
            f"{data} does not tell what to train: it holds entities and categories, or "
            "neither",
            "Name it: init-config ner, rel, rel-given, textcat or multilabel; joint "
            "takes a corpus for each.",
        )
    if (lang or told.language) is None:
        raise UserError(
            f"the language of {data} is not clear from its words",
            "Name it with --lang, such as --lang de; xx fits any.",
        )
    return Told(task or told.task, lang or told.language, told.documents)
