import torch
from torch import nn

from spacy_attnner.layers.pooling import DocumentPooling


def test_document_pooling_by_hand():
    """Attention without preference is the mean; beside it stands the maximum."""
    pooling = DocumentPooling(width=2, n_heads=1, hidden=3)
    nn.init.zeros_(pooling.pool.attention.score.weight)
    X = torch.tensor([[1.0, -4.0], [3.0, -2.0], [5.0, 7.0]])
    found = pooling(X, torch.tensor([2, 0, 1]))
    expected = torch.tensor([[2.0, -3.0, 3.0, -2.0], [0.0] * 4, [5.0, 7.0] * 2])
    torch.testing.assert_close(found, expected)


def test_batch_equals_single():
    pooling = DocumentPooling(width=5, n_heads=3, hidden=7)
    lengths = torch.tensor([11, 0, 1, 2])
    X = torch.randn(14, 5)
    together = pooling(X, lengths)
    assert together.shape == (4, 20)
    for i, own in enumerate(X.split(lengths.tolist())):
        alone = pooling(own, lengths[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1])


def test_documents_without_tokens_give_zeros_and_no_nan():
    pooling = DocumentPooling(width=5, n_heads=3, hidden=7)
    X = torch.zeros(0, 5, requires_grad=True)
    found = pooling(X, torch.tensor([0, 0]))
    assert torch.equal(found, torch.zeros(2, 20))
    found.sum().backward()
    for parameter in pooling.parameters():
        assert parameter.grad is None or not parameter.grad.any()
