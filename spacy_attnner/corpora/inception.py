"""INCEpTION's exports, UIMA CAS as XMI or JSON: layers of spans and of relations.

    TypeSystem.xml and NAME.xmi, or NAME.json alone

Layers of spans are entities: `NamedEntity` and those of the project's own, not tokens,
lemmas and the like. Their label is the feature `value` or `label`, or the only string
that they have; `--label-column` names another. Sentences begin with the tokens of the
tokenizer that begin where they do, or behind. Layers of relations have the features
`Governor`, from which a relation goes, and `Dependent`. What has no label gets the name
of its layer, and is counted, as other features are that are left out. A folder is read
with the folders in it; unpack archives before. Of an exported project each document is
read once, as it was curated, else as its first user annotated it; the other files are
counted.

https://inception-project.github.io/releases/latest/docs/user-guide.html#sect_formats;
https://github.com/dkpro/dkpro-cassis reads the files and makes offsets, which count
UTF-16 units, characters.
"""

from bisect import bisect_left
from collections.abc import Iterator
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..errors import import_extra
from .json_values import check_type
from .reading import Source
from .recognition import Format, Glimpse
from .record import FLAWED, Link, Mention, Record

TYPE_SYSTEM = "TypeSystem.xml"
ANNOTATION, STRING = "uima.tcas.Annotation", "uima.cas.String"
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
BUILT_IN, ENTITIES = ("uima.", "de.tudarmstadt.ukp.", "org.dkpro."), ".ner.type."
HEAD, TAIL, CHAIN = "Governor", "Dependent", "next"
LABELS = ("value", "label")
NO_LABEL = "annotation without a label: given the name of its layer"
FEATURE = "feature of an annotation beside its label: left out"
NO_SPAN = "relation of what is no entity: left out"
ANNOTATION_FOLDER, CURATION_FOLDER = "annotation", "curation"  # of a project
INITIAL = "INITIAL_CAS"
CURATED = "annotations of a document that is curated: left out"
UNTOUCHED = "INITIAL_CAS, which no user has touched: left out"
FURTHER = "annotations of a further user of a document: left out"
CAS_JSON = (b'"%TYPES"', b'"%FEATURE_STRUCTURES"')


def read_inception(source: Source) -> Iterator[Record]:
    """Read a file, or the files of a folder.

    `options.label_column` is the feature of the label.

    Raises UserError if dkpro-cassis is not installed.
    """
    cassis = import_extra("cassis", "inception", "INCEpTION's format")
    type_systems: dict[Path, Any] = {}

    def parse(path: Path) -> Iterator[Record]:
        if path != source.path and (reason := _reason_to_leave_out(path)):
            source.repaired(reason, str(path))
            return
        yield _make_record(_load(path, cassis, type_systems, source), path, source)

    return source.records(source.files(_is_cas), parse)


def _is_cas(path: Path) -> bool:
    """Whether a file of a folder holds a document."""
    if path.suffix != ".json" or not path.is_file():
        return path.suffix == ".xmi"
    with path.open("rb") as file:
        start = file.read(1_000)
    return any(key in start for key in CAS_JSON)


def _reason_to_leave_out(path: Path) -> str | None:
    """Why another file of an exported project is read for this document, if so."""
    folder, kind = path.parent, path.parent.parent
    if kind.name != ANNOTATION_FOLDER:
        return None
    if any(map(_is_cas, (kind.parent / CURATION_FOLDER / folder.name).glob("*"))):
        return CURATED
    if path.stem == INITIAL:
        return UNTOUCHED
    users = sorted(each for each in folder.glob("*") if _is_cas(each))
    users = [each for each in users if each.stem != INITIAL]
    return None if path == users[0] else FURTHER


def _load(
    path: Path, cassis: Any, type_systems: dict[Path, Any], source: Source
) -> Any:
    """The CAS of a file; raises ValueError if it is none."""
    raw = source.content()
    try:
        if raw.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
            return cassis.load_cas_from_json(raw.decode("utf-8-sig"))
        types = _find_types(path)
        if types not in type_systems:
            type_systems[types] = cassis.load_typesystem(BytesIO(types.read_bytes()))
        return cassis.load_cas_from_xmi(BytesIO(raw), typesystem=type_systems[types])
    except FileNotFoundError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # cassis lets those of the XML and the keys through
        what = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"no UIMA CAS, {what[:200]}; export it anew, as UIMA CAS XMI or JSON"
        ) from error


def _find_types(path: Path) -> Path:
    """The type system of a file, beside it or in a folder above."""
    for folder in path.absolute().parents:
        if (folder / TYPE_SYSTEM).is_file():
            return folder / TYPE_SYSTEM
    raise FileNotFoundError(
        f"there is no {TYPE_SYSTEM} beside {path.name}; the export has it, put it there"
    )


