"""What a report can be about: a run's or a model's folder, and all that was found out about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..data import ImageSet
from ..model import AutoregressiveImageModel
from ..records import ModelRecord
from ..tasks.classify import Classification
from .stored import Stored


@dataclass(frozen=True)
class Comparison:
    """One model in the table of held-out figures; `ours` is set off from the others."""

    name: str
    explanation: str
    bits_per_dim: float
    accuracy: float | None = None
    ours: bool = False


@dataclass(frozen=True)
class Command:
    """A command, and what it is for."""

    line: str
    purpose: str


@dataclass(frozen=True)
class Findings:
    """What a study found, a row for each variant; `pictures` have a caption each."""

    summary: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    pictures: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class Source:
    """All that sections may show; what is missing is None or empty, and sections of it are absent then."""

    title: str
    lead: str = ""
    folder: Path | None = None
    model: AutoregressiveImageModel | None = None
    record: ModelRecord = field(default_factory=ModelRecord)
    """How the model came about: its data, recipe and training."""
    journal: Path | None = None
    """The journal of the run, if it has a row."""
    train: ImageSet | None = None
    images: ImageSet | None = None
    """Held-out images, and what was found of them:"""
    split: str = ""
    answers: Classification | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    """As in metrics.json."""
    comparisons: Sequence[Comparison] = ()
    remarks: Sequence[str] = ()
    """What a reader of the figures should know, a sentence each."""
    stored: Stored = field(default_factory=Stored)
    """What evaluations of the model left."""
    study: Findings | None = None
    commands: Sequence[Command] = ()
    notes: Sequence[str] = ()
    """Why something is missing, a sentence each."""
    seed: int = 0

    def figure(self, name: str) -> float | None:
        """Returns a figure, such as 'accuracy' or 'uncalibrated.log_loss'; None unless it is a finite number."""
        value: Any = self.figures
        for word in name.split("."):
            value = value.get(word) if isinstance(value, Mapping) else None
        number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        return float(value) if number else None

    @property
    def measured(self) -> str:
        """What the figures are of, such as '359 test images'; empty where that is unknown."""
        images = self.figure("images")
        return "" if images is None else " ".join(f"{images:,.0f} {self.split} images".split())

    @property
    def class_names(self) -> tuple[str, ...]:
        if self.model is not None:
            return self.model.classes.names
        names = self.figures.get("classes")
        return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def drawn(draw: Callable[[Path], object]) -> bytes:
    """Returns the PNG that `draw` writes to the path that it is given."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        draw(path)
        return path.read_bytes()
