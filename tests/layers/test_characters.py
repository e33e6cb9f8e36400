import pytest
import torch

from spacy_attnner.layers import characters
from spacy_attnner.layers.characters import (
    N_CHARACTERS,
    N_DIRECT,
    N_HASHED,
    CharacterCNN,
    character_ids,
)

WORDS = ["Zürich", "a", "Straßenbahnhaltestelle", "東京", "Ω", "x1-y2", "👩‍🚀"]


def batch(words, max_length=13):
    return torch.from_numpy(character_ids(words, max_length))


def make_cnn(kernel_size=3):
    return CharacterCNN(embed_width=5, width=7, kernel_size=kernel_size)


def test_rows_by_hand():
    found = character_ids(["ab", "", "東", "a"], 5)
    other = 1 + N_DIRECT + 0x6771 % N_HASHED
    assert found.tolist() == [[98, 99], [0, 0], [other, 0], [98, 0]]
    assert character_ids(["", ""], 5).tolist() == [[0], [0]]
    assert character_ids([], 5).shape == (0, 1)


def test_half_of_a_surrogate_pair_is_a_character():
    assert (character_ids(["\ud800"], 5) > N_DIRECT).all()


def test_of_a_long_word_both_ends_are_read():
    assert torch.equal(batch(["abcdefg"], 5), batch(["abefg"], 5))
    assert torch.equal(batch(["abcdefg"], 4), batch(["abfg"], 4))


@pytest.mark.parametrize("word", WORDS)
def test_no_character_is_taken_for_padding(word):
    (rows,) = character_ids([word], 31)
    assert len(rows) == len(word)
    assert ((rows > 0) & (rows < N_CHARACTERS)).all()


def test_latin_letters_keep_apart():
    letters = [chr(code) for code in range(N_DIRECT) if chr(code).isalpha()]
    assert len(set(character_ids(letters, 3).flatten().tolist())) == len(letters)


def test_convolution_by_hand():
    """One filter that adds up three neighbours, then the maximum."""
    cnn = CharacterCNN(embed_width=1, width=1, kernel_size=3)
    with torch.no_grad():
        cnn.filters.weight.fill_(1.0)
        cnn.filters.bias.fill_(0.5)
        for letter, value in {"a": 1.0, "b": -2.0, "c": 5.0}.items():
            cnn.embed.weight[character_ids([letter], 3)[0]] = value
    words = ["abc", "b", "ba"]
    found = cnn(batch(words), torch.tensor([0, 1, 2, 0]))
    # abc: max(1 - 2, 1 - 2 + 5, -2 + 5); b: -2; ba: -1
    assert found.flatten().tolist() == [4.5, -1.5, -0.5, 4.5]


def test_a_word_is_encoded_the_same_in_any_batch():
    cnn = make_cnn()
    together = cnn(batch(WORDS), torch.arange(len(WORDS)))
    for i, word in enumerate(WORDS):
        alone = cnn(batch([word]), torch.tensor([0]))
        torch.testing.assert_close(alone, together[i : i + 1])


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 9])
@pytest.mark.parametrize("piece", [characters.PIECE_CPU, 4, 1])
def test_prediction_by_tables_is_the_convolution(monkeypatch, piece, kernel_size):
    cnn = make_cnn(kernel_size).eval()
    words = [*WORDS, "", "Zug"]
    expected = cnn(batch(words), torch.arange(len(words)))
    monkeypatch.setattr(characters, "PIECE_CPU", piece)
    with torch.no_grad():
        found = cnn.encode(words, 13, cnn.tables())
        assert cnn.encode([], 13, cnn.tables()).shape == (0, 7)
    torch.testing.assert_close(found, expected)


def test_a_word_without_characters_is_no_nan():
    cnn = make_cnn()
    found = cnn(torch.zeros(1, 3, dtype=torch.int64), torch.tensor([0]))
    assert found.isfinite().all()
    assert found.abs().max() < 1e3


def test_no_words():
    cnn = make_cnn()
    nothing = torch.zeros(0, dtype=torch.int64)
    assert cnn(nothing.view(0, 1), nothing).shape == (0, 7)


def test_an_even_kernel():
    with pytest.raises(ValueError, match="kernel_size 4 is not odd"):
        make_cnn(kernel_size=4)
