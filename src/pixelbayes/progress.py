"""Progress on long work, and the lines that accompany it."""

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .errors import printable

T = TypeVar("T")


def bar(description: str, total: int | None = None, shown: bool = True) -> Progress:
    """A rich progress bar on stderr with one task; it stays silent where there is no terminal."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not (shown and sys.stderr.isatty()),
        transient=True,
    )
    progress.add_task(description, total=total)
    return progress


def track(items: Iterable[T], description: str, total: int | None = None, shown: bool = True) -> Iterator[T]:
    """Iterate over `items` under a progress bar.

    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(description, total, shown) as progress:
        for item in items:
            yield item
            progress.advance(progress.task_ids[0])


def say(text: str) -> None:
    """One line of what the program has to tell, on stdout."""
    print(printable(text), flush=True)


def warn(text: str) -> None:
    """One line that the user should notice, on stderr."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
    console.print(f"[yellow]note:[/yellow] {escape(printable(text))}")


def spell_seconds(seconds: float) -> str:
    """A duration in words.

    >>> spell_seconds(4000), spell_seconds(75), spell_seconds(8.2)
    ('1 h 06 min', '1 min 15 s', '8 s')
    """
    whole = round(max(0.0, seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
