"""Pictures as XML: boxes on their tokens, arcs between the right ones."""

import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_attnner.confidence import set_confidences
from spacy_attnner.explain import Explanation
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.render import caption, heat, page, picture
from spacy_attnner.render.drawn import render_texts
from spacy_attnner.render.lines import lay_out, text_width
from spacy_attnner.render.picture import color_of
from spacy_attnner.render.svg import label_width

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def doc():
    nlp = spacy.blank("en")
    doc = nlp("Mira Okafor works for Kestrel Lines in Bergen .")
    doc.ents = [
        Span(doc, 0, 2, label="PER"),
        Span(doc, 4, 6, label="ORG"),
        Span(doc, 7, 8, label="LOC"),
    ]
    per, org, loc = doc.ents
    relations = [Relation(per, org, "Work_For", 0.9), Relation(org, loc, "In", 0.8)]
    set_relations(doc, [*relations, Relation(loc, per, "Home_Of", 0.7)])
    return doc


def read(svg):
    return ET.fromstring(svg)


def of_class(root, name, tag="*"):
    found = root.iter(NAMESPACE + tag) if tag != "*" else root.iter()
    return [e for e in found if name in e.get("class", "").split()]


def boxes(root):
    """Left and right end of each entity, by its title."""
    found = {}
    for group in of_class(root, "entity"):
        (rect,) = group.iter(f"{NAMESPACE}rect")
        left = float(rect.get("x"))
        found[group[0].text] = (left, left + float(rect.get("width")))
    return found


def arcs(root):
    """Ends of each arc, and where its arrow is, by its title."""
    found = {}
    for group in of_class(root, "relation"):
        (path,) = group.iter(f"{NAMESPACE}path")
        steps = path.get("d").replace("V", " ").replace("H", " ").lstrip("M").split()
        arrows = [
            float(p.get("points").split()[-1].split(",")[0])
            for p in group.iter(f"{NAMESPACE}polygon")
        ]
        found[group[0].text] = (float(steps[0]), float(steps[3]), arrows)
    return found


def test_arcs_join_the_right_entities(doc):
    root = read(picture(doc).svg)
    places = boxes(root)
    assert set(places) == {"PER", "ORG", "LOC"}
    expected = {
        "Mira Okafor Work_For Kestrel Lines, 0.900": ("PER", "ORG"),
        "Kestrel Lines In Bergen, 0.800": ("ORG", "LOC"),
        "Bergen Home_Of Mira Okafor, 0.700": ("LOC", "PER"),
    }
    found = arcs(root)
    assert set(found) == set(expected)
    for title, (head, tail) in expected.items():
        left, right, (arrow,) = found[title]
        begin = right if arrow == left else left
        assert places[head][0] < begin < places[head][1]
        assert places[tail][0] < arrow < places[tail][1]


def test_arcs_that_cross_have_levels_of_their_own(doc):
    root = read(picture(doc).svg)
    paths = [path.get("d") for path in of_class(root, "arc")]
    tops = [float(path.split("V")[1].split("H")[0]) for path in paths]
    ends = [arc[:2] for arc in arcs(root).values()]
    for i in range(3):
        for j in range(i):
            if tops[i] == tops[j]:
                assert ends[i][1] < ends[j][0] or ends[j][1] < ends[i][0]
    assert len(set(tops)) == 2


def test_relations_across_lines_go_on_at_the_edges(doc):
    root = read(picture(doc, width=120).svg)
    parts = [g for g in of_class(root, "relation") if "Work_For" in g[0].text]
    assert len(parts) == 2
    labels = [g.find(f"{NAMESPACE}text").text for g in parts]
    assert labels == ["Work_For → Kestrel Lines", "Work_For ← Mira Okafor"]
    arrows = [len(list(g.iter(f"{NAMESPACE}polygon"))) for g in parts]
    assert sorted(arrows) == [0, 1]
    texts = of_class(root, "token")
    assert [t.text for t in texts] == [t.text for t in doc]
    assert all(float(t.get("x")) + float(t.get("textLength")) <= 120.1 for t in texts)


