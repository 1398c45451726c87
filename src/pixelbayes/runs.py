"""What runs and models lie in a folder, read from their own files without loading a weight."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UserError


@dataclass(frozen=True)
class Run:
    """A training run: its folder, and where its journal stands; None where nothing is known yet."""

    folder: Path
    recipe: str = ""
    data: str = ""
    steps: int | None = None
    bits_per_dim: float | None = None
    accuracy: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Model:
    """A model's folder, and its configuration as plain data."""

    folder: Path
    config: dict[str, Any]


def find_runs(place: str | Path) -> list[Run]:
    """The runs in a folder, or the folder itself where it is one; raises UserError when there is no such folder."""
    return [_read_run(folder) for folder in _folders(place, "journal.csv")]


def find_models(place: str | Path) -> list[Model]:
    """The models in a folder, or the folder itself where it is one."""
    return [Model(folder, read_config(folder)) for folder in _folders(place, "model.safetensors")]


def read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json; empty where there is none yet. Raises UserError when it is no JSON."""
    path = folder / "config.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def _folders(place: str | Path, sign: str) -> Iterator[Path]:
    root = Path(place)
    if not root.is_dir():
        raise UserError(f"there is no folder {root}")
    if (root / sign).is_file():
        yield root
        return
    yield from sorted(path.parent for path in root.glob(f"*/{sign}"))


def _read_run(folder: Path) -> Run:
    description = read_config(folder).get("description", {})
    with (folder / "journal.csv").open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]
    bits = [(value, row) for row in rows if (value := _number(row, "validation_bits_per_dim")) is not None]
    best = min(bits, key=lambda pair: pair[0]) if bits else (None, {})
    seconds = _number(rows[-1], "seconds") if rows else None
    return Run(
        folder,
        recipe=description.get("recipe", {}).get("name", ""),
        data=Path(description.get("data", {}).get("source", "")).name,
        steps=int(rows[-1]["step"]) if rows else None,
        bits_per_dim=best[0],
        accuracy=_number(best[1], "validation_accuracy"),
        minutes=None if seconds is None else seconds / 60,
    )


def _number(row: dict[str, str], name: str) -> float | None:
    try:
        return float(row.get(name) or "")
    except ValueError:
        return None
