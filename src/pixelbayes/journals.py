"""A run's journal: written to journal.csv, to TensorBoard and to Weights & Biases where wanted; and read in one way by
training, listings, pictures and reports."""

import csv
import hashlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from os import SEEK_END
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UserError
from .files import whole
from .products import Products
from .progress import warn

JOURNAL = "journal.csv"
COLUMNS = (
    "step", "epoch", "seconds", "learning_rate", "images_per_second", "skipped",
    "train_bits_per_dim", "fitted_bits_per_dim", "validation_bits_per_dim", "gap_bits_per_dim",
    "validation_accuracy", "validation_balanced_accuracy",
)  # fmt: skip
"""train: the loss as it was trained (with dropout and augmentation); fitted: the averaged weights on some training
images as they are; gap: validation - fitted, which grows as images are learned by heart. An objective's other parts
follow, as `train_PART`."""


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Returns the rows that are whole: those that have a step; none where there is no file.

    Letters that are no UTF-8 are replaced. Raises `OSError` and `csv.Error` for what cannot be read.
    """
    return [row for row in _rows(Path(path)) if (row.get("step") or "").isdecimal()]


def read_columns(path: str | Path) -> dict[str, np.ndarray]:
    """Returns the columns of all rows as numbers, float64; what is no finite number is nan. Raises as `read_rows`."""
    rows = _rows(Path(path))
    names = [name for name in (rows[0] if rows else {}) if name]
    return {name: np.array([number(row, name, nan) for row in rows], float) for name in names}


def number(row: Mapping[str, str], name: str, otherwise: float | None = None) -> float | None:
    """Returns a value of a row; `otherwise` where it is missing or no finite number.

    >>> number({"step": "3", "seconds": ""}, "step"), number({"step": "3", "seconds": ""}, "seconds")
    (3.0, None)
    """
    try:
        value = float(row.get(name) or "nan")
    except ValueError:
        return otherwise
    return value if isfinite(value) else otherwise


def kept_row(rows: list[dict[str, str]], step: int | None = None) -> dict[str, str]:
    """Returns the row of the validation whose weights are kept, those of `step`; empty where there is none.

    Without a step it is the one of the fewest bits.
    """
    bits = [(value, row) for row in rows if (value := number(row, "validation_bits_per_dim")) is not None]
    if step is not None:
        return next((row for _, row in reversed(bits) if row["step"] == str(step)), {})
    return min(bits, key=lambda pair: pair[0])[1] if bits else {}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        names = next(csv.reader([file.readline()]), [])
        rows = (_cells(line) for line in file)  # one by one: an odd cell spoils its own row, and no other
        return [dict(zip(names, cells, strict=False)) for cells in rows if cells]


def _cells(line: str) -> list[str]:
    """The cells of one row; none where they cannot be told apart."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


class Journal:
    """Appends rows to `OUT/journal.csv` and to TensorBoard's events in `OUT/events`.

    A resumed run goes on after the last row of its `step`; what an interrupted one wrote later is dropped. `wandb`:
    the settings of a run that is also written for Weights & Biases.
    """

    def __init__(
        self,
        out: Path,
        step: int = 0,
        wandb: dict[str, Any] | None = None,
        name: str = "",
        parts: Sequence[str] = (),
    ) -> None:
        self.columns = (*COLUMNS, *(f"train_{part}" for part in parts if part != "likelihood"))
        self.path = out / JOURNAL
        self._wandb = None if wandb is None else _start_wandb(out, name, wandb)  # first: it may refuse
        self._last: dict[str, str]
        self._place: int  # where the last row begins
        self._keep(step)
        try:
            self._events = Events(out / "events", step + 1 if step else None)
            Products(out, "run").note([f"events/{self._events.name}"])
        except OSError as error:
            raise UserError(f"cannot write {out / 'events'}: {error.strerror or error}") from error

    def _keep(self, step: int) -> None:
        self._last, self._place = {}, 0
        rows = read_rows(self.path) if step else []
        with whole(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            before = -1
            for row in rows:
                number = int(row["step"])
                if (
                    before < number <= step
                ):  # what was written later, by a sitting that was cut short, is dropped
                    known = {name: value for name, value in row.items() if value and name in self.columns}
                    self._place, self._last, before = file.tell(), known, number
                    writer.writerow(known)

    def write(self, values: dict[str, float | None]) -> None:
        """Add a row, or to the last row if that is of the same step; `values` has a step, and of the other columns what
        is known."""
        known = {name: value for name, value in values.items() if value is not None}
        step = int(known["step"])
        row = {name: _short(value) for name, value in known.items()}
        try:
            if not self.path.exists():
                self._keep(0)
            with self.path.open("r+", newline="", encoding="utf-8") as file:
                again = self._last.get("step") == row["step"]
                self._place = self._place if again else file.seek(0, SEEK_END)
                self._last = self._last | row if again else row
                file.seek(self._place)
                csv.DictWriter(file, self.columns, lineterminator="\n").writerow(self._last)
                file.truncate()
            self._events.write(step, {name: value for name, value in known.items() if name != "step"})
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from error
        if self._wandb is not None:
            self._wandb.log(known, step=step)

    def close(self) -> None:
        """Flush what is held back."""
        try:
            self._events.close()
        except OSError as error:
            warn(f"the events of TensorBoard are incomplete: {error.strerror or error}")
        if self._wandb is not None:
            self._wandb.finish()


def _short(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"


def require_wandb() -> Any:
    """The package, or UserError where it is not installed."""
    try:
        import wandb
    except ImportError:
        raise UserError("Weights & Biases is not installed: pip install 'wandb>=0.18'") from None
    return wandb


def _start_wandb(out: Path, name: str, settings: dict[str, Any]) -> Any:
    wandb = require_wandb()
    mark = hashlib.blake2b(
        str(out.resolve()).encode(), digest_size=8
    ).hexdigest()  # a resumed run goes on there
    try:
        return wandb.init(
            project="pixelbayes", name=name or out.name, id=mark, dir=str(out), resume="allow",
            config=settings, allow_val_change=True,
        )  # fmt: skip
    except wandb.Error as error:
        raise UserError(
            f"Weights & Biases cannot start: {error}; WANDB_MODE=offline in the environment works without an account"
        ) from error


class Events:
    """TensorBoard's file of events in `folder`, written at once: its own writer leaves that to a thread, which a full
    disk makes talk; `purge` hides what an earlier file says from that step on.

    Raises OSError where it cannot be written.
    """

    def __init__(self, folder: Path, purge: int | None = None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"events.out.tfevents.{time.time_ns() // 1000}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / self.name).open("wb")
        self._records = RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        if purge is not None:
            self._add(step=purge, session_log=SessionLog(status=SessionLog.START))
        self._file.flush()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars by name."""
        each = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(step=step, summary=self._summary(value=each))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add(self, **fields: object) -> None:
        self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())
