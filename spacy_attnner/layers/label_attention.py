"""A query for each label: what every category reads out of a document by itself."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from .layout import Ints
from .pooling import Segments


class LabelAttention(nn.Module):
    """Scores of labels, each of which attends to the tokens by a query of its own.

    a_il = softmax_i(k(x_i) · w_l / √d), score_l = Σ_i a_il (v(x_i) · w_l) + b_l

    Mullenbach et al. (2018), "Explainable Prediction of Medical Codes from Clinical
    Text", with one vector w_l to find words by and to judge them by. The vectors are
    given, so that there may be any number of labels.

    width: Of the tokens, of keys, values and of w.
    factors: Multiplied with what is attended to each token, (n_tokens,), so that its
        share of a result can be found.
    """

    reads_words = True
    factors: Tensor | None = None

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.0)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(
        self,
        X: Tensor,
        W: Tensor,
        b: Tensor,
        lengths: Ints,
        there: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Score the labels of each document, (batch_size, n_labels).

        X: Shape (n_tokens, width). W: (n_labels, width). b: (n_labels,).
        lengths: Tokens of each document, on the host, (batch_size,).
        there: `segment_arrays` of them, where they are on the device already.
        """
        X, segments = self.dropout(X), Segments(X.device, lengths, there=there)
        weights = self.weights(X, W, segments)
        if self.factors is not None:
            weights = weights * self.factors[:, None]
        values = self.dropout(self.value(X).tanh()) @ W.T  # (N, L)
        return segments.sum(weights * values) + b

    def weights(self, X: Tensor, W: Tensor, segments: Segments) -> Tensor:
        """Attention of each label, (n_tokens, n_labels); 1 in all over a segment."""
        return segments.softmax(self.key(X) @ W.T / math.sqrt(W.shape[1]))
