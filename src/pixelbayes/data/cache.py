"""Decoded images on disk, so that the second start is instant and ranks can share one memory map."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ..labels import Labels
from ..levels import ImageShape
from ..plain import from_plain, to_plain
from ..progress import warn
from ..records import DataRecord
from . import image_set
from .image_set import Allocate, Dataset, ImageSet

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

VERSION = 3
"""Raised when decoding changes, so that older copies are not used."""


def cache_folder() -> Path:
    """$PIXELBAYES_CACHE, or ~/.cache/pixelbayes."""
    named = os.environ.get("PIXELBAYES_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "pixelbayes"


class Entry:
    """The place of one data set, prepared in one way, with its files in one state."""

    def __init__(self, question: dict[str, Any], files: Sequence[Path]) -> None:
        self._kind = _digest({"version": VERSION, **question})
        self.folder = cache_folder() / "images" / f"{self._kind}-{_digest(_states(files))}"
        self._scratch: Path | None = None

    def dataset(self, make: Callable[[Allocate], Dataset]) -> Dataset:
        """The stored data set; else what `make` makes with the room that it is given, stored where it can be trained
        on."""
        if (stored := self._load()) is not None:
            return stored
        with self._alone():
            if (stored := self._load()) is not None:  # another process may have decoded it meanwhile
                return stored
            try:
                made = make(self._allocate)
                if "train" in made.splits:
                    self._store(made)
            finally:
                if self._scratch is not None:  # what has not found its place
                    shutil.rmtree(self._scratch, ignore_errors=True)
        return made

    def _load(self) -> Dataset | None:
        """None where there is none or it is broken."""
        try:
            return _read(self.folder)
        except Exception:  # whatever a damaged file makes its reader raise: it is built anew
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for another process (a rank, say) that is decoding the same images; where files can be locked."""
        try:
            locks = cache_folder() / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            lock = (locks / self._kind).open("w")
        except OSError:  # then there is no cache either
            yield
            return
        with lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _allocate(self, split: str, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        """Room for the levels of one split: in memory, or for a large set in the file that will be the cache."""
        needed = int(np.prod(shape)) * kind.itemsize
        if needed > image_set.IN_MEMORY:
            try:
                target = self._scratch_folder(needed) / f"{split}.npy"
                return np.lib.format.open_memmap(target, mode="w+", dtype=kind, shape=shape)
            except OSError as error:
                _not_cached(error)
        return np.empty(shape, kind)

    def _store(self, dataset: Dataset) -> None:
        """Write the data set, whole or not at all; where that fails, a warning is enough."""
        needed = sum(images.levels.nbytes for images in dataset.splits.values())
        try:
            scratch = self._scratch_folder(needed if self._scratch is None else 0)
            _write(dataset, scratch)
            self._replace(scratch)
        except OSError as error:
            _not_cached(error)

    def _scratch_folder(self, needed: int) -> Path:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder.parent).free < needed * 1.1 + (1 << 20):
            raise OSError(28, "no space left on the device")
        if self._scratch is None:
            for scratch in self.folder.parent.glob(".new-*"):  # what processes that were killed have left
                if time.time() - scratch.stat().st_mtime > 86_400:
                    shutil.rmtree(scratch, ignore_errors=True)
            self._scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder.parent))
        return self._scratch

    def _replace(self, scratch: Path) -> None:
        try:
            os.replace(scratch, self.folder)
        except OSError:  # there is an entry: a broken one, or another process has just written it
            if self._load() is not None:
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            os.replace(scratch, self.folder)
        for older in self.folder.parent.glob(f"{self._kind}-*"):
            if older != self.folder:
                shutil.rmtree(older, ignore_errors=True)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _states(files: Sequence[Path]) -> list[tuple[str, int, int, int, int]]:
    """Name, size, number and times of change of every file (one renamed over another keeps its time of writing); a
    vanished one counts as changed."""
    states = []
    for file in files:
        try:
            now = os.stat(file)
            states.append((str(file), now.st_size, now.st_ino, now.st_mtime_ns, now.st_ctime_ns))
        except OSError:
            states.append((str(file), -1, -1, -1, -1))
    return states


def _not_cached(error: OSError) -> None:
    warn(f"the decoded images are not kept for the next start: {error.strerror or error} ({cache_folder()})")


def _write(dataset: Dataset, folder: Path) -> None:
    for name, images in dataset.splits.items():
        _save_levels(folder / f"{name}.npy", images.levels.numpy())
        np.save(folder / f"{name}.labels.npy", images.labels.numpy())
    record = {
        "name": dataset.name,
        "classes": list(dataset.classes.names),
        "shape": to_plain(dataset.shape),
        "preparation": to_plain(dataset.preparation),
        "notices": dataset.notices,
        "paths": {name: images.paths for name, images in dataset.splits.items()},
    }
    (folder / "dataset.json").write_text(json.dumps(record))


def _save_levels(target: Path, levels: np.ndarray) -> None:
    if target.exists():  # a large set was decoded straight into it
        written = np.load(target, mmap_mode="r+", allow_pickle=False)
        if written.shape == levels.shape:
            written.flush()
            return
        target.unlink()
    np.save(target, levels)


def _read(folder: Path) -> Dataset:
    record = json.loads((folder / "dataset.json").read_text())
    classes = Labels(tuple(record["classes"]))
    shape = from_plain(ImageShape, record["shape"], "the cache")
    splits = {}
    for name, paths in record["paths"].items():
        path = folder / f"{name}.npy"
        # Copy on write where mapped: torch wants writable memory, and the file must stay as it is.
        mode: Literal["c"] | None = "c" if path.stat().st_size > image_set.IN_MEMORY else None
        levels = np.load(path, mmap_mode=mode, allow_pickle=False)
        labels = np.load(folder / f"{name}.labels.npy", allow_pickle=False)
        if len(paths) != len(levels) or len(paths) != len(labels) or shape.dims * len(paths) != levels.size:
            raise ValueError("the parts of the cached data set do not fit together")
        splits[name] = ImageSet(torch.from_numpy(levels), torch.from_numpy(labels), paths, classes, shape)
    preparation = from_plain(DataRecord, record["preparation"], "the cache")
    return Dataset(record["name"], splits, classes, shape, preparation, record["notices"])
