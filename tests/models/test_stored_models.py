"""Models stay as those that are stored: the same layers, the same names of modules.

Thinc tells stored layers apart by their place in the tree alone.
"""

import pytest

WORDS = [
    "unflatten(hashed(LOWER)|hashed(SHAPE))",
    [
        "hashed(LOWER)|hashed(SHAPE)",
        ["hashed(LOWER)", ["token_attr(LOWER)"], ["hashembed"]],
        ["hashed(SHAPE)", ["token_attr(SHAPE)"], ["hashembed"]],
    ],
]
CHARACTERS = ["unflatten(character_cnn)", ["character_cnn"]]
ENTITIES = ["unflatten(entity_embed)", ["entity_embed", ["hashembed"]]]
ENCODER = [
    "with_structure(attention_encoder)",
    [f"{WORDS[0]}|{CHARACTERS[0]}", WORDS, CHARACTERS],
    ["attention_encoder"],
]
LINEAR = ["tokenwise(linear)", ["linear"]]
PAIRS = ["entity_pairs", ENCODER, ["pairs"], ["linear"]]
TREES = {
    "AttentionEncoder": ENCODER,
    "AttentionTextClassifier": [
        f"{ENCODER[0]}>>per_document>>softmax",
        ENCODER,
        ["per_document", ["attention_pooling"]],
        ["softmax"],
    ],
    "CRFTagger": [
        f"{ENCODER[0]}>>tokenwise(linear)>>crf_transitions",
        ENCODER,
        LINEAR,
        ["crf_transitions"],
    ],
    "CharacterCNN": CHARACTERS,
    "DocumentContext": [
        "with_structure(document_context)",
        [f"{ENCODER[0]}>>tokenwise(linear)", ENCODER, LINEAR],
        ["document_context"],
    ],
    "EntityEmbed": ENTITIES,
    "EntityPairAttention": PAIRS,
    "InnerProductPairs": ["inner_product_pairs", PAIRS],
    "WordEmbed": WORDS,
}
SPANS = "spans.attention.project spans.attention.score spans.types head tail"
CONTEXT = "context.key context.place context.query context.value"
# modules that have weights
MODULES = {
    "attention_encoder": "gate lstms.0 attention.output attention.qkv",
    "attention_pooling": "pool.attention.project pool.attention.score",
    "character_cnn": "embed filters",
    "document_context": "document.score document.value mix words.score words.value",
    "EntityPairAttention": f"{SPANS} {CONTEXT} distances others output",
    "InnerProductPairs": SPANS,
}


def tree(model):
    return [model.name, *map(tree, model.layers)]


@pytest.mark.parametrize("name", TREES)
def test_layers(name, build, configs):
    assert tree(build(configs[name])) == TREES[name]


@pytest.mark.parametrize("name", TREES)
def test_names_of_weights(name, build, configs):
    for node in build(configs[name]).walk():
        for shim in node.shims:
            found = {key.rpartition(".")[0] or key for key in shim._model.state_dict()}
            known = MODULES[name if node.name == "pairs" else node.name]
            assert found == set(known.split())
