"""What evaluations of a model left in their folders, for a page that is written later."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

METRICS = "metrics.json"
PICTURES = ("nearest.png", "against.png", "seen.png")
PNG = b"\x89PNG"


@dataclass(frozen=True)
class Stored:
    """Plain data of the files that `pixelbayes evaluate` writes; empty where nothing was measured."""

    generation: Mapping[str, Any] = field(default_factory=dict)
    """Of generation.json: the samples beside real images."""
    against: Mapping[str, Any] = field(default_factory=dict)
    """Of against.json: a CNN beside the model."""
    rivals: Sequence[Mapping[str, Any]] = ()
    """Of metrics.json: simple classifiers beside the model."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """By the names of `PICTURES`."""


def evaluations_of(folder: Path, weights: str) -> list[Path]:
    """Returns the folders of evaluations of these weights that lie in the model's folder, beside it or in ./runs, the
    newest first; `weights` is the fingerprint that metrics.json holds."""
    name = folder.resolve().name
    folders = {
        folder,
        *folder.resolve().parent.glob(f"{name}-evaluation*"),
        *Path("runs").glob(f"{name}-evaluation*"),
    }
    own = {each.resolve() for each in folders if read_table(each / METRICS).get("weights") == weights}
    return sorted(own, key=lambda each: (each / METRICS).stat().st_mtime, reverse=True)


def stored_in(folders: Iterable[Path]) -> Stored:
    """Returns what these folders hold; of each kind what the first of them has. What cannot be read is passed over."""
    tables: dict[str, Mapping[str, Any]] = {}
    rivals: Sequence[Mapping[str, Any]] = ()
    pictures: dict[str, bytes] = {}
    for folder in folders:
        for name in ("generation", "against"):
            if name not in tables and (table := read_table(folder / f"{name}.json")):
                tables[name] = table
        rivals = rivals or _rows(read_table(folder / METRICS).get("baselines"))
        for name in PICTURES:
            if name not in pictures and (picture := _picture(folder / name)):
                pictures[name] = picture
    return Stored(tables.get("generation", {}), tables.get("against", {}), rivals, pictures)


def read_table(path: Path) -> Mapping[str, Any]:
    """Returns the object of a JSON file; empty where there is none that can be read."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def _rows(value: Any) -> Sequence[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else ()


def _picture(path: Path) -> bytes:
    """A PNG file's bytes; empty where there is none."""
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    return data if data.startswith(PNG) else b""