def _make_record(cas: Any, path: Path, source: Source) -> Record:
    text = cas.sofa_string
    if not isinstance(text, str):
        raise ValueError("the document holds no text")
    mentions: list[Mention] = []
    places: dict[Any, int] = {}
    joins: list[Any] = []
    for item in cas.select(ANNOTATION):
        kind = item.type
        if _is_own(kind.name) and _joins(kind):
            joins.append(item)
        elif _is_own(kind.name) and not kind.get_feature(CHAIN):
            places[id(item)] = len(mentions)
            places.setdefault((item.begin, item.end), len(mentions))
            mention = FLAWED
            with source.flaws.of():
                name, label = _layer(item), _read_label(item, source)
                start, end = (
                    check_type(getattr(item, key), int, f"{name} {key}")
                    for key in ("begin", "end")
                )
                mention = Mention(start, end, label, name)
            mentions.append(mention)
    related = any(
        map(_joins, filter(lambda t: _is_own(t.name), cas.typesystem.get_types()))
    )
    return Record(
        text,
        **_read_sentences(cas, text, source),
        entities=mentions,
        relations=list(_read_links(joins, places, source)) if related else None,
        id=source.name_of(path),
    )


def _read_sentences(cas: Any, text: str, source: Source) -> dict[str, Any]:
    """The tokens of a text, where it is known which of them begin a sentence."""
    if not cas.typesystem.contains_type(SENTENCE) or source.tokenize is None:
        return {}
    sentences = sorted((each.begin, each.end) for each in cas.select(SENTENCE))
    if not sentences:
        return {}
    words, spaces = source.tokenize(text)
    sizes = (len(word) + space for word, space in zip(words, spaces, strict=True))
    offsets = list(accumulate(sizes, initial=0))[:-1]
    starts = [i == 0 for i in range(len(words))]
    end = 0
    for begin, stop in [*sentences, (len(text), len(text))]:
        outside = text[end:begin].lstrip()  # of no sentence
        for cut in {begin - len(outside), begin}:
            first = bisect_left(offsets, cut)
            if first < len(starts):
                starts[first] = True
        end = max(end, stop)
    return {"words": words, "spaces": spaces, "sent_starts": starts}


def _is_own(name: str) -> bool:
    """Whether a layer is one of entities, or of the project's own."""
    return not name.startswith(BUILT_IN) or ENTITIES in name


def _joins(kind: Any) -> bool:
    """Whether a layer is one of relations."""
    return bool(kind.get_feature(HEAD) and kind.get_feature(TAIL))


def _layer(item: Any) -> str:
    return item.type.name.rpartition(".")[2]


def _read_label(item: Any, source: Source) -> str:
    """The label of an annotation; raises ValueError if several features may be it."""
    own = [each for each in item.type.all_features if each.name not in (HEAD, TAIL)]
    strings = [each.name for each in own if each.rangeType.name == STRING]
    wanted = [source.options.label_column, *LABELS]
    key = next((name for name in wanted if name in strings), None)
    if key is None and len(strings) > 1:
        raise ValueError(
            f"the layer {_layer(item)} has the features {', '.join(strings)}; name the "
            "one of labels with --label-column"
        )
    key = strings[0] if strings and key is None else key
    others = {each.name for each in own} - {key, "sofa", "begin", "end"}
    n_others = sum(getattr(item, name, None) is not None for name in others)
    if n_others:
        source.repaired(FEATURE, f"{_layer(item)} at {item.begin}", n_others)
    label = getattr(item, key, None) if key else _layer(item)
    if not label:
        source.repaired(NO_LABEL, f"{_layer(item)} at {item.begin}")
    return label or _layer(item)


def _read_links(
    joins: list[Any], places: dict[Any, int], source: Source
) -> Iterator[Link]:
    for item in joins:
        head, tail = (_find_place(getattr(item, key), places) for key in (HEAD, TAIL))
        if head is None or tail is None:
            source.repaired(NO_SPAN, f"{_layer(item)} at {item.begin}")
        else:
            with source.flaws.of():
                yield Link(head, tail, _read_label(item, source), _layer(item))


def _find_place(end: Any, places: dict[Any, int]) -> int | None:
    """The entity that a relation ends at, which may be attached to its only token."""
    if end is None:
        return None
    return places.get(id(end), places.get((end.begin, end.end)))


def fits_inception(glimpse: Glimpse) -> bool:
    """Whether a file, or some of a folder, are of a CAS."""
    if glimpse.path.is_dir():
        return any(map(_is_cas, glimpse.path.rglob("*.*")))
    return any("<xmi:XMI" in line for line in glimpse.lines[:2])


def claims_inception(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return any(key.decode().strip('"') in value for key in CAS_JSON)


INCEPTION = Format(
    "inception",
    read_inception,
    fits_inception,
    claims_inception,
    options=("label_column",),
    folder=True,
)
