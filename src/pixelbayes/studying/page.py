"""A study's page: its table, its plots, and how to repeat it."""

from pathlib import Path
from shlex import quote

from ..errors import UserError
from ..reports import Command, Findings, Source
from .tables import HEADS, about, cells_of, fewest_images, note_on, number, read_table, redraw

PICTURES = {
    "study.png": "Each variant, mean and standard deviation over seeds.",
    "curves.png": "Validation (whole lines) and training (dotted) of each seed.",
}


def is_study(place: str | Path) -> bool:
    """Whether it is a study's folder or table."""
    path = Path(place)
    return path.suffix == ".csv" or (path / "study.csv").is_file()


def study_source(place: str | Path) -> Source:
    """Returns what a page shows of a study; its plots are drawn anew.

    Raises `UserError` for what is no study's table.
    """
    path = Path(place)
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.name != "study.csv":
        raise UserError(
            f"{path} is no table of a study: it is called study.csv, and lies in the study's folder"
        )
    rows = read_table(folder / "study.csv")
    told, written = about(folder), redraw(folder)
    notes = [note_on(rows)] if rows else ["No trial is done yet."]
    if rows and len({row["seed"] for row in rows}) < 2:
        notes.append("One seed shows no spread: of no difference it can be said that it is more than chance.")
    found = Findings(
        summary=_told(rows),
        heads=HEADS[:-2] if rows else (),
        rows=[_with_verdicts(cells) for cells in cells_of(rows)] if rows else (),
        notes=notes,
        pictures=[(_caption(each), each.read_bytes()) for each in written if each.suffix == ".png"],
    )
    return Source(
        title=told.get("name") or folder.resolve().name,
        lead=" ".join(part for part in (told.get("summary", ""), _from(told.get("source", ""))) if part),
        folder=folder,
        study=found,
        commands=_commands(folder, told.get("name", "")),
    )


def _told(rows: list[dict[str, str]]) -> str:
    """How many trials there are, and what they took."""
    variants, seeds = {row["variant"] for row in rows}, {row["seed"] for row in rows}
    text = f"{len(rows)} trials: {len(variants)} variants, {len(seeds)} seeds"
    if images := fewest_images(rows):
        text += f"; {images:,} held-out images judged each"
    minutes = sum(number(row, "minutes") or 0 for row in rows)
    return text + (f"; {minutes:.0f} minutes of training in all" if minutes else "") + "."


def _with_verdicts(cells: list[str]) -> list[str]:
    """Six cells for the eight of `HEADS`, each verdict under its figure, so that a phone and paper hold them."""
    variant, seeds, bits, accuracy, *others, beside_bits, beside_accuracy = cells
    return [variant, seeds, f"{bits}\n{beside_bits}", f"{accuracy}\n{beside_accuracy}", *others]


def _from(source: str) -> str:
    return f"({source})" if source else ""


def _caption(path: Path) -> str:
    return PICTURES.get(path.name) or f"Bits/dim against {path.stem.removeprefix('scan-')}."


def _commands(folder: Path, name: str) -> list[Command]:
    place = quote(str(folder))
    again = [Command(f"pixelbayes study {quote(name)} --data DATA", "run such a study again")] if name else []
    return [*again, Command(f"pixelbayes study {place} --show", "draw its tables and plots again")]
