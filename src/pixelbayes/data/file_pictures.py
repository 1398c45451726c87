"""Image files on disk and in a zip as pictures, and how a folder is searched for them."""

import os
import re
import zipfile
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from ..errors import UserError, some_of
from ..progress import track
from .decoding import read_facts, read_picture
from .formats import advice, is_image_name
from .raw import MOST_BYTES, BadImageError, Facts, Picture, Pictures, threads

RUN_FILES = ("model.safetensors", "journal.csv", "metrics.json", ".pixelbayes-images")
NO_DATA = re.compile(
    r"@(eadir|tmp|recycle|recycle-bin|__thumb|recently-snapshot|snapshots?|sharebin|syno.*)|\.@__thumb|#(recycle|snapshots?)"
    r"|\$(recycle\.bin|recycle|av_.*|sysreset)|recycler|system volume information|lost\+found|__macosx|__pycache__"
    r"|\.(thumbnails|thumbs|trash.*|trashes|appledouble|spotlight-v100|fseventsd|picasaoriginals)",
    re.IGNORECASE,
)
"""Folders that drives, cameras' software and archives make for themselves: thumbnails, bins, what was deleted."""
LITTER = ("thumbs.db", "desktop.ini", ".ds_store", "ehthumbs.db", "classes.txt")
SAMPLE = 256
"""Headers that are read of the images in a zip: they stand for all."""


class EncodedPictures(Pictures):
    """Pictures as image files hold them."""

    def facts(self) -> list[Facts]:
        rows = self._looked_at()
        with threads() as pool:
            headers = pool.map(self._header, rows, chunksize=64)
            return [each for each in track(headers, "looking at images", total=len(rows)) if each is not None]

    def read(self, index: int) -> Picture:
        return read_picture(self._file(index))

    def _header(self, index: int) -> Facts | None:
        try:
            return read_facts(self._file(index))
        except BadImageError:
            return None

    def _looked_at(self) -> range:
        """The rows whose headers are read."""
        return range(len(self))

    @abstractmethod
    def _file(self, index: int) -> Path | bytes:
        """A file, or what it holds. Raises BadImageError."""


@dataclass
class FilePictures(EncodedPictures):
    """One picture for each file."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def _file(self, index: int) -> Path:
        return self.paths[index]


@dataclass
class ZipPictures(EncodedPictures):
    """One picture for each name in a zip, read without unpacking it; the headers of a sample stand for all."""

    archive: Path
    names: list[str]

    @cached_property
    def _opened(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.archive)

    def __len__(self) -> int:
        return len(self.names)

    def _looked_at(self) -> range:
        return range(0, len(self), max(1, len(self) // SAMPLE))

    def _file(self, index: int) -> bytes:
        try:
            size = self._opened.getinfo(self.names[index]).file_size  # no more than this is unpacked
            if size <= MOST_BYTES:
                return self._opened.read(self.names[index])
        except Exception as error:  # also for a password, and for a way of packing that is not known
            raise BadImageError("damaged within the zip, or packed in a way that is not read") from error
        raise BadImageError(f"{size:,} bytes within the zip; at most {MOST_BYTES:,} are read")


def images_in_zip(archive: Path) -> list[str]:
    """The names of the images in a zip, sorted. Raises UserError naming a damaged one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{archive} is no zip file, or truncated ({error})") from error
    return sorted(
        name for name in names if is_image_name(name) and not any(map(hidden, PurePosixPath(name).parts))
    )


@dataclass
class FolderContent:
    """What lies in a folder and below: images, other files, folders without an image, folders that are no data."""

    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    no_data: Counter[str] = field(default_factory=Counter)

    def notices(self, folder: Path) -> list[str]:
        """What is not read, in one line, and what is no data, in another."""
        parts = about_others(self.others)
        if self.empty:
            names = some_of([path.relative_to(folder).as_posix() for path in self.empty], 10)
            parts.append(f"no picture that is read lies in the folders {names}")
        notices = [f"not read in {folder}: {'; '.join(parts)}"] if parts else []
        if self.no_data:
            kinds = ", ".join(f"{name} ({count:,})" for name, count in self.no_data.most_common(9))
            notices.append(f"folders that a drive or an archive made for itself are no data: {kinds}")
        return notices


def about_others(others: Iterable[Path]) -> list[str]:
    """Files that are not read, counted by the endings of their names; with what would read them."""
    counts = Counter(path.suffix.lower() for path in others)
    kinds = []
    for suffix, count in counts.most_common(8):
        hint = f" ({advice(suffix)})" if advice(suffix) else ""
        kinds.append(f"{count:,} {suffix or 'without an ending'}{hint}")
    return [", ".join(kinds) + (", ..." if len(counts) > 8 else "")] if kinds else []


def search(folder: Path) -> FolderContent:
    """All that lies in the folder and below, sorted by name; hidden files and folders are left alone, and so are the
    pictures of a training run and of other commands. Raises OSError for a folder that cannot be read."""
    content, seen = FolderContent(), set()
    inside: dict[Path, bool] = {}  # whether a folder holds an image, itself or below
    for name, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        parent, state = Path(name), os.stat(name)
        run = parent != folder and any(name in files for name in RUN_FILES)
        if run or (state.st_dev, state.st_ino) in seen:  # a link may lead back to where it is
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        content.no_data.update(name for name in folders if NO_DATA.fullmatch(name))
        folders[:] = sorted(name for name in folders if not hidden(name))
        images = [parent / name for name in sorted(files) if is_image_name(name)]
        content.images += images
        content.others += [
            parent / name
            for name in sorted(files)
            if not (is_image_name(name) or name.startswith(".") or name.lower() in LITTER)
        ]
        inside[parent] = False
        for each in (parent, *parent.parents) if images else ():
            if inside.get(each, True):
                break
            inside[each] = True
    content.empty = [path for path, full in inside.items() if not full and inside.get(path.parent)]
    return content


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
