"""Ctrl-C and SIGTERM: the first lets the run save and leave, a second one is obeyed at once, as without a run."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - not an error: the user's wish
    """The run was asked to stop, at a place where its state can be saved."""


class Guard:
    """A context in which signals are noted instead of obeyed.

    >>> with Guard() as guard:
    ...     guard.asked
    False
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether the run should save and leave."""
        return self.received is not None

    def __enter__(self) -> "Guard":
        # Only the main thread may set handlers; elsewhere (a web server, a notebook) its owner decides.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.received = number
            return
        # Whoever owned the signal decides: in a notebook, and on the command line, Ctrl-C raises KeyboardInterrupt.
        owner = self._before.get(number)
        if callable(owner):
            owner(number, frame)
        elif owner != signal.SIG_IGN:
            os._exit(128 + number)

    def leave(self) -> None:
        """End as the signal asks: KeyboardInterrupt for Ctrl-C, exit code 143 for SIGTERM."""
        if self.received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt
