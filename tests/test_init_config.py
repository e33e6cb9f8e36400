"""`spacy attn init-config`: what it writes trains, whatever is asked for."""

import json
import os
import shlex
import shutil
from itertools import product
from pathlib import Path

import numpy
import pytest
import spacy
from click.testing import Result
from spacy.cli.debug_config import debug_config
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.vectors import Vectors
from spacy.vocab import Vocab
from thinc.api import Config

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.recipes.recipe import Wish, make_recipe
from spacy_attnner.recipes.templates import TASKS

from .commands import invoke
from .tiny_encoders import make_encoder

SAMPLE = Path(__file__).parents[1] / "assets/sample/train.jsonl"
TOPICS = {"business", "sports", "politics", "culture", "science", "crime"}
ENCODERS = ("vectors", "none", "transformer")
ALONE = [task for task in TASKS if task != "joint"]  # of one corpus
SCORES = {"ner": "ents_f", "rel": "rel_f", "rel-given": "rel_f"}
WORDS = "spacy-attnner.WordEmbed.v1"
# models that are small enough to learn within seconds; by path, where there is one
SMALL = {
    "components.tok2vec.model.width": 96,
    "components.attn_ner.model.tok2vec.width": 96,
    "components.attn_rel.model.hidden": 32,
    "components.attn_rel.model.tok2vec.width": 96,
    "components.attn_textcat.model.tok2vec.width": 32,
    "components.attn_textcat_multilabel.model.tok2vec.width": 32,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with all that the configs' comments name."""
    folder = tmp_path_factory.mktemp("made")
    records = [json.loads(line) for line in SAMPLE.read_text("utf8").splitlines()[:20]]
    for record in records:  # one category each
        record["cats"] = {c: v for c, v in record["cats"].items() if c not in TOPICS}
    for part, n in (("train", 20), ("dev", 20), ("few", 4)):
        path = folder / f"{part}.jsonl"
        path.write_text("\n".join(map(json.dumps, records[:n])), "utf8")
        convert(path, folder / f"{part}.spacy")
    for name in TASKS["joint"].paths:
        (folder / name).mkdir()
        for part in ("train", "dev"):
            shutil.copy(folder / "few.spacy", folder / f"{name}/{part}.spacy")
    nlp = spacy.blank("en")
    data = numpy.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    nlp.vocab.vectors = Vectors(data=data, keys=["the", "of", "in"], name="three")
    nlp.to_disk(folder / "vectors")
    spacy.blank("en").to_disk(folder / "blank")
    make_encoder(folder / "encoder", max_position_embeddings=512)
    return folder


@pytest.fixture
def place(made, monkeypatch) -> Path:
    monkeypatch.chdir(made)
    for path in made.glob("*.cfg"):
        path.unlink()
    return made


def init_config(args: str) -> Result:
    return invoke("init-config", shlex.split(args))


def said(result: Result) -> str:
    return " ".join(result.output.split())


def command_of(path: Path) -> tuple[Path, dict[str, str]]:
    """The config and the overrides of the training that a config's comment names."""
    comments = [x for x in path.read_text("utf8").splitlines() if x.startswith("#")]
    words = shlex.split(comments[-1].removeprefix("#"))
    assert words[:4] == ["python", "-m", "spacy", "train"]
    options = dict(zip(words[5::2], words[6::2], strict=True))
    assert options.pop("--output") == "model"
    return Path(words[4]), {key.removeprefix("--"): v for key, v in options.items()}


def load(path: Path) -> Config:
    return Config().from_disk(path, interpolate=False)


def blocks(config: dict, architecture: str) -> list[dict]:
    nested = (value for value in config.values() if isinstance(value, dict))
    below = [block for value in nested for block in blocks(value, architecture)]
    own = config.get("@architectures") == architecture
    return [config, *below] if own else below


@pytest.mark.parametrize(("task", "encoder"), product(TASKS, ENCODERS))
def test_a_config_trains_as_its_comment_says(place, tmp_path, task, encoder):
    given = "encoder" if encoder == "transformer" else encoder
    result = init_config(f"{task} --encoder {given} --size 20 -o new.cfg")
    assert result.exit_code == 0, result.output
    path, overrides = command_of(Path("new.cfg"))
    assert {f"paths.{name}" for name in TASKS[task].paths} <= overrides.keys()
    debug_config(path, overrides=overrides)
    steps = {"max_steps": 2, "eval_frequency": 1, "logger.progress_bar": False}
    overrides |= {f"training.{name}": value for name, value in steps.items()}
    if task in ALONE:
        overrides |= {f"paths.{part}": "few.spacy" for part in ("train", "dev")}
    train(path, tmp_path, overrides=overrides)
    nlp = spacy.load(tmp_path / "model-best")
    assert nlp.pipe_names == load(path)["nlp"]["pipeline"]
    nlp("Mira Holt left Bergen .")


@pytest.mark.parametrize("task", ALONE)
def test_a_few_documents_are_learnt(place, tmp_path, task):
    """At once, by a model made small, for which the dropout would be too much."""
    assert init_config(f"{task} --encoder none -n 20 -o new.cfg").exit_code == 0
    path, overrides = command_of(Path("new.cfg"))
    for name, value in SMALL.items():
        block = load(path)
        *sections, last = name.split(".")
        for section in sections:
            block = block.get(section, {})
        if last in block:
            overrides[name] = value
    overrides |= {f"paths.{part}": "few.spacy" for part in ("train", "dev")}
    overrides["training.logger.progress_bar"] = False
    n_steps = 150 if task in ("ner", "rel") else 60
    steps = {"max_steps": n_steps, "eval_frequency": n_steps, "dropout": 0.1}
    overrides |= {f"training.{name}": value for name, value in steps.items()}
    train(path, tmp_path, overrides=overrides)
    scores = spacy.load(tmp_path / "model-best").meta["performance"]
    assert scores[SCORES.get(task, "cats_score")] > 0.9


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_steps_follow_the_size(place, task, encoder):
    found = []
    for size in (1, 20, 100, 1000, 10_000, 1_000_000):
        wish = Wish(task, encoder="encoder" if encoder == "transformer" else encoder)
        text = make_recipe(Wish(**{**vars(wish), "size": size})).text
        training = Config().from_str(text, interpolate=False)["training"]
        steps = training["max_steps"]
        assert steps >= 100
        assert training["optimizer"]["learn_rate"]["warmup_steps"] <= steps / 10
        assert 10 * training["eval_frequency"] <= 1.1 * steps
        assert not 0 < training["patience"] < 4 * training["eval_frequency"]
        assert 0.0 < training["dropout"] <= 0.5
        size = training["batcher"]["size"]
        words = size["stop"] if isinstance(size, dict) else size
        found.append((steps, words, -training["dropout"]))
    assert found[0] < found[-1]
    for numbers in zip(*found, strict=True):
        assert list(numbers) == sorted(numbers)


@pytest.mark.parametrize("task", TASKS)
def test_without_a_size_the_numbers_are_the_template_s(place, task):
    config = Config().from_str(make_recipe(Wish(task)).text, interpolate=False)
    (name,) = {TASKS[task].templates["vectors"]}
    template = load(Path(__file__).parents[1] / f"configs/{name}.cfg")
    assert config["training"] == template["training"]
    assert config["corpora"] == template["corpora"]


@pytest.mark.parametrize(
    ("args", "vectors"),
    [
        ("ner", True),
        ("ner -v vectors", True),
        ("ner -l de", False),
        ("ner -l de -v vectors", True),
        ("ner -l de -e glove", True),
        ("ner -e none", False),
        ("ner --fast", True),
        ("ner --fast -e none", False),
        ("textcat -l xx", False),
        ("rel -e encoder", False),
        ("rel -e encoder -v vectors", True),
    ],
)
def test_where_there_are_vectors(place, args, vectors):
    assert init_config(f"{args} -o new.cfg").exit_code == 0
    config = load(Path("new.cfg"))
    assert {bool(b["vector_width"]) for b in blocks(config, WORDS)} <= {vectors}
    assert config["paths"]["vectors"] == ("vectors" if "-v" in args else None)
    words = [b["word_width"] + b["vector_width"] for b in blocks(config, WORDS)]
    assert "encoder" in args or all(words)


def test_a_transformer(place):
    """Its name, its width where it is known, and an encoder above it."""
    transformer = "spacy-attnner.TransformerEncoder.v1"
    for name, width in (("encoder", 16), ("FacebookAI/roberta-base", 384)):
        assert init_config(f"rel -e {name} -o new.cfg --gpu -F").exit_code == 0
        config = load(Path("new.cfg"))
        assert config["paths"]["encoder"] == name
        (block,) = blocks(config, transformer)
        assert block["width"] == width
        assert block["mixed_precision"]
        (above,) = (
            block
            for block in blocks(config, "spacy-attnner.AttentionEncoder.v1")
            if blocks(block, transformer)
        )
        assert above["transformer"] == block
        assert config["system"]["gpu_allocator"] == "pytorch"
        assert command_of(Path("new.cfg"))[1]["gpu-id"] == "0"


@pytest.mark.parametrize(
    ("args", "frozen"),
    [("-n 50", "all"), ("-n 500", "all"), ("-n 501", 0), ("", 0)],
)
def test_few_documents_leave_a_transformer_as_it_is(place, args, frozen):
    result = init_config(f"ner -e encoder {args} -o new.cfg")
    config = load(Path("new.cfg"))
    (block,) = blocks(config, "spacy-attnner.TransformerEncoder.v1")
    assert block["tuning"]["frozen"] == frozen
    assert block["top_layers"] == (4 if frozen else 1)
    rate = config["training"]["optimizer"]["learn_rate"]["initial_rate"]
    assert rate == (0.004 if frozen else 0.002)
    assert ("kept as it is" in said(result)) is bool(frozen)
    (block,) = blocks(
        Config().from_str(make_recipe(Wish("rel", encoder="encoder", size=20)).text),
        "spacy-attnner.TransformerEncoder.v1",
    )
    assert (block["tuning"]["frozen"], block["top_layers"]) == ("all", 4)


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        ("ner -n 50", "attn encoder encoder makes"),
        ("textcat -n 50 -l de", "FacebookAI/xlm-roberta-base"),
        ("ner -n 50 -e encoder", ""),
        ("ner -n 50 -e glove", ""),
        ("ner -n 501", ""),
        ("ner", ""),
    ],
)
def test_few_documents_gain_from_a_pretrained_encoder(place, args, hint):
    for output in ("new.cfg", "-"):
        stderr = init_config(f"{args} -o {output}").stderr
        assert ("--encoder NAME" in stderr) is bool(hint)
        assert hint in stderr


