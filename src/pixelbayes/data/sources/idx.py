"""MNIST and its relatives: idx files, plain or .gz."""

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..raw import ArrayPictures
from .authors_files import about_checksum, checksum, checksum_notice, find, missing, read_up_to, roots

DIGITS = tuple("0123456789")
SIDE = 28
MOST_IMAGES = 1_000_000
"""In a file: its header may say anything, and the memory is limited."""
OFFICIAL_COUNT = {"train": 60_000, "test": 10_000}
PREFIX = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class Facts:
    classes: tuple[str, ...]
    folders: tuple[str, ...]
    md5: dict[str, str]


SETS = {
    "mnist": Facts(
        DIGITS,
        ("MNIST/raw", "mnist"),
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": Facts(
        (
            "t-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        ("FashionMNIST/raw", "fashion-mnist", "fashion"),
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "kmnist": Facts(
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        ("KMNIST/raw", "kuzushiji-mnist"),
        {
            "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
            "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
            "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
            "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
        },
    ),
}


CONTENT = {
    "mnist": {
        "train-images": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels": "a25bea736e30d166cdddb491f175f624",
        "t10k-images": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion_mnist": {
        "train-images": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
"""md5 of what the files hold, unpacked: another packing of the same bytes is as good, and another set is found out."""


class Idx:
    """MNIST (LeCun et al.), Fashion-MNIST (Xiao et al. 2017), KMNIST (Clanuwat et al. 2018)."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.name = name
        self.facts = SETS[name]
        self.folders = [
            folder / below for folder in roots(name, config.root) for below in ("", *self.facts.folders)
        ]

    @cached_property
    def pairs(self) -> dict[str, tuple[Path, Path]]:
        """(images, labels) of each split that is there. Raises UserError where there is none."""
        found = {}
        for split, prefix in PREFIX.items():
            images, labels = self._file(f"{prefix}", "images-idx3"), self._file(prefix, "labels-idx1")
            if (images is None) != (labels is None):
                which = f"{prefix}-{'images-idx3' if images is None else 'labels-idx1'}-ubyte"
                raise missing(self.name, f"{which}(.gz)", self.folders)
            if images is not None and labels is not None:
                found[split] = (images, labels)
        if not found:
            raise missing(self.name, "train-images-idx3-ubyte(.gz) and the other idx files", self.folders)
        return found

    def _file(self, prefix: str, kind: str) -> Path | None:
        """By the authors' name, else a part of the set under a name such as t10k-first3000-images-idx3-ubyte.gz."""
        names = tuple(
            f"{prefix}-{stem}-ubyte{end}" for stem in (kind, kind.replace("-", ".")) for end in ("", ".gz")
        )
        exact = find(names, self.folders)
        parts = (path for folder in self.folders for path in sorted(folder.glob(f"{prefix}-*-{kind}-ubyte*")))
        return exact or next(parts, None)

    def files(self) -> list[Path]:
        return [path for pair in self.pairs.values() for path in pair]

    def validates(self) -> bool:
        return False

    def _notice(self, file: Path, found: "Unpacked") -> list[str]:
        """What is said of a file that is not the authors'; by what it holds where that is known."""
        known = CONTENT.get(self.name)
        if known is None:
            return checksum_notice(file, self.facts.md5)
        official = next((md5 for stem, md5 in known.items() if file.name.startswith(stem)), None)
        return about_checksum(file, found.md5, official)

    def _refuse_another_set(self, file: Path, found: "Unpacked") -> None:
        """By checksums: of what a file holds, or of the packed file."""
        own = {found.md5, checksum(file)}
        for name, facts in SETS.items():
            if name != self.name and own & {*facts.md5.values(), *CONTENT.get(name, {}).values()}:
                raise UserError(f"{file} is of {name}, not of {self.name}")

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        splits, notices = {}, []
        for split, (images, labels) in self.pairs.items():
            found = {images: read_images(images), labels: read_labels(labels)}
            pixels, targets = found[images].values, found[labels].values
            if len(pixels) != len(targets):
                raise UserError(
                    f"{images.name} has {len(pixels):,} images, but {labels.name} {len(targets):,} labels"
                )
            if targets.size and targets.max() >= len(self.facts.classes):
                raise UserError(f"{labels} has label {targets.max()}; {self.name} has 10 classes")
            for file, unpacked in found.items():
                self._refuse_another_set(file, unpacked)
            if len(pixels) != OFFICIAL_COUNT[split]:
                notices.append(
                    f"{images.name} holds {len(pixels):,} of {self.name}'s {OFFICIAL_COUNT[split]:,} images"
                )
            else:
                notices += [line for item in found.items() for line in self._notice(*item)]
            names = [f"{self.name}/{split}/{row:05d}" for row in range(len(pixels))]
            words = [self.facts.classes[target] for target in targets]
            splits[split] = Part(ArrayPictures(pixels[..., None]), words, names)
        return Collection(self.name, splits, self.facts.classes, notices, indices_allowed=False)


@dataclass(frozen=True)
class Unpacked:
    """What an idx file holds, and the md5 of all of it."""

    values: np.ndarray
    md5: str


def read_images(path: Path) -> Unpacked:
    """`[N, 28, 28]` uint8 from an idx3 file. Raises UserError naming a truncated or foreign one."""
    count, height, width = _sizes(path, magic=2051, fields=3)
    if (height, width) != (SIDE, SIDE):
        raise UserError(f"{path} holds images of {height}x{width}, not {SIDE}x{SIDE}: it is of another set")
    return _unpacked(path, (count, height, width))


def read_labels(path: Path) -> Unpacked:
    """`[N]` uint8 from an idx1 file. Raises UserError naming a truncated or foreign one."""
    return _unpacked(path, _sizes(path, magic=2049, fields=1))


def _sizes(path: Path, magic: int, fields: int) -> tuple[int, ...]:
    """What the header says. Raises UserError where it is none, or says more images than are read."""
    head = read_up_to(path, 4 + 4 * fields)
    if len(head) < 4 + 4 * fields:
        raise UserError(f"{path} is truncated: {len(head)} bytes")
    found, *sizes = struct.unpack(f">{1 + fields}I", head)
    if found != magic:
        raise UserError(
            f"{path} is no idx{fields} file of unsigned bytes (it starts with {found}, not {magic})"
        )
    if not sizes[0]:
        raise UserError(f"{path} holds no images")
    if sizes[0] > MOST_IMAGES:
        raise UserError(f"{path} says that it holds {sizes[0]:,} images; at most {MOST_IMAGES:,} are read")
    return tuple(sizes)


def _unpacked(path: Path, shape: tuple[int, ...]) -> Unpacked:
    """No more is unpacked than the header says, and a byte."""
    start, wanted = 4 + 4 * len(shape), prod(shape)
    content = read_up_to(path, start + wanted + 1)
    if len(content) != start + wanted:
        short = len(content) < start + wanted
        how = (
            f"truncated: {len(content) - start:,} bytes of data" if short else "too long: more bytes of data"
        )
        raise UserError(f"{path} is {how}{',' if short else ' than the'} {wanted:,} expected")
    values = np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
    return Unpacked(values, hashlib.md5(content, usedforsecurity=False).hexdigest())
