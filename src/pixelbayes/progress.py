"""Messages and progress: what a long piece of work tells, and where that goes.

Everything goes through one sink, by default the console. A notebook, a web page or a log file may take its place:

    with set_sink(Mine()):
        pb.train("digits")

Of several processes (torchrun) only the first one speaks: nobody else need ask.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .errors import printable
from .wording import told

T = TypeVar("T")
PLAIN_SECONDS = 60.0  # between lines on progress where there is no terminal


def is_first() -> bool:
    """Whether this process is the one that speaks and writes."""
    return int(os.environ.get("RANK", "0")) == 0


class Sink(Protocol):
    """Where messages and progress go."""

    def say(self, text: str) -> None:
        """One line of what the program has to tell."""

    def warn(self, text: str) -> None:
        """One line that the user should notice."""

    def progress(self, task: str, share: float, detail: str) -> None:
        """How far a task is, from 0 to 1 (then it has ended), and a few words on it."""


class Console:
    """Lines on stdout, notes on stderr, and bars on stderr where that is a terminal; elsewhere a line a minute."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def say(self, text: str) -> None:
        text = printable(text)
        if self._bars is not None:
            self._bars.console.print(text, highlight=False, markup=False)
        else:
            print(text, flush=True)

    def warn(self, text: str) -> None:
        console = RichConsole(stderr=True, soft_wrap=True, highlight=False, emoji=False)
        console.print(f"[yellow]note:[/yellow] {escape(printable(text))}")

    def progress(self, task: str, share: float, detail: str) -> None:
        if not sys.stderr.isatty():
            self._tell_now_and_then(task, share, detail)
        elif share < 1:
            self._show(task, share, detail)
        elif task in self._tasks and self._bars is not None:
            self._bars.remove_task(self._tasks.pop(task))
            if not self._tasks:
                self._bars.stop()
                self._bars = None

    def _show(self, task: str, share: float, detail: str) -> None:
        if self._bars is None:
            columns = (TextColumn("{task.fields[name]}"), BarColumn(), TextColumn("{task.description}"))
            console = RichConsole(stderr=True)
            self._bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
            self._bars.start()
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(escape(detail), total=1.0, name=escape(task))
        self._bars.update(self._tasks[task], completed=share, description=escape(detail))

    def _tell_now_and_then(self, task: str, share: float, detail: str) -> None:
        now = time.monotonic()
        last = self._told.setdefault(task, now)
        if share >= 1:
            del self._told[task]
        elif now - last > PLAIN_SECONDS:
            self._told[task] = now
            self.say(f"{share:4.0%}  {detail}" if task == "training" else f"{share:4.0%}  {task} {detail}")


class _Sinks:
    """The sink in use."""

    def __init__(self) -> None:
        self.used: Sink = Console()


_SINKS = _Sinks()


def set_sink(sink: Sink) -> "Restored":
    """Send all messages and progress of this process to `sink` from now on; as a context, until its end.

    Args:
        sink: takes messages and progress; see `progress.Sink`.

    Returns:
        A context that restores the one before.

    Example:
        with pb.set_sink(mine): pb.train("digits", minutes=1)
    """
    before, _SINKS.used = _SINKS.used, sink
    return Restored(before)


class Restored:
    """A context at whose end the sink is again the one of before."""

    def __init__(self, before: Sink) -> None:
        self._before = before

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        _SINKS.used = self._before


def say(text: str) -> None:
    """One line of what the program has to tell."""
    if is_first():
        _SINKS.used.say(told(text))


def warn(text: str) -> None:
    """One line that the user should notice."""
    if is_first():
        _SINKS.used.warn(told(text))


def show_progress(task: str, share: float, detail: str = "") -> None:
    """How far a task is, from 0 to 1 (then it has ended)."""
    if is_first():
        _SINKS.used.progress(task, share, detail)


@contextmanager
def counting(task: str, total: int, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A task of `total` items; the function says that so many more are done.

    >>> with counting("drawing", 3) as done:
    ...     done(2)
    """
    count = 0

    def done(more: int) -> None:
        nonlocal count
        count += more
        if shown and count < total:
            show_progress(task, count / total, f"{count}/{total}")

    try:
        done(0)
        yield done
    finally:
        if shown:
            show_progress(task, 1.0)


def track(items: Iterable[T], description: str, total: int | None = None, shown: bool = True) -> Iterator[T]:
    """Iterate over `items`, telling how far it is.

    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with counting(description, total or 0, shown and bool(total)) as done:
        for item in items:
            yield item
            done(1)


def spell_seconds(seconds: float) -> str:
    """A duration in words.

    >>> spell_seconds(4000), spell_seconds(75), spell_seconds(8.2)
    ('1 h 06 min', '1 min 15 s', '8 s')
    """
    whole = round(max(0.0, seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