def test_several_corpora(place):
    result = init_config("joint -l de -e encoder -v vectors -o new.cfg")
    assert result.exit_code == 0, result.output
    config = load(Path("new.cfg"))
    assert (config["nlp"]["lang"], config["paths"]["vectors"]) == ("de", "vectors")
    text = Path("new.cfg").read_text("utf8")
    assert "attn convert entities.jsonl entities --split 80/10/10" in text
    # what stands beside the encoder is learnt where there are no vectors
    assert init_config("joint -e encoder -o new.cfg -F").exit_code == 0
    for block in blocks(load(Path("new.cfg")), WORDS):
        assert block["vector_width"] == 0
        assert block["word_width"] + block["shape_width"] > 0


def test_many_categories(place):
    assert init_config("multilabel -o new.cfg").exit_code == 0
    config = load(Path("new.cfg"))
    assert config["nlp"]["pipeline"] == ["attn_textcat_multilabel"]
    (component,) = config["components"].values()
    assert component["factory"] == "attn_textcat_multilabel"
    assert component["scorer"] == {"@scorers": "spacy.textcat_multilabel_scorer.v2"}
    assert component["model"]["exclusive_classes"] is False


def test_a_language_brings_its_tokenizer(place):
    assert init_config("ner -l zh -o new.cfg").exit_code == 0
    config = load(Path("new.cfg"))
    assert config["nlp"]["lang"] == "zh"
    assert config["nlp"]["tokenizer"]["@tokenizers"] == "spacy.zh.ChineseTokenizer"
    assert "pkuseg_model" in config["initialize"]["tokenizer"]


