"""What a service counts, in the text format of Prometheus."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Meters:
    """Counters of one service, which share nothing with those of another."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter(
            "attn_requests", "Requests for texts to be read", ["status"], registry=own
        )
        self.texts = Counter(
            "attn_texts",
            "Texts: read, failed, refused, or dropped when their client hung up",
            ["outcome"],
            registry=own,
        )
        self.request_seconds = Histogram(
            "attn_request_seconds",
            "From the body of a request to its answer",
            buckets=SECONDS,
            registry=own,
        )
        self.batch_seconds = Histogram(
            "attn_batch_seconds",
            "That the pipeline took for a batch",
            buckets=SECONDS,
            registry=own,
        )
        self.batch_texts = Histogram(
            "attn_batch_texts",
            "Texts in a batch",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=own,
        )
        self.waiting_texts = Gauge(
            "attn_waiting_texts", "Texts in the queue", registry=own
        )
        self.waiting_chars = Gauge(
            "attn_waiting_characters", "Characters in the queue", registry=own
        )

    def shown(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)
