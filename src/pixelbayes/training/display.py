"""How far training is, on a terminal; a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from ..progress import say, spell_seconds

PLAIN_SECONDS = 60.0


class Display:
    """A bar with bits/dim, images/s and time left."""

    def __init__(self) -> None:
        self.shown = True
        self.terminal = sys.stderr.isatty()
        columns = (
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
        )
        self._bar = Progress(
            *columns, console=Console(stderr=True), disable=not self.terminal, transient=True
        )
        self._task = self._bar.add_task("", total=1.0)
        self._last = time.monotonic()

    def __enter__(self) -> "Display":
        return self

    def start(self, shown: bool) -> None:
        """Begin to show the bar; `shown` is false on all ranks but the first, which stay silent."""
        self.shown = shown
        if shown:
            self._bar.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, progress: float, step: int, bits: float, speed: float, left: float) -> None:
        """`bits`/dim lately, images/s, and seconds left."""
        text = f"step {step:,}  {bits:.3f} bits/dim  {speed:,.0f} images/s  {spell_seconds(left)} left"
        self._bar.update(self._task, completed=progress, description=text)
        if self.shown and not self.terminal and time.monotonic() - self._last > PLAIN_SECONDS:
            self.line(f"{progress:4.0%}  {text}")

    def line(self, text: str) -> None:
        """One line that stays."""
        if not self.shown:
            return
        self._last = time.monotonic()
        if self.terminal and self._bar.live.is_started:
            self._bar.console.print(text, highlight=False)
        else:
            say(text)
