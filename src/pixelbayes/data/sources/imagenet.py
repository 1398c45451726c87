"""Down-sampled ImageNet: npz batches; labels start at 1."""

from functools import cached_property
from pathlib import Path

import numpy as np

from ...errors import UserError
from ..collection import Collection, Part
from ..config import DataConfig
from ..raw import Facts, Picture, Pictures
from ..words import in_order
from .npz import read_array
from .standard import StandardSet

MOST_BYTES = 1 << 31
"""Of an array of a batch: those of ImageNet64 have 1.6 GB."""
BATCHES = {"train": "train_data_batch_*.npz", "validation": "val_data*.npz"}


class DownsampledImageNet(StandardSet):
    """P. Chrabaszcz, I. Loshchilov, F. Hutter, A downsampled variant of ImageNet, 2017."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.side = int(name.removeprefix("imagenet"))
        endings = ("_train_npz", "_val_npz", "_train", "_val")
        super().__init__(name, config, [f"Imagenet{self.side}{ending}" for ending in endings])

    @cached_property
    def paths(self) -> dict[str, list[Path]]:
        """The batches, in the order of their numbers."""
        batches = {split: self._matching(pattern) for split, pattern in BATCHES.items()}
        if not any(batches.values()):
            raise self.missing("train_data_batch_1.npz and so on, or val_data.npz")
        return {split: paths for split, paths in batches.items() if paths}

    def _matching(self, pattern: str) -> list[Path]:
        unique = {path.name: path for folder in reversed(self.folders) for path in folder.glob(pattern)}
        return sorted(unique.values(), key=lambda path: (len(path.name), path.name))

    def read(self) -> Collection:
        splits = {}
        for split, paths in self.paths.items():
            labels = {path: _labels(path) for path in paths}
            words = [str(label) for batch in labels.values() for label in batch]
            names = [f"{self.name}/{path.stem}/{row}" for path in paths for row in range(len(labels[path]))]
            pictures = BatchPictures(paths, [len(batch) for batch in labels.values()], self.side)
            splits[split] = Part(pictures, words, names)
        classes = in_order(word for part in splits.values() for word in part.words)
        return Collection(self.name, splits, classes, [], (self.side, self.side), indices_allowed=False)


class BatchPictures(Pictures):
    """Pictures in npz batches, of which one is in memory at a time."""

    sequential = True

    def __init__(self, paths: list[Path], counts: list[int], side: int) -> None:
        self.paths = paths
        self.side = side
        self._counts = counts
        self._ends = np.cumsum(counts)
        self._open: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def facts(self) -> list[Facts]:
        return [Facts(self.side, self.side, 3, 255)]

    def read(self, index: int) -> Picture:
        number = int(np.searchsorted(self._ends, index, side="right"))
        if self._open is None or self._open[0] != number:
            self._open = None  # two batches at once would double the memory
            self._open = (number, self._load(number))
        row = index - (int(self._ends[number - 1]) if number else 0)
        return Picture(self._open[1][row].reshape(3, self.side, self.side).transpose(1, 2, 0), 255)

    def _load(self, number: int) -> np.ndarray:
        path, shape = self.paths[number], (self._counts[number], 3 * self.side**2)
        data = read_array(path, "data", MOST_BYTES)
        if data.dtype != np.uint8 or data.shape != shape:
            raise UserError(
                f"{path} holds {data.dtype} data of shape {data.shape}, not uint8 {shape}: another set"
            )
        return data


def _labels(path: Path) -> np.ndarray:
    labels = read_array(path, "labels", MOST_BYTES // 256).reshape(-1)
    whole = np.issubdtype(labels.dtype, np.integer) and labels.size > 0
    if not whole or labels.min() < 1 or labels.max() > 1000:
        raise UserError(f"{path}: labels must be whole numbers from 1 to 1000; it is of another set")
    return labels
