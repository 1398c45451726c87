"""A study's results as files: study.csv, curves.csv, study.md, and pictures, all drawn from the two CSVs."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t

from ..errors import UserError
from ..files import whole
from ..pictures.study import curves_picture, scan_picture, variants_picture
from .definition import Study

FIGURES = ("bits_per_dim", "accuracy", "balanced_accuracy", "macro_f1", "gap_bits_per_dim")
COLUMNS = ("trial", "variant", "seed", *FIGURES, "images", "steps", "minutes", "parameters")
CURVES = ("variant", "seed", "epoch", "train_bits_per_dim", "validation_bits_per_dim", "validation_accuracy")
SHOWN = ("bits_per_dim", "accuracy", "gap_bits_per_dim")
HEADS = (
    "variant", "seeds", "bits/dim", "accuracy", "gap", "minutes", "bits/dim beside the first",
    "accuracy beside the first",
)  # fmt: skip
"""Of the table of means."""
ABOUT = "study.json"
"""What the study is: its name, summary, source and data."""


@dataclass(frozen=True)
class Mean:
    """A figure over seeds; `deviation` is None for one seed."""

    mean: float
    deviation: float | None
    seeds: int


def write_results(
    study: Study, figures: dict[str, dict[str, Any]], curves: Iterable[dict[str, Any]], out: Path
) -> list[Path]:
    """study.csv and curves.csv of the trials that are done, and what is drawn from them."""
    axes = list(dict.fromkeys(key for trial in study.trials for key in trial.values))
    rows = [
        {
            "trial": trial.name,
            "variant": trial.variant,
            "seed": trial.seed,
            **trial.values,
            **figures[trial.name],
        }
        for trial in study.trials
        if trial.name in figures
    ]
    _write(out / "study.csv", (*COLUMNS[:3], *axes, *COLUMNS[3:]), rows)
    _write(out / "curves.csv", CURVES, curves)
    about = {name: getattr(study, name) for name in ("name", "summary", "source")}
    with whole(out / ABOUT) as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return [out / "study.csv", *redraw(out)]


def about(folder: Path) -> dict[str, str]:
    """The study's name, summary and source, as far as its folder tells."""
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {name: text for name, text in found.items() if isinstance(text, str)}
        if isinstance(found, dict)
        else {}
    )


def _write(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)


def read_table(path: str | Path, needed: Sequence[str] = COLUMNS[:3]) -> list[dict[str, str]]:
    """The rows of a study.csv. Raises UserError for a file that is none."""
    place = Path(path)
    try:
        with place.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{place} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if missing := [name for name in needed if name not in columns]:
        raise UserError(f"{place} is no table of a study: the column '{missing[0]}' is missing")
    return rows


def redraw(folder: str | Path, title: str = "") -> list[Path]:
    """study.md and the pictures from study.csv and curves.csv; returns what was written."""
    out = Path(folder)
    rows = read_table(out / "study.csv")
    told = about(out)
    title = title or told.get("summary") or told.get("name") or ""
    text = markdown(rows, title)
    with whole(out / "study.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    written = [out / "study.md"]
    if not rows:
        return written
    variants_picture(summary(rows), out / "study.png", title)
    written.append(out / "study.png")
    for axis in numeric_axes(rows):
        path = out / f"scan-{axis.rpartition('.')[2]}.png"
        scan_picture(along(rows, axis), axis, path)
        written.append(path)
    if (out / "curves.csv").is_file():
        curves = read_table(out / "curves.csv", CURVES)
        if curves:
            curves_picture(curves, out / "curves.png")
            written.append(out / "curves.png")
    return written


def number(row: dict[str, str], column: str) -> float | None:
    """A cell as a number; None where it is empty."""
    text = row.get(column) or ""
    try:
        return float(text) if text else None
    except ValueError:
        raise UserError(f"study.csv: {column} of {row.get('trial')} is no number: {text!r}") from None


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and sample standard deviation."""
    return Mean(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def summary(rows: Sequence[dict[str, str]]) -> dict[str, dict[str, Mean]]:
    """Each variant's figures over its seeds, in the order of the table."""
    found: dict[str, dict[str, Mean]] = {}
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant]
        figures = {
            name: [v for row in own if (v := number(row, name)) is not None] for name in (*FIGURES, "minutes")
        }
        found[variant] = {name: mean_of(values) for name, values in figures.items() if values}
    return found


