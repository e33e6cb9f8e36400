"""`spacy attn serve`: a pipeline behind HTTP."""

from pathlib import Path

import typer

from .app import CODE, attn_cli


@attn_cli.command("serve")
def serve_cli(
    model: str = typer.Argument(..., help="An installed pipeline, or its folder"),
    host: str = typer.Option(
        "127.0.0.1", help="Where to listen; 0.0.0.0 for all who reach this machine"
    ),
    port: int = typer.Option(8000, "--port", "-P", min=0, max=65535),
    patience_ms: float = typer.Option(
        5.0, min=0.0, help="How long a text waits for others to be read with"
    ),
    batch_size: int = typer.Option(
        64, "--batch-size", "-b", min=1, help="Texts a batch"
    ),
    batch_chars: int = typer.Option(50_000, min=1, help="Characters a batch"),
    queue_size: int = typer.Option(
        1000, min=1, help="Texts that may wait; then clients are told to come again"
    ),
    queue_chars: int = typer.Option(10_000_000, min=1, help="Characters that may wait"),
    max_chars: int = typer.Option(100_000, min=1, help="Characters of a text"),
    max_body: int = typer.Option(10_000_000, min=1, help="Bytes of a request"),
    gpu_id: int = typer.Option(-1, "--gpu-id", "-g", help="GPU, or -1 for the CPU"),
    code: Path | None = typer.Option(None, "--code", "-c", help=CODE),
) -> None:
    """Answer requests with what MODEL finds in their texts.

    POST /parse takes {"text": "…"} or {"texts": ["…"]}; what arrives together is one
    batch. / is a page to paste a text into, /docs says more, /health and /metrics are
    for those who watch. SIGTERM, or Ctrl-C, ends it when what waits is answered.
    """
    from spacy.cli._util import import_code

    from ..serving.limits import Bounds, Limits
    from ..serving.start import serve

    import_code(code)
    bounds = Bounds(
        patience=patience_ms / 1000,
        batch_texts=batch_size,
        batch_chars=batch_chars,
        queue_texts=queue_size,
        queue_chars=queue_chars,
    )
    limits = Limits(
        body_bytes=max_body,
        text_chars=min(max_chars, queue_chars),
        texts=queue_size,
    )
    serve(model, host=host, port=port, bounds=bounds, limits=limits, gpu_id=gpu_id)