def test_to_stdout(place):
    """The config alone, which says the same as one in a file but for its own name."""
    result = init_config("ner -n 20 -o -")
    assert result.exit_code == 0
    assert init_config("ner -n 20 -o config.cfg").exit_code == 0
    assert result.stdout == Path("config.cfg").read_text("utf8")
    assert "for 20 documents" in result.stderr
    assert not Path("-").exists()


def test_it_says_what_was_chosen(place):
    result = init_config("ner -l de -n 20 -o de.cfg")
    (line, *_) = Path("de.cfg").read_text("utf8").splitlines()
    for text in (said(result), line):
        assert "Named entities: learnt words, no static vectors" in text
        assert "none are given for 'de'" in text
        assert "at most 2,000 steps for 20 documents" in text
    assert "are of a pipeline of 'en'" in said(init_config("ner -l de -v vectors -o -"))
    assert "init vectors de" in said(init_config("ner -l de -e vectors -o -"))


def test_an_output_that_is_there_stays(place):
    Path("mine.cfg").write_text("mine")
    result = init_config("ner -o mine.cfg")
    assert result.exit_code == 1
    assert "mine.cfg is there" in said(result)
    assert "--force" in said(result)
    assert Path("mine.cfg").read_text() == "mine"
    assert init_config("ner -o mine.cfg --force").exit_code == 0
    assert "attn_ner" in Path("mine.cfg").read_text()


def test_a_folder_that_is_not_there_is_made(place):
    assert init_config("ner -o new/one/ner.cfg").exit_code == 0
    assert "new/one/ner.cfg" in str(command_of(Path("new/one/ner.cfg"))[0])


