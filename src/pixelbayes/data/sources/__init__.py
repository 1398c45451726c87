"""DATA is one word: which source it names."""

import os
from collections.abc import Iterable, Sequence
from glob import has_magic
from pathlib import Path

from ...errors import UserError, check_path, unknown
from ...labels import Labels
from ...progress import warn
from ..collection import Source
from ..config import DataConfig
from .celeba import CelebA
from .cifar import Cifar
from .class_folders import ClassFolders
from .csv_splits import CsvSplits, names_images, split_tables
from .hub import Hub
from .idx import Idx
from .imagenet import DownsampledImageNet
from .npz import Npz
from .single_files import SingleFiles, Stack
from .standard import Digits
from .tables import TABLES

STANDARD_SETS = (
    "digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "celeba", "imagenet32", "imagenet64",
)  # fmt: skip


def find_source(
    word: str | Path | Sequence[str | Path], config: DataConfig, classes: Labels | None = None
) -> Source:
    """The source for a DATA word: a standard set, `hub:NAME`, a folder, a CSV, an image, a pattern, a list.

    `classes` are those of a model, where images are opened for one. Raises UserError where the word names nothing.
    """
    if not isinstance(word, str | Path):
        files = list(word) if isinstance(word, Iterable) else [word]
        for each in files:
            check_path("an image", each)
        return SingleFiles([Path(each) for each in files], f"{len(files)} files", config)
    text, path = str(word), Path(word)
    if not text.strip():
        raise UserError("DATA is empty: name a folder, a table, or a standard set (. is this folder)")
    if text.startswith("hub:"):
        return Hub(text.removeprefix("hub:"), config)
    if isinstance(word, str) and text in STANDARD_SETS:
        if path.is_dir():
            warn(f"'{text}' is the standard set; the folder of that name is ./{text}")
        return _standard(text, config)
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"{path} cannot be read: permission denied")
        return _folder(path, config, classes)
    if path.is_file():
        return _one_file(path, config, classes)
    if has_magic(text):
        return SingleFiles.matching(text, config)
    if "/" in text or "." in text or isinstance(word, Path):
        raise UserError(f"{text}: no such file or folder")
    raise unknown("folder, file or standard set", text, [*STANDARD_SETS, "hub:NAME"])


def _folder(path: Path, config: DataConfig, classes: Labels | None) -> Source:
    """A stray table in a folder of class folders does not hide them."""
    tables, folders = split_tables(path), ClassFolders(path, config)
    meant = any(table.stem != "metadata" for table in tables.values())
    if any(names_images(table, config) for table in tables.values()) or (meant and not folders.has_classes()):
        return CsvSplits(path, tables, config, classes)
    return folders


OTHER_FILES = {
    ".xlsx .xls .xlsm .ods .numbers .feather .txt": "save the table as .csv",
    ".parquet .arrow": "hub: before a path reads parquet files",
    ".zip .tar .tgz .gz .bz2 .xz .7z .rar": "unpack it",
    ".mat .h5 .hdf5 .pkl .pickle .pt": "give its arrays to pb.train, or save them as .npz",
}
"""Endings of files that are no data here, and what to do with them."""


def _one_file(path: Path, config: DataConfig, classes: Labels | None) -> Source:
    suffix = path.suffix.lower()
    if advice := next((told for endings, told in OTHER_FILES.items() if suffix in endings.split()), None):
        raise UserError(f"{path}: files {suffix} are not read: {advice}")
    if suffix in TABLES:
        return CsvSplits(path, {"all": path}, config, classes)
    if suffix == ".npz":
        return Npz(path, config)
    return Stack(path, config) if suffix == ".npy" else SingleFiles([path], str(path), config)


def _standard(name: str, config: DataConfig) -> Source:
    if name == "digits":
        return Digits()
    if name in ("mnist", "fashion_mnist", "kmnist"):
        return Idx(name, config)
    if name in ("cifar10", "cifar100"):
        return Cifar(name, config)
    return CelebA(config) if name == "celeba" else DownsampledImageNet(name, config)
