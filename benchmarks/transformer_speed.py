"""Two recognizers over the same pretrained encoder, for benchmarks/speed.py.

    python benchmarks/transformer_speed.py ENCODER --data test.spacy --folder FOLDER
    python benchmarks/speed.py FOLDER/transformer FOLDER/attnner --data test.spacy \\
        --rounds 3 --output benchmarks/results/transformer_speed.json

`transformer` is spacy-transformers' component as `spacy init config` sets it up (spans
of 128 tokens every 96), its listener and `attn_ner`; `attnner` is `attn_ner` over
`TransformerEncoder.v1`. Both have the encoder's own weights and heads that have learnt
nothing, whose time is the same; `--docs` takes the first documents of the data.
"""

import argparse
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Corpus

THEIRS = "spacy-transformers"


def add_attnner(nlp: Language, encoder: str) -> dict[str, Any]:
    """Ours: the encoder inside of the recognizer."""
    return {"@architectures": "spacy-attnner.TransformerEncoder.v1", "name": encoder}


def add_transformer(nlp: Language, encoder: str) -> dict[str, Any]:
    """Theirs: a component, and a listener to it."""
    spans = {
        "@span_getters": f"{THEIRS}.strided_spans.v1",
        "window": 128,
        "stride": 96,
    }
    model = {
        "@architectures": f"{THEIRS}.TransformerModel.v3",
        "name": encoder,
        "tokenizer_config": {"use_fast": True},
        "get_spans": spans,
    }
    nlp.add_pipe("transformer", config={"model": model})
    pooling = {"@layers": "reduce_mean.v1"}
    return {
        "@architectures": f"{THEIRS}.TransformerListener.v1",
        "pooling": pooling,
        "grad_factor": 1.0,
    }


def main() -> None:
    """Make both pipelines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("encoder", help="the folder of an encoder")
    parser.add_argument("--data", type=Path, required=True, help="a .spacy file")
    parser.add_argument("--folder", type=Path, required=True, help="to make them in")
    parser.add_argument("--docs", type=int, help="write so many of them beside it")
    options = parser.parse_args()
    for name, add in (("transformer", add_transformer), ("attnner", add_attnner)):
        nlp = spacy.blank("en")
        tok2vec = add(nlp, options.encoder)
        model = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": tok2vec}
        nlp.add_pipe("attn_ner", config={"model": model})
        examples = list(islice(Corpus(options.data)(nlp), 20))
        nlp.initialize(lambda examples=examples: examples)
        shutil.rmtree(options.folder / name, ignore_errors=True)
        nlp.to_disk(options.folder / name)
    if options.docs:
        docs = DocBin().from_disk(options.data).get_docs(spacy.blank("en").vocab)
        some = DocBin(docs=islice(docs, options.docs))
        some.to_disk(options.folder / "docs.spacy")


if __name__ == "__main__":
    main()
