"""German entities without static vectors: GermEval 2014, outer entities, 12 labels.

    python benchmarks/germeval.py --corpus GERMEVAL --rows "spaCy, efficiency" shipped

GERMEVAL holds `germ.{train,dev,test}.iob2`: a token, its outer tag and its inner tag a
line, a blank line after each sentence. They become a document per sentence in
`corpus/germeval`. Rows are spaCy's own recognizer, as `spacy init config` writes it,
the shipped configs, and changes of `configs/ner_no_vectors.cfg`. Trained on train
alone; dev chooses the best pipeline. Results are kept after every run, so an
interrupted call goes on where it stopped. `--steps` is for the rows of our own configs.

Scores: entity F1 (exact span and label of the twelve).
"""

from collections.abc import Iterator
from pathlib import Path

import spacy
from ablation import Ablation, Change, main, setting
from spacy.cli.init_config import init_config
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, biluo_tags_to_spans, iob_to_biluo
from spacy.vocab import Vocab
from thinc.api import Config

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "corpus" / "germeval"
LANG = "de"


def read_sentences(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """A document of every sentence of an `.iob2` file, with its outer entities."""
    for block in path.read_text("utf8").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines()]
        if not rows:
            continue
        doc = Doc(vocab, words=[row[0] for row in rows])
        tags = iob_to_biluo([row[1] for row in rows])
        doc.ents = biluo_tags_to_spans(doc, tags)
        yield doc


def prepare(corpus: Path) -> Path:
    """Convert the corpus where that was not done; returns the folder of `.spacy`."""
    vocab = spacy.blank(LANG).vocab
    CACHE.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        path = CACHE / f"{split}.spacy"
        if not path.exists():
            docs = read_sentences(corpus / f"germ.{split}.iob2", vocab)
            DocBin(docs=docs).to_disk(path)
    return CACHE


def spacy_own(optimize: str) -> Change:
    """In place of the config the one that `spacy init config` writes.

    optimize: "efficiency" or "accuracy", here both without static vectors.
    """

    def change(config: Config) -> None:
        own = init_config(lang=LANG, pipeline=["ner"], optimize=optimize)
        own["paths"]["vectors"] = None
        own["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"] = False
        config.clear()
        config.update(own)

    return change


def fast_without_vectors(config: Config) -> None:
    """In place of the config `configs/ner_fast.cfg`, words learnt."""
    own = Config().from_disk(ROOT / "configs" / "ner_fast.cfg", interpolate=False)
    own["nlp"]["lang"] = LANG
    config.clear()
    config.update(own)
    for change in (
        setting(f"{EMBED}.vector_width", 0),
        setting(f"{EMBED}.word_width", 64),
    ):
        change(config)


def score(model: Path, corpus: Path) -> dict[str, float]:
    """Entity F1 in percent, on dev and test."""
    nlp = spacy.load(model)
    found = {}
    for split in ("dev", "test"):
        f1 = nlp.evaluate(list(Corpus(corpus / f"{split}.spacy")(nlp)))["ents_f"]
        found[split] = round(100 * f1, 2)
    return found


ENCODER = "components.attn_ner.model.tok2vec.tok2vec"
EMBED = f"{ENCODER}.embed"
GERMAN = setting("nlp.lang", LANG)
CHANGES: dict[str, list[Change]] = {
    "shipped": [],
    "no subwords": [setting(f"{EMBED}.subword_width", 0)],
    "no affixes": [setting(f"{EMBED}.affix_width", 0)],
    "no subwords, no affixes": [
        setting(f"{EMBED}.subword_width", 0),
        setting(f"{EMBED}.affix_width", 0),
    ],
    "weights drawn within 0.1": [setting(f"{EMBED}.init_range", 0.1)],
    "100 filters": [setting(f"{ENCODER}.characters.width", 100)],
    "no characters": [setting(f"{ENCODER}.characters", None)],
    "no word shapes": [setting(f"{EMBED}.shape_width", 0)],
    "no words": [setting(f"{EMBED}.word_width", 0)],
}
ROWS: dict[str, list[Change]] = {
    "spaCy, efficiency": [spacy_own("efficiency")],
    **{name: [GERMAN, *changes] for name, changes in CHANGES.items()},
    "spaCy, accuracy without vectors": [spacy_own("accuracy")],
    "ner_fast.cfg without vectors": [fast_without_vectors],
}

if __name__ == "__main__":
    config = ROOT / "configs" / "ner_no_vectors.cfg"
    main(
        Ablation("germeval.py", config, ROWS, score, prepare=prepare, vectors=False),
        __doc__,
    )
