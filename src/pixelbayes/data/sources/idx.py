"""MNIST and its relatives: idx files, plain or .gz."""

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from ...errors import UserError
from ..collection import Collection
from ..config import DataConfig
from .standard import StandardSet, about_checksum, checksum, checksum_notice, read_up_to

DIGITS = tuple("0123456789")
CLOTHES = (
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
)
SIDE = 28
MOST_IMAGES = 1_000_000
"""In a file: its header may say anything, and the memory is limited."""
OFFICIAL_COUNT = {"train": 60_000, "test": 10_000}
PREFIX = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class Facts:
    """The classes of a set, the folders in which others unpack it, and the md5 of the authors' files."""

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
        CLOTHES,
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


class Idx(StandardSet):
    """MNIST (LeCun et al.), Fashion-MNIST (Xiao et al. 2017), KMNIST (Clanuwat et al. 2018)."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.facts = SETS[name]
        super().__init__(name, config, self.facts.folders)

    @cached_property
    def paths(self) -> dict[str, tuple[Path, Path]]:
        """(images, labels) of each split that is there."""
        pairs = {}
        for split, prefix in PREFIX.items():
            images, labels = self._file(prefix, "images-idx3"), self._file(prefix, "labels-idx1")
            if images is not None and labels is not None:
                pairs[split] = (images, labels)
            elif images is not None or labels is not None:
                kind = "images-idx3" if images is None else "labels-idx1"
                raise self.missing(f"{prefix}-{kind}-ubyte(.gz)")
        if not pairs:
            raise self.missing("train-images-idx3-ubyte(.gz) and the other idx files")
        return pairs

    def _file(self, prefix: str, kind: str) -> Path | None:
        """By the authors' name, else a part of the set under a name such as t10k-first3000-images-idx3-ubyte.gz."""
        stems = (kind, kind.replace("-", "."))
        exact = self.find(*(f"{prefix}-{stem}-ubyte{end}" for stem in stems for end in ("", ".gz")))
        parts = (path for folder in self.folders for path in sorted(folder.glob(f"{prefix}-*-{kind}-ubyte*")))
        return exact or next(parts, None)

    def read(self) -> Collection:
        classes, splits, notices = self.facts.classes, {}, []
        for split, (images, labels) in self.paths.items():
            pixels, targets = read_idx(images, 2051, (SIDE, SIDE)), read_idx(labels, 2049)
            if len(pixels.values) != len(targets.values):
                raise UserError(
                    f"{images.name} has {len(pixels.values):,} images, but {labels.name} {len(targets.values):,} labels"
                )
            if targets.values.max() >= len(classes):
                raise UserError(f"{labels} has label {targets.values.max()}; {self.name} has 10 classes")
            files = {images: pixels.md5, labels: targets.md5}
            for path, md5 in files.items():
                self._refuse_another_set(path, md5)
            if len(pixels.values) != OFFICIAL_COUNT[split]:
                count = f"{len(pixels.values):,} of {self.name}'s {OFFICIAL_COUNT[split]:,} images"
                notices.append(f"{images.name} holds {count}")
            else:
                notices += [line for path, md5 in files.items() for line in self._about(path, md5)]
            splits[split] = self.part(split, pixels.values[..., None], targets.values.tolist(), classes)
        return Collection(self.name, splits, classes, notices, indices_allowed=False)

    def _about(self, path: Path, md5: str) -> list[str]:
        """What is said of a file that is not the authors'; by what it holds where that is known."""
        known = CONTENT.get(self.name)
        if known is None:
            return checksum_notice(path, self.facts.md5)
        official = next((known[stem] for stem in known if path.name.startswith(stem)), None)
        return about_checksum(path, md5, official)

    def _refuse_another_set(self, path: Path, md5: str) -> None:
        """By checksums: of what a file holds, or of the packed file."""
        own = {md5, checksum(path)}
        for name, facts in SETS.items():
            if name != self.name and own & {*facts.md5.values(), *CONTENT.get(name, {}).values()}:
                raise UserError(f"{path} is of {name}, not of {self.name}")


@dataclass(frozen=True)
class Unpacked:
    """What an idx file holds, and the md5 of all of it."""

    values: np.ndarray
    md5: str


def read_idx(path: Path, magic: int, item: tuple[int, ...] = ()) -> Unpacked:
    """`[N, *item]` unsigned bytes; no more is unpacked than the header says, and a byte.

    Raises UserError for a file that is truncated or too long, of another kind than `magic` says, or of another set.
    """
    start = 8 + 4 * len(item)
    header = read_up_to(path, start)
    if len(header) < start:
        raise UserError(f"{path} is truncated: {len(header)} bytes")
    number, count, *size = struct.unpack(f">{start // 4}I", header)
    if number != magic:
        kind = f"idx{1 + len(item)} file of unsigned bytes"
        raise UserError(f"{path} is no {kind} (it starts with {number}, not {magic})")
    if not count:
        raise UserError(f"{path} holds no images")
    if count > MOST_IMAGES:
        raise UserError(f"{path} says that it holds {count:,} images; at most {MOST_IMAGES:,} are read")
    if tuple(size) != item:
        raise UserError(
            f"{path} holds images of {size[0]}x{size[1]}, not {SIDE}x{SIDE}: it is of another set"
        )
    expected = count * prod(item)
    content = read_up_to(path, start + expected + 1)
    if len(content) < start + expected:
        missing = f"{len(content) - start:,} bytes of data, {expected:,} expected"
        raise UserError(f"{path} is truncated: {missing}")
    if len(content) > start + expected:
        raise UserError(f"{path} is too long: more bytes of data than the {expected:,} expected")
    values = np.frombuffer(content, dtype=np.uint8, offset=start).reshape(count, *item)
    return Unpacked(values, hashlib.md5(content, usedforsecurity=False).hexdigest())
