"""Image files on disk as pictures, and how a folder is searched for them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .decoding import SUFFIXES, read_facts, read_picture
from .raw import Facts, Picture, gather_facts

RUN_FILES = ("model.safetensors", "journal.csv", "metrics.json", ".pixelbayes-images")


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


def is_image(path: Path) -> bool:
    """Whether the file's name says that it is an image."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def images_below(folder: Path) -> list[Path]:
    """Every image in the folder and below, sorted by name; hidden files and folders are left alone, and so are the
    pictures of a training run and of other commands. Raises OSError for a folder that cannot be read."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        place = os.stat(parent)
        run = Path(parent) != folder and any(name in files for name in RUN_FILES)
        if run or (place.st_dev, place.st_ino) in seen:  # a link may lead back to where it is
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders[:] = sorted(name for name in folders if not hidden(name))
        found += [path for path in map(Path(parent).joinpath, sorted(files)) if is_image(path)]
    return found


def _raise(error: OSError) -> None:
    raise error


def hidden(name: str) -> bool:
    return name.startswith((".", "__"))