@pytest.mark.parametrize(
    ("args", "problem", "way_out"),
    [
        ("nre", "no task 'nre'", "ner, rel, rel-given, textcat, multilabel or joint"),
        ("joint -d few.spacy", "several corpora", "takes all of them"),
        ("ner -n 0", "--size 0", "leave it out"),
        ("ner -n -3", "--size -3", "leave it out"),
        ("ner -l qq", "'qq' cannot be used: ImportError: [E048]", "such as en or de"),
        ("ner -v nothing", "'nothing' are neither a folder nor", "attn vectors"),
        ("ner -v blank", "'blank' has no static vectors", "attn vectors"),
        ("ner -v damaged", "'damaged' does not load", "attn vectors"),
        ("ner -e none -v vectors", "no use for --vectors vectors", "one of the two"),
        ("ner -e ./nothing", "./nothing is not a folder", "--encoder takes"),
        ("ner -e vectors/vocab", "has no config.json", "--encoder takes"),
        ("ner -e pickled", "pytorch_model.bin is a pickle", "--encoder takes"),
        ("ner -e unnamed", "has no tokenizer", "--encoder takes"),
        ("ner -e broken", "config.json cannot be read", "Save the encoder again"),
        ("textcat -e encoder -v vectors", "no use for --vectors", "one of the two"),
        ("rel --fast", "no fast config of rel", "leave it out"),
        ("ner --fast -e encoder", "no fast config of ner with a tr", "leave it out"),
    ],
)
def test_what_cannot_be(place, tmp_path, args, problem, way_out):
    weights = Path("encoder/model.safetensors")
    for name in ("pickled", "unnamed", "broken", "damaged"):
        Path(name).mkdir(exist_ok=True)
    for name in ("pickled", "unnamed"):
        Path(name, "config.json").write_text("{}")
    Path("pickled/tokenizer.json").write_text("{}")
    Path("pickled/pytorch_model.bin").write_bytes(b"")
    for name in ("unnamed", "broken"):
        Path(name, "model.safetensors").write_bytes(weights.read_bytes())
    Path("broken/config.json").write_text("{")
    Path("broken/tokenizer.json").write_text("{}")
    Path("damaged/config.cfg").write_text("[nlp")
    before = sorted(os.listdir())
    result = init_config(f"{args} -o new.cfg")
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert problem in said(result)
    assert way_out in said(result)
    assert sorted(os.listdir()) == before


# what the documents tell


def test_the_documents_tell(place, tmp_path):
    """And what is written trains on them, as its comment says."""
    docs = list(DocBin(store_user_data=True).from_disk("train.spacy").get_docs(Vocab()))
    for doc in docs:
        doc.cats = {}
    DocBin(docs=docs, store_user_data=True).to_disk(place / "ents.spacy")
    result = init_config("--data ents.spacy -o told.cfg --encoder none")
    assert result.exit_code == 0, result.output
    assert "relations between them" in said(result)
    assert "for 20 documents" in said(result)
    assert load(Path("told.cfg"))["nlp"]["lang"] == "en"
    path, overrides = command_of(Path("told.cfg"))
    assert overrides == {"paths.train": "ents.spacy", "paths.dev": "dev.spacy"}
    steps = {"max_steps": 1, "eval_frequency": 1, "logger.progress_bar": False}
    overrides |= {f"training.{name}": value for name, value in steps.items()}
    train(path, tmp_path, overrides=overrides | {"paths.dev": "few.spacy"})
    assert (tmp_path / "model-best").is_dir()


def test_documents_that_tell_two_tasks(place):
    result = init_config("--data train.spacy -o two.cfg")
    assert result.exit_code == 1
    assert "holds entities and categories" in said(result)
    assert init_config("ner --data train.spacy -o two.cfg").exit_code == 0


def test_what_is_said_comes_before_what_they_tell(place):
    args = "textcat --data train.spacy --lang de --size 4000 -o said.cfg"
    result = init_config(args)
    assert result.exit_code == 0, result.output
    assert "4,000 documents" in said(result)
    text = (place / "said.cfg").read_text("utf8")
    assert "convert" not in text.partition("[paths]")[0]  # train and dev are there
    config = Config().from_str(text, interpolate=False)
    assert config["nlp"]["lang"] == "de"


def test_no_task_and_no_documents(place):
    result = init_config("-o none.cfg")
    assert result.exit_code == 1
    assert "there is no task ''" in said(result)
    result = init_config("--data none.spacy -o none.cfg")
    assert result.exit_code == 1
    assert "none.spacy does not exist" in said(result)
    assert not (place / "none.cfg").exists()
