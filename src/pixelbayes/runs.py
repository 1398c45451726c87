"""What runs and models lie in a folder, read from their own files without loading a weight."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UserError
from .journals import JOURNAL, kept_row, number, read_rows
from .records import ModelRecord


@dataclass(frozen=True)
class RunSummary:
    """A training run: its folder, where its journal stands, and the figures of the weights that it keeps; None where
    nothing is known yet."""

    folder: Path
    recipe: str = ""
    data: str = ""
    steps: int | None = None
    bits_per_dim: float | None = None
    accuracy: float | None = None
    """Calibrated, as `evaluate` finds it on the validation images, where `calibrated`; else of Bayes' rule alone."""
    calibrated: bool = False
    minutes: float | None = None
    network: str = ""
    strategy: str = ""
    """How the label enters the network."""
    seed: int | None = None
    fold: int | None = None
    folds: int | None = None
    """Which fold of how many was held out; None outside a k-fold evaluation."""
    broken: str = ""
    """What is wrong with its files, in short."""

    @property
    def fold_of(self) -> str:
        """The fold as '1 of 5' (counted from 0); '' outside a k-fold evaluation."""
        return f"{self.fold} of {self.folds}" if self.folds else ""

    def name(self, root: str | Path) -> str:
        """The folder's name as seen from `root`."""
        inside = self.folder != Path(root) and self.folder.is_relative_to(root)
        return str(self.folder.relative_to(root)) if inside else str(self.folder)


@dataclass(frozen=True)
class ModelSummary:
    """A model's folder, and its configuration as plain data."""

    folder: Path
    config: dict[str, Any]
    broken: str = ""
    """What is wrong with the configuration, in short; empty where it has all that a listing shows."""


NEEDED = {
    "model": dict,
    "model.network": dict,
    "model.shape": dict,
    "model.classes": list,
    "description": dict,
}
"""What a config.json must hold, and of which type."""

WORDS = {dict: "table", list: "list", str: "text"}


def find_runs(root: str | Path) -> list[RunSummary]:
    """The runs in a folder, or the folder itself where it is one; raises UserError when there is no such folder."""
    return [_read_run(folder) for folder in _folders(root, JOURNAL)]


def find_models(root: str | Path) -> list[ModelSummary]:
    """The models in a folder, or the folder itself where it is one."""
    return [ModelSummary(folder, *_read_config(folder)) for folder in _folders(root, "model.safetensors")]


def _read_config(folder: Path) -> tuple[dict[str, Any], str]:
    """A model's config.json (empty where it cannot be read), and what is wrong with it, in short."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "there is no config.json"
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        return {}, f"config.json cannot be read: {reason}"
    return (config, _wrong(config)) if isinstance(config, dict) else ({}, "config.json is no table")


def _wrong(config: dict[str, Any]) -> str:
    """The first thing that is wrong with a configuration; empty where nothing is."""
    for path, kind in NEEDED.items():
        value = _at(config, path)
        if not isinstance(value, kind):
            return f"config.json: {path} is {'missing' if value is None else f'no {WORDS[kind]}'}"
    if not all(isinstance(name, str) for name in config["model"]["classes"]):
        return "config.json: model.classes are not all texts"
    try:
        ModelRecord.from_dict(config["description"])
    except UserError as error:
        return f"config.json: {error}"
    return ""


def _at(config: Any, path: str) -> Any:
    """What lies at a path such as 'model.shape'; None where there is nothing."""
    for name in path.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config


def _folders(folder: str | Path, sign: str) -> Iterator[Path]:
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"there is no folder {root}")
    if (root / sign).is_file():
        yield root
        return
    folds = root.glob(f"*/fold-*/{sign}")  # the models of a k-fold evaluation lie deeper
    yield from sorted(path.parent for path in (*root.glob(f"*/{sign}"), *folds))


def _read_run(folder: Path) -> RunSummary:
    begun = (folder / "config.json").exists()  # a run that is being prepared has no model yet
    config, broken = _read_config(folder) if begun else ({}, "")
    try:
        rows = read_rows(folder / JOURNAL)
    except (OSError, csv.Error) as error:
        rows, broken = [], broken or f"journal.csv cannot be read: {error}"
    record = ModelRecord.from_dict(config["description"]) if config and not broken else ModelRecord()
    training, calibrated = record.training, record.training.calibrated_accuracy
    best = kept_row(rows, training.step)
    seconds = number(rows[-1], "seconds") if rows else None
    fold, folds = record.data.fold or (None, None)
    return RunSummary(
        folder,
        recipe=record.recipe_name,
        data=Path(record.data.source).name,
        steps=int(rows[-1]["step"]) if rows else None,
        bits_per_dim=number(best, "validation_bits_per_dim"),
        accuracy=number(best, "validation_accuracy") if calibrated is None else calibrated,
        calibrated=calibrated is not None,
        minutes=None if seconds is None else seconds / 60,
        network=_text(config, "model.network.name"),
        strategy=_text(config, "model.fusion.strategy"),
        seed=training.seed if training.steps else None,
        fold=fold,
        folds=folds,
        broken=broken,
    )


def _text(config: dict[str, Any], path: str) -> str:
    value = _at(config, path)
    return value if isinstance(value, str) else ""
