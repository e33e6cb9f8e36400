"""What goes wrong in a command, in the words of the person who can mend it."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A command cannot go on.

    problem: What is wrong, with the file, address or value it is about.
    way_out: What to do about it.
    """

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(f"{problem}\n{way_out}")
        self.problem = problem
        self.way_out = way_out


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `UserError` into a message and exit status 1."""
    import typer
    from wasabi import msg

    try:
        yield
    except UserError as error:
        msg.fail(error.problem)
        typer.echo(error.way_out + "\n")  # msg would wrap its lines
        raise typer.Exit(1) from error
