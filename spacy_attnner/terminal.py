"""Commands, and what they say, with nothing in it that a terminal would obey.

Labels, texts and names of files may hold escape sequences and other control
characters: they are shown as `\\x1b`. What is wrong is said in a message, with exit
status 1, and not shown as a place in the code. A signal that ends a command does it as
Ctrl+C would, so that nothing temporary stays, with its own exit status.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, BinaryIO

import typer
from wasabi.printer import Printer

from .errors import UserError, way_out_of
from .hidden import HIDDEN


def open_streams() -> None:
    """Have something to write to where stdout or stderr was closed (`2>&-`)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


@contextmanager
def visible_warnings() -> Iterator[None]:
    """Show warnings in the same way."""
    formatted = warnings.formatwarning
    warnings.formatwarning = lambda *args, **settings: (
        visible_lines(formatted(*args, **settings).rstrip("\n")) + "\n"
    )
    try:
        yield
    finally:
        warnings.formatwarning = formatted


def visible(text: str) -> str:
    """The text on one line, its control characters as Python writes them."""
    return HIDDEN.sub(lambda match: repr(match[0])[1:-1], text)


def visible_lines(text: str) -> str:
    """The same, line by line."""
    return "\n".join(map(visible, text.split("\n")))


def echo(text: str) -> None:
    """Print a text without colours."""
    typer.echo(visible_lines(text))


class VisiblePrinter(Printer):
    """wasabi's `msg`, for texts that come from somewhere else."""

    def text(self, title: Any = "", text: Any = "", *args: Any, **settings: Any) -> Any:
        """Every message goes through here."""
        title, text = visible_lines(str(title)), visible_lines(str(text))
        return super().text(title, text, *args, **settings)

    def divider(self, text: str = "", *args: Any, **settings: Any) -> Any:
        """A line with a heading."""
        return super().divider(visible(text), *args, **settings)

    def table(self, data: Any, **settings: Any) -> Any:
        """Rows of cells."""
        rows = data.items() if isinstance(data, dict) else data
        if settings.get("header"):
            settings["header"] = [visible(str(cell)) for cell in settings["header"]]
        shown = [tuple(visible(str(cell)) for cell in row) for row in rows]
        return super().table(shown, **settings)


msg = VisiblePrinter()


class Stopped(KeyboardInterrupt):
    """A signal that asks the process to end; status: What it then exits with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` at a signal that otherwise ends the process at once."""
    process = os.getpid()

    def stop(number: int, frame: Any) -> None:
        if os.getpid() == process:
            raise Stopped(number)
        signal.signal(number, signal.SIG_DFL)  # in a fork, which has nothing to tidy
        signal.raise_signal(number)

    can = threading.current_thread() is threading.main_thread()
    known = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    taken = [n for n in known if can and n and signal.getsignal(n) == signal.SIG_DFL]
    for each in taken:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `UserError`, or an error of the file system, into a message and exit
    status 1, and a signal into its exit status.
    """
    open_streams()
    try:
        with visible_warnings(), stopped_by_signals():
            yield
    except KeyboardInterrupt as stop:
        raise typer.Exit(getattr(stop, "status", 130)) from None
    except BrokenPipeError:  # of `attn … | head`: no error
        raise
    except OSError as error:
        msg.fail(str(error))
        echo(way_out_of(error) + "\n")
        raise typer.Exit(1) from error
    except UserError as error:
        first, *others = error.problem.split("\n")
        msg.fail(first)
        echo("\n".join([*others, error.way_out, ""]))  # msg would wrap its lines
        raise typer.Exit(1) from error


@contextmanager
def saying_on_stderr() -> Iterator[BinaryIO]:
    """The stream of stdout for results alone: what is said, errors included, and what
    others print goes to stderr. It is an error if stdout was closed.
    """
    open_streams()
    stdout = sys.stdout
    with redirect_stdout(sys.stderr), reported():
        if getattr(stdout, "name", None) == os.devnull:  # see `open_streams`
            raise UserError("stdout is closed", "Redirect it, or name a file.")
        yield stdout.buffer


class Commands(typer.Typer):
    """A command line of functions that are `reported`."""

    def __init__(self, **settings: Any) -> None:
        plain = {"rich_markup_mode": None, "add_completion": False}
        super().__init__(**plain, pretty_exceptions_enable=False, **settings)

    def command(self, *args: Any, **settings: Any) -> Callable[[Callable], Callable]:
        """Register a function as a command; it stays what it is for other callers."""
        register = super().command(*args, **settings)

        def decorate(function: Callable) -> Callable:
            register(reported()(function))
            return function

        return decorate