def test_entities_are_paler_where_they_are_less_sure(doc):
    nlp = spacy.blank("en")
    other = nlp("Mira and Nils")
    other.ents = [Span(other, 0, 1, label="PERSON"), Span(other, 2, 3, label="PERSON")]
    set_confidences(other, zip(other.ents, (1.0, 0.2), strict=True))
    root = read(picture(other).svg)
    rects = [group.find(f"{NAMESPACE}rect") for group in of_class(root, "entity")]
    sure, unsure = (rect.get("fill") for rect in rects)
    assert sure == color_of("PERSON")
    assert int(unsure[1:], 16) > int(sure[1:], 16)
    assert set(boxes(root)) == {"PERSON, 1.000", "PERSON, 0.200"}


def test_spans_of_a_layer_are_as_sure_as_the_layer_is(doc):
    person = doc.ents[0]
    set_confidences(doc, [(ent, 0.75) for ent in doc.ents])
    set_confidences(doc, [(person, 0.5)], "layer", layer=True)
    assert set(boxes(read(picture(doc, spans_key="layer", relations=[]).svg))) == {
        "PER, 0.500"
    }
    assert "PER, 0.750" in boxes(read(picture(doc, layers=["layer"]).svg))


def test_colours_are_those_of_displacy():
    assert color_of("ORG") == "#7aecec"
    assert color_of("PER") == color_of("PERSON")
    assert color_of("Something").startswith("#")
    assert color_of("Something") == color_of("Something")


def test_what_is_in_a_text_shows_as_text():
    nlp = spacy.blank("en")
    words = ["<script>", '"A', "&", "B'", "\u202eabc", "\x07", "&lt;"]
    doc = Doc(nlp.vocab, words=words)
    doc.ents = [Span(doc, 0, 1, label="<b>"), Span(doc, 4, 5, label="A&B")]
    set_relations(doc, [Relation(doc.ents[0], doc.ents[1], '"<i>"', 1.0)])
    svg = picture(doc).svg
    assert "<script" not in svg
    shown = [t.text for t in of_class(read(svg), "token")]
    assert shown[:4] == words[:4]
    assert shown[-1] == "&lt;"
    read(
        page("<script>", [svg])
        .split("<body>")[1]
        .split("</body>")[0]
        .join(["<x>", "</x>"])
    )


def test_joiners_and_wide_spaces_are_part_of_the_text():
    words = ["می\u200cخواهم", "👩\u200d👧", "東京\u3000は", "12\u202f000", "a\u00adb"]
    found = of_class(
        read(picture(Doc(spacy.blank("en").vocab, words=words)).svg), "token"
    )
    assert [token.text for token in found] == words
    assert text_width("👩\u200d👧") == text_width("👍🏽") == text_width("漢")
    assert text_width("\u202eabc") == text_width("\ufffdabc") > text_width("abc")


def test_arcs_go_on_where_a_line_ends():
    words = ["Mira", *["long"] * 12, "Oslo"]
    hebrew = ["מירה", *["ארוך"] * 12, "אוסלו"]
    for lang, tokens, edges in (
        ("en", words, (200.0, 0.0)),
        ("he", hebrew, (0.0, 200.0)),
    ):
        doc = Doc(spacy.blank(lang).vocab, words=tokens)
        doc.ents = [Span(doc, 0, 1, label="PER"), Span(doc, 13, 14, label="LOC")]
        set_relations(doc, [Relation(*doc.ents, "Live_In", 0.9)])
        root = read(picture(doc, width=200).svg)
        paths = [path.get("d") for path in of_class(root, "arc", "path")]
        assert len(paths) == 2
        for path, edge in zip(paths, edges, strict=True):
            assert f"H{edge:.1f}" in path or path.startswith(f"M{edge:.1f} ")


def test_right_to_left_and_wide_characters():
    arabic = spacy.blank("ar")("تعمل ميرا في بيرغن")
    tokens = of_class(read(picture(arabic, width=300).svg), "token")
    places = [float(t.get("x")) for t in tokens]
    assert places == sorted(places, reverse=True)
    assert float(tokens[0].get("textLength")) + places[0] == pytest.approx(300, abs=0.2)
    hebrew = Doc(spacy.blank("en").vocab, words=["שלום", "רב"])
    places = [float(t.get("x")) for t in of_class(read(picture(hebrew).svg), "token")]
    assert places[0] > places[1]
    assert text_width("漢字") == 2 * text_width("漢") > text_width("ab")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("דני עובד ב Google Inc. 2 היום", "היום Google Inc. 2 ב עובד דני"),
        ("12 שנים , עוד 34 ימים", "ימים 34 עוד , שנים 12"),
        ("the words שלום רב , and more", "the words רב שלום , and more"),
        ("in 1990 , at 12 000", "in 1990 , at 12 000"),
    ],
)
def test_words_run_in_their_own_direction(words, shown):
    doc = Doc(spacy.blank("en").vocab, words=words.split())
    tokens = of_class(read(picture(doc).svg), "token")
    in_order = sorted(tokens, key=lambda token: float(token.get("x")))
    assert [token.text for token in in_order] == shown.split()
    for left, right in pairwise(in_order):
        end = float(left.get("x")) + float(left.get("textLength"))
        assert end <= float(right.get("x"))


