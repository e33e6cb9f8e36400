"""What is wrong with documents, each kind of it, and nothing where nothing is."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from spacy.vectors import Vectors

from spacy_attnner.errors import UserError
from spacy_attnner.inspection.finding import LEVELS

from ..tiny_encoders import make_encoder
from .conftest import VOCAB, finding_of, kinds_of, make_doc

FIRST = ("Mira", "Nils", "Ada", "Ole", "Ida")
PLACES = ("Oslo", "Bergen", "Turku", "Vaasa", "Malmo")


def sound_docs(label: str = "PER", start: int = 0, n: int = 25) -> list:
    """Documents with nothing wrong: people, places and where they live."""
    docs = []
    for i in range(start, start + n):
        words = f"w{i}a w{i}b {FIRST[i % 5]}{i} lives in {PLACES[i % 5]}{i} w{i}c"
        ents = [(2, 3, label), (5, 6, "LOC")]
        docs.append(make_doc(words, ents, [(0, 1, "Lives_In")]))
    return docs


def test_nothing_is_wrong(look):
    found = look(sound_docs(), sound_docs(start=30))
    assert found.findings == []
    assert [each.documents for each in found.amounts] == [25, 25]


def test_annotated_here_and_not_there(look):
    extra = [
        make_doc("He met Mira0 and Mira0 .", []),
        make_doc("w0a met Mira0 there .", [(2, 3, "PER")]),
        make_doc("And  Mira0 went .", [(2, 3, "PER")]),
        make_doc("Not known : Mira0 .", None),
        make_doc("Mira0 Holt is another .", [(0, 2, "PER")]),
        make_doc("mira0 in small letters .", []),
    ]
    finding = finding_of(look(sound_docs() + extra), "annotated here and not there")
    assert finding.n == 2
    assert finding.rows == [("Mira0", "3", "2")]
    assert finding.says == (
        "1 text annotated as an entity in 3 places and not in 2 others"
    )
    assert finding.spots[0].number == 25
    assert finding.spots[0].text == "He met [Mira0] (3 annotated, 2 not) and Mira0 ."


def test_what_is_rarely_a_name_is_not_told(look):
    extra = [make_doc(f"x{i} Mira0 y{i}", []) for i in range(3)]
    found = look(sound_docs() + extra)
    assert "annotated here and not there" not in kinds_of(found)


def test_two_labels(look):
    extra = [make_doc(f"x{i} Mira0 y{i}", [(1, 2, "PER")]) for i in range(3)]
    found = look([*sound_docs(), *extra, make_doc("At Mira0 Inc", [(1, 2, "ORG")])])
    finding = finding_of(found, "same text, other label")
    assert finding.n == 1
    assert finding.rows == [("Mira0", "PER 4, ORG 1")]
    assert finding.spots[0].text == "At [Mira0] ORG (PER 4, ORG 1) Inc"


def test_labels_spelled_alike(look):
    found = look([*sound_docs(), *sound_docs("per", 30), *sound_docs("P-e r", 60)])
    finding = finding_of(found, "entity labels spelled alike")
    assert finding.level == "wrong"
    assert "'P-e r' 25, 'PER' 25, 'per' 25" in finding.says
    assert "--map-labels" in finding.way_out


def test_relations_are_not_mended_as_entities(look):
    docs = sound_docs()
    docs.append(
        make_doc("Mira in Oslo", [(0, 1, "PER"), (2, 3, "LOC")], [(0, 1, "lives in")])
    )
    finding = finding_of(look(docs), "relation labels spelled alike")
    assert finding.way_out.startswith("If they mean the same, give them one name; else")


def test_few_of_a_label_and_labels_of_one_split(look):
    train = [*sound_docs(), make_doc("At Nord", [(1, 2, "ORG")])]
    dev = [*sound_docs(start=30), make_doc("At ten", [(1, 2, "TIME")])]
    found = look(train, dev)
    few = finding_of(found, "few of entity labels")
    assert few.says == "Entity labels with fewer than 20 in train: ORG (1)"
    assert few.spots[0].text == "At [Nord]"
    unknown = finding_of(found, "entity labels of dev that train lacks")
    assert unknown.says.endswith("TIME (1)")
    assert unknown.level == "hurts"
    unscored = finding_of(found, "entity labels of train that dev lacks")
    assert unscored.says.endswith("ORG (1)")
    assert unscored.level == "note"


def test_ragged_entities(look):
    docs = [
        make_doc("So  Ada went", [(1, 3, "PER")]),
        make_doc("At ( Ada went", [(1, 3, "PER")]),
        make_doc("|At Ada |Holt went", [(1, 3, "PER")]),
        make_doc("|At Eve |Holt went", [(2, 4, "PER")]),
    ]
    found = look(sound_docs() + docs)
    for kind, number in (
        ("whitespace at edges", 25),
        ("punctuation at edges", 26),
        ("over sentence ends", 27),
    ):
        finding = finding_of(found, kind)
        assert finding.n == 1, kind
        assert finding.spots[0].number == number


def test_relations_that_contradict(look):
    ents = [(0, 1, "PER"), (2, 3, "LOC")]
    docs = [
        make_doc("Una likes Rome", ents, [(0, 1, "Lives_In"), (0, 1, "Born_In")]),
        make_doc("Ugo likes Pisa", ents, [(0, 1, "Lives_In"), (1, 0, "Lives_In")]),
    ]
    found = look(sound_docs() + docs)
    several = finding_of(found, "relations with several labels")
    assert several.n == 1
    assert "Lives_In and Born_In" in several.spots[0].text
    both = finding_of(found, "relations in both directions")
    assert both.n == 1
    assert both.spots[0].number == 26
    turned = finding_of(found, "types the other way round")
    assert turned.rows == [("Lives_In", "LOC", "PER", "1", "27")]


def test_a_symmetric_relation_is_no_contradiction(look):
    ents = [(0, 1, "PER"), (2, 3, "PER")]
    docs = [
        make_doc(f"A{i} and B{i}", ents, [(0, 1, "Kin"), (1, 0, "Kin")])
        for i in range(25)
    ]
    assert look(docs).findings == []


def test_arguments_that_are_no_entities(look):
    doc = make_doc("Una likes Rome", [(0, 1, "PER"), (2, 3, "LOC")], [(0, 1, "In")])
    doc.set_ents([], default="outside")
    finding = finding_of(look([doc]), "arguments that are no entities")
    assert finding.n == 1
    assert finding.spots[0].text.startswith("Una (PER) - In -> Rome (LOC)")


def test_what_is_not_annotated(look):
    blank, none = make_doc(" ", [], []), Doc(VOCAB, words=[])
    found = look([*sound_docs(), make_doc("Ada left", None), blank, none])
    assert finding_of(found, "entities not annotated").n == 1
    assert finding_of(found, "relations not annotated").n == 1
    assert finding_of(found, "empty documents").n == 2
    assert found.amounts[0].empty == 2


def test_categories(look):
    docs = [make_doc(f"t{i}", cats={"a": 1.0, "b": 0.0}) for i in range(95)]
    docs += [make_doc(f"u{i}", cats={"a": 0.0, "b": 1.0}) for i in range(3)]
    docs += [make_doc("v", cats={"a": 1.0, "b": 1.0}), make_doc("w", cats={"a": 0.0})]
    found = look(docs)
    assert found.categories is not None
    assert found.categories.numbers == {0: 1, 1: 98, 2: 1}
    assert found.categories.together == [[96, 1], [1, 4]]
    assert finding_of(found, "documents without one category").n == 2
    assert finding_of(found, "a dominant category").says == (
        "a applies to 96.0% of the documents of train"
    )
    assert found.told.task == "multilabel"


def test_a_window_of_words(look):
    long = make_doc("|a b c d e f g h i |j", [])
    found = look([make_doc("|a |b c d e f g h i", []), long], window=8)
    assert finding_of(found, "documents beyond the window").n == 2
    sentences = finding_of(found, "sentences beyond the window")
    assert sentences.n == 1
    assert sentences.spots[0].text == "a b c d e f g h i"
    assert "the longest has 9" in sentences.says


def test_an_encoder_and_its_window(look, tmp_path):
    make_encoder(tmp_path / "encoder", max_position_embeddings=16)
    docs = [make_doc("a " * 30 + "b", []), make_doc("a b", [])]
    finding = finding_of(
        look(docs, encoder=str(tmp_path / "encoder")), "documents beyond the window"
    )
    assert finding.n == 1
    assert "window of 14 word pieces" in finding.says
    with pytest.raises(UserError, match="so it holds no encoder"):
        look(docs, encoder=str(tmp_path / "none"))


@pytest.mark.parametrize("known", [["mira", "left"], ["Mira", "left", "for", "x"]])
def test_words_without_vectors(look, tmp_path, known):
    nlp = spacy.blank("en")
    for word in known:
        nlp.vocab.strings.add(word)
    table = numpy.ones((len(known), 3), dtype="float32")
    nlp.vocab.vectors = Vectors(data=table, keys=known)
    nlp.to_disk(tmp_path / "vectors")
    found = look([make_doc("Mira left for x x", [])], vectors=str(tmp_path / "vectors"))
    assert found.coverage is not None
    if len(known) == 4:
        assert found.coverage.shares == {"train": 0.0}
        assert "unknown words" not in kinds_of(found)
        return
    finding = finding_of(found, "unknown words")
    assert finding.rows == [("x", "2"), ("for", "1")]
    assert finding.n == 3
    assert found.coverage.shares == {"train": pytest.approx(0.6)}


def test_doubled_spaces_change_nothing(look):
    """Numbers, places and findings are those of the words."""
    plain, spaced = [], []
    for text, ents in (
        ("Mira left Oslo for the far north .", [(0, 1, "PER"), (2, 3, "LOC")]),
        ("Mira left Oslo for the far north .", [(0, 1, "PER")]),
        ("New Haven is a town , and Mira knows", [(0, 2, "LOC")]),
    ):
        plain.append(make_doc(text, ents))
        wide = [(2 * start, 2 * end - 1, label) for start, end, label in ents]
        spaced.append(make_doc(text.replace(" ", "  "), wide))
    one, two = (look(docs).to_dict() for docs in (plain, spaced))
    for each in (one, two):
        for finding in each["findings"]:
            finding["spots"] = [
                {**spot, "text": " ".join(spot["text"].split())}
                for spot in finding["spots"]
            ]
    assert one == two
    assert len(one["findings"]) > 3


def test_levels_come_in_order(look):
    docs = [make_doc("So  Ada went", [(1, 3, "PER")]), make_doc("At Bo", [(1, 2, "X")])]
    levels = [each.level for each in look([*docs, docs[1]], docs).findings]
    assert levels == sorted(levels, key=list(LEVELS).index)
    assert len(set(levels)) == 3
