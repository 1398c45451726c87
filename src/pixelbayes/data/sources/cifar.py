"""CIFAR-10 and CIFAR-100: the authors' Python batches."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..raw import ArrayPictures
from .authors_files import checksum_notice, find, missing, roots
from .plain_pickle import read_plain

FINE_CLASSES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


@dataclass(frozen=True)
class Facts:
    folder: str
    files: dict[str, tuple[str, ...]]
    key: str
    classes: tuple[str, ...]
    md5: dict[str, str]


SETS = {
    "cifar10": Facts(
        "cifar-10-batches-py",
        {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)},
        "labels",
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
    ),
    "cifar100": Facts(
        "cifar-100-python",
        {"train": ("train",), "test": ("test",)},
        "fine_labels",
        tuple(FINE_CLASSES.split()),
        {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    ),
}


class Cifar:
    """A. Krizhevsky, Learning multiple layers of features from tiny images, 2009."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.name = name
        self.facts = SETS[name]
        self.folders = [
            folder / below for folder in roots(name, config.root) for below in ("", self.facts.folder)
        ]

    @cached_property
    def paths(self) -> dict[str, list[Path]]:
        """The batches of each split. Raises UserError where train or test is incomplete."""
        found: dict[str, list[Path]] = {}
        for split, names in self.facts.files.items():
            there = {name: find((name,), self.folders) for name in names}
            absent = [name for name, path in there.items() if path is None]
            if absent and len(absent) < len(names):
                raise missing(self.name, ", ".join(absent), self.folders)
            if not absent:
                found[split] = [path for path in there.values() if path is not None]
        if not found:
            first = ", ".join(name for names in self.facts.files.values() for name in names)
            raise missing(self.name, f"the Python batches ({first})", self.folders)
        return found

    def files(self) -> list[Path]:
        return [path for paths in self.paths.values() for path in paths]

    def validates(self) -> bool:
        return False

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        splits, notices = {}, []
        for split, paths in self.paths.items():
            pixels, targets = [], []
            for path in paths:
                batch = read_plain(path)
                notices += checksum_notice(path, self.facts.md5)
                images, labels = self._batch(batch, path)
                pixels.append(images)
                targets += labels
            names = [f"{self.name}/{split}/{row:05d}" for row in range(len(targets))]
            words = [self.facts.classes[target] for target in targets]
            splits[split] = Part(ArrayPictures(np.concatenate(pixels)), words, names)
        return Collection(self.name, splits, self.facts.classes, notices, indices_allowed=False)

    def _batch(self, batch: dict[str, Any], path: Path) -> tuple[np.ndarray, list[int]]:
        data, labels = batch.get("data"), batch.get(self.facts.key)
        if not isinstance(data, np.ndarray) or not isinstance(labels, list):
            has = ", ".join(sorted(batch)) or "nothing"
            raise UserError(f"{path} is of another set: it has {has}, not 'data' and '{self.facts.key}'")
        if data.dtype != np.uint8 or data.shape != (len(labels), 3072):
            raise UserError(f"{path}: data of shape {data.shape}, {data.dtype}, for {len(labels):,} labels")
        count = len(self.facts.classes)
        if not all(isinstance(label, int) and 0 <= label < count for label in labels):
            raise UserError(f"{path}: labels outside 0..{count - 1}: it is of another set than {self.name}")
        return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels
