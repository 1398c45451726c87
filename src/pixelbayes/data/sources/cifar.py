"""CIFAR-10 and CIFAR-100: the authors' Python batches, of whose pickles nothing but plain values is built."""

import pickle
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ..collection import Collection
from ..config import DataConfig
from .standard import StandardSet, checksum_notice

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
    """The folder that the authors' archive unpacks to, the batches of each split, the key of their labels."""

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


class Cifar(StandardSet):
    """A. Krizhevsky, Learning multiple layers of features from tiny images, 2009."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.facts = SETS[name]
        super().__init__(name, config, (self.facts.folder,))

    @cached_property
    def paths(self) -> dict[str, list[Path]]:
        """The batches of each split."""
        batches: dict[str, list[Path]] = {}
        for split, names in self.facts.files.items():
            there = {name: path for name in names if (path := self.find(name)) is not None}
            absent = [name for name in names if name not in there]
            if there and absent:
                raise self.missing(", ".join(absent))
            if there:
                batches[split] = list(there.values())
        if not batches:
            every = ", ".join(name for names in self.facts.files.values() for name in names)
            raise self.missing(f"the Python batches ({every})")
        return batches

    def read(self) -> Collection:
        splits, notices = {}, []
        for split, paths in self.paths.items():
            pixels, labels = [], []
            for path in paths:
                images, targets = self._batch(read_plain(path), path)
                pixels.append(images)
                labels += targets
                notices += checksum_notice(path, self.facts.md5)
            splits[split] = self.part(split, np.concatenate(pixels), labels, self.facts.classes)
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


def _blank(kind: object, shape: object, code: object) -> np.ndarray:
    """An empty array, which the pickle then fills."""
    return np.ndarray.__new__(np.ndarray, (0,), dtype=np.uint8)


def _number_type(code: Any, *flags: object) -> np.dtype:
    kind = np.dtype(code.decode() if isinstance(code, bytes) else str(code))
    if kind.kind not in "buif" or kind.names is not None:
        raise pickle.UnpicklingError(f"it asks for an array of {kind}")
    return kind


def _latin(text: str, code: str) -> bytes:
    """How Python 3 writes bytes into pickles that Python 2 could read."""
    if code != "latin1":
        raise pickle.UnpicklingError(f"it asks for text in {code}")
    return text.encode(code)


ALLOWED = {
    ("_codecs", "encode"): _latin,
    ("numpy.core.multiarray", "_reconstruct"): _blank,
    ("numpy._core.multiarray", "_reconstruct"): _blank,
    ("numpy", "ndarray"): "ndarray",  # only named by the pickle, never called
    ("numpy", "dtype"): _number_type,
}


class PlainUnpickler(pickle.Unpickler):
    """Whatever a pickle asks for beyond the table is refused, before anything of it exists."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {ascii(f'{module}.{name}')[1:-1]}")
        return ALLOWED[module, name]


def read_plain(path: Path) -> dict[str, Any]:
    """A pickled dictionary with its keys as text. Raises UserError naming a file that is anything else."""
    try:
        with path.open("rb") as file:
            content = PlainUnpickler(file, encoding="bytes").load()
    except EOFError as error:
        raise UserError(f"{path} is truncated") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle can make any of its operations fail
        reason = str(error) if isinstance(error, pickle.UnpicklingError) else "damaged or truncated"
        raise UserError(f"{path} is refused: not a plain batch of images ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is refused: it holds a {type(content).__name__}, not a batch of images")
    texts = (key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in content)
    return dict(zip(texts, content.values(), strict=True))