def test_lines_are_as_wide_as_they_may_be():
    tokens = ["word"] * 30 + ["\n"] + ["a" * 400, "end"]
    lines = lay_out(tokens, [True] * 33, 200.0)
    assert [i for line in lines for i in line.tokens] == list(range(33))
    for line in lines:
        assert line.starts[-1] + line.widths[-1] <= 200.0
    assert 30 in lines[-3].tokens  # the line break ends its line
    assert lines[-2].tokens == [31]


def test_nothing_to_draw():
    nlp = spacy.blank("en")
    for text in ("", "  \n ", "no entity"):
        root = read(picture(nlp(text)).svg)
        assert not of_class(root, "entity")


@Language.component("test_render_layer")
def set_layer(doc):
    doc.spans["own"] = [Span(doc, 0, 2, label="PER"), Span(doc, 7, 8, label="LOC")]
    return doc


set_layer.set_ents, set_layer.spans_key = False, "own"


def test_layers_of_entities_beside_the_first(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "Kestrel"}])
    nlp.add_pipe("test_render_layer")
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "one.txt").write_text("Mira Okafor works for Kestrel Lines in Bergen\n")
    places = [str(tmp_path / name) for name in ("model", "one.txt")]
    for key, expected in (("", {"PER", "LOC", "ORG"}), ("own", {"PER", "LOC"})):
        render_texts(*places, tmp_path / "found.svg", spans_key=key)
        root = read((tmp_path / "found.svg").read_text("utf8"))
        assert set(boxes(root)) == expected


def labels(root):
    """Left and right end of each label of an entity, and where it stands."""
    texts = of_class(root, "label")
    ends = [(float(t.get("x")), float(t.get("y")), label_width(t.text)) for t in texts]
    return {t.text: (x, x + w, y) for t, (x, y, w) in zip(texts, ends, strict=True)}


@pytest.mark.parametrize("words", ["US UK EU in 1990", "אב גד הו , זח"])
def test_labels_have_room_in_their_boxes(words):
    doc = Doc(spacy.blank("en").vocab, words=words.split())
    names = ["GEOPOLITICAL_ENTITY", "COUNTRY", "ORGANIZATION", "DATE_OR_TIME"]
    places = zip((0, 1, 2, 4), names, strict=True)
    doc.ents = [Span(doc, i, i + 1, label=name) for i, name in places]
    for width in (900, 180):
        root = read(picture(doc, width=width).svg)
        found = boxes(root)
        for name, (left, right, _) in labels(root).items():
            assert found[name][0] <= left
            assert right <= found[name][1] <= width + 3.0
        for (_, end), (start, _) in pairwise(sorted(found.values())):
            assert end <= start + 4.0 or width == 180  # they have rounded edges


def test_a_span_within_another_leaves_its_label_free(doc):
    doc.spans["own"] = [
        Span(doc, 4, 6, label="INNER"),
        Span(doc, 3, 8, label="OUTER"),
        Span(doc, 0, 2, label="BESIDE"),
    ]
    root = read(picture(doc, spans_key="own", relations=[]).svg)
    found = labels(root)
    assert found["BESIDE"][2] == found["INNER"][2] < found["OUTER"][2]
    drawn = [group[0].text for group in of_class(root, "entity")]
    assert drawn.index("OUTER") < drawn.index("INNER")


def test_labels_of_arcs_stay_inside_the_picture(doc):
    first, _, last = doc.ents
    beside = Span(doc, 8, 9, label="X")
    relations = [
        Relation(first, Span(doc, 2, 3, label="X"), "a_very_long_label_" * 2, 0.5),
        Relation(last, beside, "another_long_label_" * 2, 0.5),
    ]
    for width in (900, 400, 250):
        root = read(picture(doc, width=width, relations=relations).svg)
        for label in of_class(root, "arc-label"):
            half = text_width(label.text, 10.0) / 2
            assert half <= float(label.get("x")) <= width - half


