"""What a GPU makes of a pipeline over a pretrained encoder, and of others.

    python benchmarks/gpu.py --data test.spacy --work DIR --gpu-id 0
    python benchmarks/gpu.py --data test.spacy --work DIR --shapes tiny --docs 20

Encoders have the shapes of published ones, a tokenizer that is learnt from the data,
and random weights, which take as long as any. Words a second, in alternating rounds, of

- ours: `attn_ner` over `TransformerEncoder.v1`, `nlp.pipe` with confidences;
- spacy-transformers: `transformer` as `spacy init config -G` has it, with `ner`;
- a plain loop: Hugging Face's tokenizer and model on batches of 64 texts as they come,
  a linear layer and an argmax over pieces, and nothing made of them;
- the bare encoder: the same pieces in sequences of one length, as many at a time as fit
  a batch of ours, already on the device.

All of them compute in bfloat16 on a GPU (spacy-transformers in float16, as its own
mixed precision does) and in float32 on the CPU. With `--model`, a trained pipeline: its
scores on the data in float32 and in bfloat16.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import spacy
import torch
from record import called, write_result
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from tqdm import tqdm
from transformer_speed import add_attnner, add_transformer

from spacy_attnner.loading import use_gpu
from spacy_attnner.models.bridge import set_mixed_precision

RESULTS = Path(__file__).parent / "results"
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "model_type": "bert",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "vocab_size": 2000,
    },
    "minilm": {  # all-MiniLM-L6-v2
        "model_type": "bert",
        "hidden_size": 384,
        "intermediate_size": 1536,
        "num_attention_heads": 12,
        "num_hidden_layers": 6,
        "vocab_size": 30522,
    },
    "roberta-base": {
        "model_type": "roberta",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "vocab_size": 50265,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
    },
}
SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
PACKED = 65_536  # pieces of a batch of the bare encoder on a GPU, and on the CPU
PACKED_CPU = 2048
LOOP_BATCH = 64  # texts
Runner = Callable[[], None]


def make_encoder(shape: str, texts: list[str], folder: Path) -> Path:
    """Write an encoder of a shape with random weights, and word pieces of the texts."""
    import tokenizers
    import transformers
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    settings = dict(SHAPES[shape])
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings["vocab_size"],
        special_tokens=list(SPECIAL.values()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[
            (name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")
        ],
    )
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        settings.pop("model_type"), pad_token_id=0, **settings
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512, **SPECIAL
    )
    fast.save_pretrained(folder)
    return folder


def ours(encoder: Path, docs: list[Doc]) -> Language:
    """`attn_ner` over the encoder."""
    nlp = spacy.blank("en")
    tok2vec = add_attnner(nlp, str(encoder))
    if spacy.prefer_gpu():
        tok2vec["mixed_precision"] = True
    model = {"@architectures": "spacy-attnner.CRFTagger.v1", "tok2vec": tok2vec}
    nlp.add_pipe("attn_ner", config={"model": model})
    return initialized(nlp, docs)


def theirs(encoder: Path, docs: list[Doc]) -> Language:
    """spacy-transformers' component, and spaCy's `ner` that listens to it."""
    nlp = spacy.blank("en")
    tok2vec = add_transformer(nlp, str(encoder))
    model = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": False,
        "nO": None,
        "tok2vec": tok2vec,
    }
    nlp.add_pipe("ner", config={"model": model})
    return initialized(nlp, docs)


def initialized(nlp: Language, docs: list[Doc]) -> Language:
    """With the labels of the documents, and heads that have learnt nothing."""
    examples = [
        spacy.training.Example(nlp.make_doc(doc.text), doc) for doc in docs[:20]
    ]
    nlp.initialize(lambda: examples)
    return nlp


def piping(nlp: Language, texts: list[str]) -> Runner:
    """All texts through a pipeline."""

    def run() -> None:
        for _ in nlp.pipe(texts, batch_size=256):
            pass

    return run


def plain_loop(encoder: Path, texts: list[str], device: str) -> Runner:
    """Hugging Face's tokenizer and model, batch by batch."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    model = transformers.AutoModel.from_pretrained(encoder).to(device).eval()
    head = torch.nn.Linear(model.config.hidden_size, 9).to(device)

    @torch.inference_mode()
    def run() -> None:
        for begin in range(0, len(texts), LOOP_BATCH):
            batch = tokenizer(
                texts[begin : begin + LOOP_BATCH],
                padding=True,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            with computing(device):
                head(model(**batch)[0]).argmax(-1).tolist()

    return run


def bare(encoder: Path, texts: list[str], device: str) -> Runner:
    """The encoder alone, on sequences of one length."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    model = transformers.AutoModel.from_pretrained(encoder).to(device).eval()
    pieces = [tokenizer(text, truncation=True)["input_ids"] for text in texts]
    length = max(2, round(statistics.mean(map(len, pieces))))
    flat = torch.tensor([piece for each in pieces for piece in each])
    ids = flat[: len(flat) // length * length].view(-1, length).to(device)
    most = PACKED if device != "cpu" else PACKED_CPU

    @torch.inference_mode()
    def run() -> None:
        for batch in ids.split(max(1, most // length)):
            with computing(device):
                model(batch)

    return run


def computing(device: str) -> Any:
    """bfloat16 where there is a GPU."""
    if device == "cpu":
        return nullcontext()
    return torch.autocast(device, torch.bfloat16)


def seconds(run: Runner, device: str) -> float:
    """Wall-clock time until the device has finished."""
    if device != "cpu":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def measure(shape: str, docs: list[Doc], options: argparse.Namespace) -> dict:
    """Words a second of all of them over one encoder."""
    device = "cpu" if options.gpu_id < 0 else "cuda"
    texts = [doc.text for doc in docs]
    encoder = make_encoder(shape, texts, options.work / shape)
    runners: dict[str, Runner] = {"ours": piping(ours(encoder, docs), texts)}
    if spacy.util.is_package("spacy-transformers"):
        runners["spacy-transformers"] = piping(theirs(encoder, docs), texts)
    runners["plain loop"] = plain_loop(encoder, texts, device)
    runners["bare encoder"] = bare(encoder, texts, device)
    times: dict[str, list[float]] = {name: [] for name in runners}
    for number in tqdm(range(options.rounds + 1), desc=shape):
        for name in list(runners)[:: -1 if number % 2 else 1]:
            took = seconds(runners[name], device)
            if number:  # the first one warms up
                times[name].append(took)
    n_words = sum(map(len, docs))
    return {
        name: {
            "words_per_second": round(n_words / statistics.median(own)),
            "ours_is": round(
                statistics.median(
                    other / our for other, our in zip(own, times["ours"], strict=True)
                ),
                3,
            ),
        }
        for name, own in times.items()
    }


def precisions(model: str, data: Path) -> dict[str, float]:
    """Entity F1 of a trained pipeline by the precision of its modules."""
    nlp = spacy.load(model)
    found = {}
    for name, mixed in (("float32", False), ("bfloat16", True)):
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "model"):
                set_mixed_precision(pipe.model, mixed)
        scores = nlp.evaluate(list(Corpus(data)(nlp)))
        found[name] = round(100 * scores["ents_f"], 2)
    return found


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="documents, a .spacy file")
    add("--work", type=Path, required=True, help="folder for the encoders")
    add("--gpu-id", type=int, default=-1, help="a GPU, or -1 for the CPU")
    add("--shapes", nargs="+", default=["minilm", "roberta-base"], choices=SHAPES)
    add("--docs", type=int, help="so many of them; all if left out")
    add("--rounds", type=int, default=3)
    add("--model", help="a trained pipeline, to compare precisions")
    add("--output", type=Path, default=RESULTS / "gpu.json")
    return parser.parse_args()


def main() -> None:
    """Measure, and write what was found."""
    options = parse()
    use_gpu(options.gpu_id)
    docs = list(DocBin().from_disk(options.data).get_docs(spacy.blank("en").vocab))
    docs = docs[: options.docs]
    on = "CPU" if options.gpu_id < 0 else torch.cuda.get_device_name(options.gpu_id)
    content: dict[str, Any] = {"device": on, "documents": len(docs), "shapes": {}}
    for shape in options.shapes:
        content["shapes"][shape] = measure(shape, docs, options)
        write_result(options.output, called(), content)
    if options.model:
        content["entity F1"] = precisions(options.model, options.data)
        write_result(options.output, called(), content)
    for shape, rows in content["shapes"].items():
        for name, row in rows.items():
            sys.stdout.write(
                f"{shape}\t{name}\t{row['words_per_second']:,} words/s\t"
                f"ours is {row['ours_is']:.2f} times as fast\n"
            )


if __name__ == "__main__":
    main()
