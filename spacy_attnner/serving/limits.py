"""How much a service takes at once, and how much may wait."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a request may hold.

    body_bytes: Of its body. text_chars: Of one text. texts: How many.
    """

    body_bytes: int = 10_000_000
    text_chars: int = 100_000
    texts: int = 1000


@dataclass(frozen=True)
class Bounds:
    """How much is read at once, and how much may wait.

    patience: Seconds that a text waits for others to be read with.
    batch_texts, batch_chars: Of a batch; a longer text is a batch of its own.
    queue_texts, queue_chars: That may wait.
    """

    patience: float = 0.005
    batch_texts: int = 64
    batch_chars: int = 50_000
    queue_texts: int = 1000
    queue_chars: int = 10_000_000