def numeric_axes(rows: Sequence[dict[str, str]]) -> list[str]:
    """Columns of the grid whose values are two numbers or more."""
    found = []
    for column in rows[0]:
        if column in COLUMNS:
            continue
        try:
            if len({float(row[column]) for row in rows if row[column] != ""}) > 1:
                found.append(column)
        except ValueError:
            continue
    return found


def along(rows: Sequence[dict[str, str]], axis: str) -> dict[str, list[tuple[float, Mean]]]:
    """Along one axis of the grid, a line for each setting of everything else: (place, bits/dim)."""
    others = [c for c in rows[0] if c not in COLUMNS and c != axis]
    lines: dict[str, dict[float, list[float]]] = {}
    short = axis.rpartition(".")[2]
    for row in rows:
        bits = number(row, "bits_per_dim")
        if bits is None or row[axis] == "":
            continue
        base = ", ".join(part for part in row["variant"].split(", ") if not part.startswith(f"{short}="))
        key = base if others or base else "all"
        lines.setdefault(key, {}).setdefault(float(row[axis]), []).append(bits)
    return {
        key: [(place, mean_of(values)) for place, values in sorted(line.items())]
        for key, line in lines.items()
    }


def verdict(first: Mean, other: Mean, images: int | None = None) -> str:
    """Whether a difference is more than chance: Welch's interval over seeds, and for shares the binomial error of the
    images on top.

    >>> verdict(Mean(0.70, 0.01, 3), Mean(0.72, 0.01, 3), 519), verdict(Mean(0.5, 0.01, 3), Mean(0.72, 0.01, 3), 519)
    ('chance', 'more than chance')
    """
    if first.deviation is None or other.deviation is None:
        return "one seed"
    a, b = first.deviation**2 / first.seeds, other.deviation**2 / other.seeds
    freedom = (a + b) ** 2 / (a**2 / (first.seeds - 1) + b**2 / (other.seeds - 1)) if a + b else 1.0
    of_seeds = float(t.ppf(0.975, freedom)) ** 2 * (a + b)
    of_images = 0.0
    if images:
        of_images = 1.96**2 * sum(mean * (1 - mean) / images for mean in (first.mean, other.mean))
    return "more than chance" if abs(first.mean - other.mean) > sqrt(of_seeds + of_images) else "chance"


def markdown(rows: Sequence[dict[str, str]], title: str = "") -> str:
    """The table as Markdown: mean and spread over seeds, and what differs from the first by more than chance."""
    lines = [f"# {title}", ""] if title else []
    if not rows:
        return "\n".join([*lines, "No trial is done yet.", ""])
    heads = HEADS
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in cells_of(rows)]
    lines += ["", note_on(rows), ""]
    return "\n".join(lines)


def cells_of(rows: Sequence[dict[str, str]]) -> list[list[str]]:
    """A row for each variant, under `HEADS`."""
    found = summary(rows)
    images = fewest_images(rows)
    first = next(iter(found.values()))
    table = []
    for place, (variant, figures) in enumerate(found.items()):
        beside = [
            "" if place == 0 or name not in figures or name not in first
            else verdict(first[name], figures[name], images if name == "accuracy" else None)
            for name in ("bits_per_dim", "accuracy")
        ]  # fmt: skip
        minutes = figures.get("minutes")
        seeds = max((mean.seeds for mean in figures.values()), default=0)
        table.append(
            [
                variant.replace("|", "/"),
                str(seeds),
                *(_cell(figures.get(name), name) for name in SHOWN),
                f"{minutes.mean:.1f}" if minutes else "",
                *beside,
            ]
        )
    return table


def fewest_images(rows: Sequence[dict[str, str]]) -> int | None:
    """How many images judged each trial, the fewest; None where no row says."""
    return min((int(count) for row in rows if (count := number(row, "images"))), default=None)


def note_on(rows: Sequence[dict[str, str]]) -> str:
    """How to read the table."""
    return (
        "Mean ± standard deviation over seeds. 'Chance': a difference that the spread over seeds (Welch) and, for "
        f"accuracies, the {fewest_images(rows) or 0:,} images (binomial) could make with 95 %. The gap is "
        "validation minus training bits/dim."
    )


def _cell(mean: Mean | None, name: str) -> str:
    if mean is None:
        return ""
    scale, form = (100.0, ".1f") if name == "accuracy" else (1.0, ".4f")
    unit = " %" if name == "accuracy" else ""
    spread = f" ± {mean.deviation * scale:{form}}" if mean.deviation is not None else ""
    return f"{mean.mean * scale:{form}}{spread}{unit}"