def test_a_long_token_is_squeezed_into_its_line():
    doc = Doc(spacy.blank("en").vocab, words=["short", "x" * 120, "end"])
    tokens = of_class(read(picture(doc, width=400).svg), "token")
    assert [float(token.get("textLength")) for token in tokens][1] == 400


def test_a_span_group_and_given_relations(doc):
    doc.spans["own"] = [doc[0:1], doc[1:2]]
    root = read(picture(doc, spans_key="own", relations=[]).svg)
    assert len(of_class(root, "entity")) == 2
    assert not of_class(root, "relation")


def test_many_relations_of_a_long_document():
    nlp = spacy.blank("en")
    doc = Doc(nlp.vocab, words=["word"] * 20_000)
    doc.ents = [Span(doc, i, i + 1, label="ORG") for i in range(0, 20_000, 5)]
    ents = doc.ents
    relations = [
        Relation(ents[i], ents[(i * 7 + 3) % len(ents)], "near", 0.5)
        for i in range(3000)
    ]
    started = time.perf_counter()
    svg = picture(doc, relations=relations).svg
    assert time.perf_counter() - started < 60
    root = read(svg)
    assert len({g[0].text for g in of_class(root, "relation")}) == 1
    assert len(of_class(root, "relation")) > 3000


EXPLAINED = Explanation(
    component="attn_rel",
    target={"kind": "relation", "label": "In", "head": [0, 1], "tail": [2, 3]},
    probability=0.9,
    method="leave_one_out",
    tokens=["Mira", "<in>", "Bergen"],
    spaces=[True, True, False],
    weights=[0.5, -0.25, 0.0],
)


def test_an_explanation_is_heat_over_its_tokens():
    root = read(picture(EXPLAINED).svg)
    first, second, third = of_class(root, "heat")
    assert first.get("fill") != second.get("fill")
    assert float(first.get("fill-opacity")) == 0.7
    assert float(second.get("fill-opacity")) == 0.35
    assert float(third.get("fill-opacity")) == 0.0
    assert [each[0].text for each in (first, second)] == ["0.500", "-0.250"]
    for outline, token in zip(of_class(root, "target"), (first, third), strict=True):
        assert abs(float(outline.get("x")) + 1 - float(token.get("x"))) < 0.11
    assert " ".join(t.text for t in of_class(root, "caption")) == caption(EXPLAINED)


def test_tokens_side_by_side_have_one_outline():
    target = {"kind": "entity", "label": "PER", "start": 0, "end": 2}
    root = read(picture(replace(EXPLAINED, target=target)).svg)
    assert len(of_class(root, "target")) == 1


def test_an_explanation_as_html():
    root = ET.fromstring(heat(EXPLAINED))
    assert root.get("dir") == "auto"
    assert [span.text for span in root] == ["Mira", "<in>", "Bergen"]
    assert [span.get("class") for span in root] == ["target", None, "target"]
    assert [span.get("title") for span in root] == ["0.500", "-0.250", "0.000"]
    said = caption(EXPLAINED)
    assert "relation In from “Mira” to “Bergen”, probability 0.900" in said


def test_long_stretches_that_do_not_count_are_folded():
    def folds(weights):
        n = len(weights)
        target = {"kind": "category", "label": "GOOD"}
        about = {"tokens": ["word"] * n, "spaces": [True] * n, "target": target}
        root = ET.fromstring(heat(replace(EXPLAINED, weights=weights, **about)))
        assert len(list(root.iter("span"))) == n
        return [len(fold.findall("span")) for fold in root.findall("details")]

    quiet = [0.001] * 300
    assert folds([*quiet, 0.5, *quiet]) == [280, 280]
    assert folds([0.5, *quiet, -0.4]) == [260]
    assert folds([0.5, *quiet[:99], 0.4]) == []
    assert folds([0.0] * 300) == []


def test_pictures_in_notebooks_and_files(doc, tmp_path):
    found = picture(doc)
    assert found._repr_svg_() == found._repr_html_() == found.svg
    papers = []
    for dark in (False, True):
        path = tmp_path / "new" / "doc.svg"
        found.save(path, dark=dark)
        root = read(path.read_text("utf8"))
        papers.append(root.attrib.pop("style"))
        assert ET.tostring(root) == ET.tostring(read(found.svg))
    assert "background: #ffffff" in papers[0]
    assert "background: #0d1117" in papers[1]
