"""What a long piece of work has found so far, beside the file that it is for, so that a broken one can go on."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Unfinished:
    """Rows of `width` float64 numbers, appended as they come, in a hidden file beside `target`.

    Its first line says which question they answer (plain data). A row that a killed process left half-written does
    not count. `done` is how many rows there are.
    """

    def __init__(self, target: Path, question: Mapping[str, Any], width: int, resume: bool) -> None:
        """Begin, or with `resume` go on with what is there. Raises UserError where another question was asked, where
        another process is at it, and where the place cannot be written."""
        self.path, self.width = beside(target), width
        head = (json.dumps(question, sort_keys=True) + "\n").encode()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("r+b" if resume and self.path.exists() else "a+b")
            self._alone(target)
            self._begin(head, resume, target)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _alone(self, target: Path) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"another process is writing {target}") from None

    def _begin(self, head: bytes, resume: bool, target: Path) -> None:
        self._file.seek(0)
        first_line = self._file.readline() if resume else b""
        if first_line.endswith(b"\n") and first_line != head:
            changed = _difference(first_line, head)
            raise UserError(
                f"{target} was begun with another {changed}: go on with the same, or begin anew with --overwrite"
            )
        self._head = len(head)
        if first_line != head:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
        self._file.seek(0, 2)
        self.done = max(0, self._file.tell() - self._head) // (8 * self.width)
        self.keep(self.done)

    def keep(self, rows: int) -> None:
        """Forget what comes after so many rows."""
        self.done = rows
        self._file.truncate(self._head + 8 * self.width * rows)
        self._file.seek(0, 2)
        self._file.flush()

    def append(self, rows: Tensor) -> None:
        """More rows `(n, width)`. Raises UserError where the disk is full."""
        try:
            self._file.write(rows.numpy().tobytes())
            self._file.flush()
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from error
        self.done += len(rows)

    def read(self, start: int, stop: int) -> Tensor:
        """Rows `(stop - start, width)`, float64."""
        self._file.flush()
        size = 8 * self.width
        with self.path.open("rb") as file:
            file.seek(self._head + size * start)
            content = file.read(size * (stop - start))
        return torch.from_numpy(np.frombuffer(content, np.float64).reshape(-1, self.width).copy())

    def __enter__(self) -> "Unfinished":
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        """The file goes when the work is done, or nothing has been found."""
        with suppress(OSError):  # a full disk was told of already
            self._file.close()
        if kind is None or not self.done:
            self.path.unlink(missing_ok=True)


def beside(target: Path) -> Path:
    """Where what was found so far for a file lies."""
    return target.with_name(f".{target.name}.unfinished")


def _difference(stored: bytes, asked: bytes) -> str:
    """The first part of two questions that differs."""
    try:
        before, now = json.loads(stored), json.loads(asked)
        return next(key for key in now if before.get(key) != now[key])
    except (ValueError, StopIteration, AttributeError):
        return "version"
