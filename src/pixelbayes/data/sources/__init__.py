"""DATA is one word: which source it names."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import UserError, check_path, unknown
from ...progress import warn
from ..collection import Source
from ..config import DataConfig
from .celeba import CelebA
from .cifar import Cifar
from .class_folders import ClassFolders
from .csv_splits import CsvFile, CsvSplits, has_csv_splits
from .digits import Digits
from .hub import Hub
from .idx import Idx
from .imagenet import DownsampledImageNet
from .single_files import SingleFiles, is_pattern
from .stack import Stack

STANDARD_SETS = (
    "digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "celeba", "imagenet32", "imagenet64",
)  # fmt: skip


def find_source(word: str | Path | Sequence[str | Path], config: DataConfig) -> Source:
    """The source for a DATA word: a standard set, `hub:NAME`, a folder, a CSV, an image, a pattern, a list.

    Raises UserError where the word names nothing.
    """
    if not isinstance(word, str | Path):
        files = list(word) if isinstance(word, Iterable) else [word]
        for each in files:
            check_path("an image", each)
        return SingleFiles([Path(each) for each in files], f"{len(files)} files")
    text, path = str(word), Path(word)
    if text.startswith("hub:"):
        return Hub(text.removeprefix("hub:"), config)
    if isinstance(word, str) and text in STANDARD_SETS:
        if path.is_dir():
            warn(f"'{text}' is the standard set; the folder of that name is ./{text}")
        return _standard(text, config)
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"{path} cannot be read: permission denied")
        return CsvSplits(path) if has_csv_splits(path) else ClassFolders(path)
    if path.is_file():
        return _one_file(path)
    if is_pattern(text):
        return SingleFiles.matching(text)
    if "/" in text or "." in text or isinstance(word, Path):
        raise UserError(f"{text}: no such file or folder")
    raise unknown("data", text, [*STANDARD_SETS, "hub:NAME", "a folder", "a CSV file", "an image"])


def _one_file(path: Path) -> Source:
    if path.suffix.lower() == ".csv":
        return CsvFile(path)
    return Stack(path) if path.suffix.lower() == ".npy" else SingleFiles([path], str(path))


def _standard(name: str, config: DataConfig) -> Source:
    if name == "digits":
        return Digits()
    if name in ("mnist", "fashion_mnist", "kmnist"):
        return Idx(name, config)
    if name in ("cifar10", "cifar100"):
        return Cifar(name, config)
    return CelebA(config) if name == "celeba" else DownsampledImageNet(name, config)
