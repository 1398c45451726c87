"""Image files on disk as pictures, and how a folder is searched for them."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .decoding import read_facts, read_picture
from .formats import advice, is_image_name
from .raw import Facts, Picture, gather_facts

RUN_FILES = ("model.safetensors", "journal.csv", "metrics.json", ".pixelbayes-images")
NO_DATA = re.compile(
    r"@(eadir|tmp|recycle|recycle-bin|__thumb|recently-snapshot|snapshots?|sharebin|syno.*)|\.@__thumb|#(recycle|snapshots?)"
    r"|\$(recycle\.bin|recycle|av_.*|sysreset)|recycler|system volume information|lost\+found|__macosx|__pycache__"
    r"|\.(thumbnails|thumbs|trash.*|trashes|appledouble|spotlight-v100|fseventsd|picasaoriginals)",
    re.IGNORECASE,
)
"""Folders that drives, cameras' software and archives make for themselves: thumbnails, bins, what was deleted."""
LITTER = ("thumbs.db", "desktop.ini", ".ds_store", "ehthumbs.db", "classes.txt")


@dataclass
class FilePictures:
    """One picture for each file."""

    paths: Sequence[Path]
    sequential: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def facts(self) -> list[Facts]:
        rows = range(len(self))
        return gather_facts(self, rows, lambda index: read_facts(self.paths[index]), "looking at images")

    def read(self, index: int) -> Picture:
        return read_picture(self.paths[index])


@dataclass
class Found:
    """What lies in a folder and below: images, other files, folders without an image, folders that are no data."""

    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    no_data: Counter[str] = field(default_factory=Counter)

    def notices(self, folder: Path) -> list[str]:
        """What is not read, in one line, and what is no data, in another."""
        parts = about_others(self.others)
        if self.empty:
            names = [path.relative_to(folder).as_posix() for path in self.empty]
            more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
            parts.append(f"no picture that is read lies in the folders {', '.join(names[:10])}{more}")
        notices = [f"not read in {folder}: {'; '.join(parts)}"] if parts else []
        if self.no_data:
            kinds = ", ".join(f"{name} ({count:,})" for name, count in self.no_data.most_common(9))
            notices.append(f"folders that a drive or an archive made for itself are no data: {kinds}")
        return notices


def about_others(others: Iterable[Path]) -> list[str]:
    """Files that are not read, counted by the endings of their names; with what would read them."""
    counts = Counter(path.suffix.lower() for path in others)
    parts = []
    for suffix, count in counts.most_common(8):
        hint = f" ({advice(suffix)})" if advice(suffix) else ""
        parts.append(f"{count:,} {suffix or 'without an ending'}{hint}")
    return [", ".join(parts) + (", ..." if len(counts) > 8 else "")] if parts else []


def search(folder: Path) -> Found:
    """All that lies in the folder and below, sorted by name; hidden files and folders are left alone, and so are the
    pictures of a training run and of other commands. Raises OSError for a folder that cannot be read."""
    found, seen = Found(), set()
    inside: dict[Path, bool] = {}  # whether a folder holds an image, itself or below
    for name, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        parent, place = Path(name), os.stat(name)
        run = parent != folder and any(name in files for name in RUN_FILES)
        if run or (place.st_dev, place.st_ino) in seen:  # a link may lead back to where it is
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        found.no_data.update(name for name in folders if NO_DATA.fullmatch(name))
        folders[:] = sorted(name for name in folders if not hidden(name))
        images = [parent / name for name in sorted(files) if is_image_name(name)]
        found.images += images
        found.others += [
            parent / name
            for name in sorted(files)
            if not (is_image_name(name) or name.startswith(".") or name.lower() in LITTER)
        ]
        inside[parent] = False
        for each in (parent, *parent.parents) if images else ():
            if inside.get(each, True):
                break
            inside[each] = True
    found.empty = [path for path, full in inside.items() if not full and inside.get(path.parent)]
    return found


def images_below(folder: Path) -> list[Path]:
    """Every image in the folder and below. Raises OSError for a folder that cannot be read."""
    return search(folder).images


def data_folders(folder: Path, depth: int) -> list[Path]:
    """The folders below, so many levels deep, that may hold data, sorted by name."""
    below = [
        c for c in sorted(folder.iterdir()) if not hidden(c.name) and c.is_dir() and os.access(c, os.R_OK)
    ]
    return [each for c in below for each in (c, *(data_folders(c, depth - 1) if depth > 1 else ()))]


def _raise(error: OSError) -> None:
    raise error


def hidden(name: str) -> bool:
    """Whether a folder is no data by its name."""
    return name.startswith(".") or NO_DATA.fullmatch(name) is not None
