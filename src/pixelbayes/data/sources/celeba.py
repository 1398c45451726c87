"""CelebA's aligned faces, from the folder or the zip, with classes made of attributes; its text files, also as the .csv
that some mirrors made of them."""

from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from ...errors import UserError, unknown
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..file_pictures import FilePictures, images_below
from ..raw import Pictures
from ..zip_pictures import ZipPictures, images_in_zip
from .authors_files import checksum_notice, find, missing, roots

MD5 = {
    "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
    "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
    "identity_CelebA.txt": "32bd1bd63d3c78cd57e08160ec5ed1e2",
    "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
}
LAST_TRAIN, LAST_VALIDATION = 162_770, 182_637
SPLITS = {"0": "train", "1": "validation", "2": "test"}
SIZE = (32, 32)


class CelebA:
    """Z. Liu et al., Deep Learning Face Attributes in the Wild, 2015."""

    name = "celeba"

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        below = ("", "img_align_celeba", "Img", "Anno", "Eval", "celeba")
        self.folders = [folder / name for folder in roots(self.name, config.root) for name in below]

    @cached_property
    def images(self) -> tuple[dict[str, Path], Path | None]:
        """File name -> path for a folder, or -> place within the zip, which comes second."""
        archives = (path for folder in self.folders for path in sorted(folder.glob("img_align_celeba*.zip")))
        for folder in self.folders:
            if folder.name == "img_align_celeba" and folder.is_dir() and (paths := images_below(folder)):
                return {path.name: path for path in paths}, None
        archive = next(archives, None)
        if archive is None:
            raise missing(self.name, "the folder img_align_celeba or img_align_celeba.zip", self.folders)
        return {Path(name).name: Path(name) for name in images_in_zip(archive)}, archive

    @cached_property
    def tables(self) -> dict[str, Path]:
        stems = ("list_attr_celeba", "list_eval_partition", "identity_CelebA")
        found = {stem: find((f"{stem}.txt", f"{stem}.csv"), self.folders) for stem in stems}
        return {stem: path for stem, path in found.items() if path is not None}

    def files(self) -> list[Path]:
        images, archive = self.images
        return [*self.tables.values(), *([archive] if archive else images.values())]

    def validates(self) -> bool:
        table = self.tables.get("list_eval_partition")
        stated = keyed_rows(table) if table else {}
        return any(self._split(name, stated) == "validation" for name in self.images[0])

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        images, archive = self.images
        if not images:
            raise UserError(f"{archive} holds no images")
        names = sorted(images)
        words, class_names = self._words(names)
        groups = self._groups(names)
        paths = [images[name] for name in names]
        pictures: Pictures = FilePictures(paths)
        if archive:
            pictures = ZipPictures(archive, [path.as_posix() for path in paths])
        whole = Part(pictures, words, names, groups)
        checked = [*self.tables.values(), *([archive] if archive else [])]
        notices = [line for path in checked for line in checksum_notice(path, MD5)]
        splits = self._splits(whole)
        return Collection(self.name, splits, class_names, notices, SIZE, indices_allowed=False)

    def _words(self, names: list[str]) -> tuple[list[str], tuple[str, ...] | None]:
        """Each image's class; the classes are all combinations of the attributes asked for."""
        if self.config.attributes is None:
            return [""] * len(names), None
        if "list_attr_celeba" not in self.tables:
            raise missing(self.name, "list_attr_celeba.txt", self.folders)
        wanted = list(
            dict.fromkeys(word.strip() for word in self.config.attributes.split(",") if word.strip())
        )
        table = attribute_table(self.tables["list_attr_celeba"], wanted)
        classes = tuple(combination(wanted, has) for has in product((False, True), repeat=len(wanted)))
        return [combination(wanted, table[name]) if name in table else "" for name in names], classes

    def _groups(self, names: list[str]) -> list[str] | None:
        """--data.group-by identity keeps the pictures of one person together."""
        if self.config.group_by is None:
            return None
        if self.config.group_by != "identity":
            raise UserError(f"celeba is grouped by 'identity', not by '{self.config.group_by}'")
        if "identity_CelebA" not in self.tables:
            raise missing(self.name, "identity_CelebA.txt", self.folders)
        identities = keyed_rows(self.tables["identity_CelebA"])
        return [identities.get(name, "") for name in names]

    def _split(self, name: str, stated: dict[str, str]) -> str:
        return SPLITS.get(stated.get(name, ""), _split_by_number(name))

    def _splits(self, whole: Part) -> dict[str, Part]:
        """By list_eval_partition.txt, else by the authors' numbers (which that file repeats)."""
        table = self.tables.get("list_eval_partition")
        stated = keyed_rows(table) if table else {}
        where = np.array([self._split(name, stated) for name in whole.names])
        parts = {split: whole.select(np.flatnonzero(where == split)) for split in SPLITS.values()}
        return {split: part for split, part in parts.items() if len(part)}


def combination(attributes: list[str], has: tuple[bool, ...]) -> str:
    """The name of a class.

    >>> combination(["Male", "Smiling"], (True, False))
    'Male+not_Smiling'
    """
    return "+".join(name if value else f"not_{name}" for name, value in zip(attributes, has, strict=True))


def _split_by_number(name: str) -> str:
    stem = Path(name).stem
    number = int(stem) if stem.isdecimal() else 0
    if number <= LAST_TRAIN:
        return "train"
    return "validation" if number <= LAST_VALIDATION else "test"


def attribute_table(path: Path, wanted: list[str]) -> dict[str, tuple[bool, ...]]:
    """File name -> whether it has each wanted attribute. Raises UserError for unknown attributes and bad rows."""
    rows = _rows(path)
    known = _attribute_names(rows, path)
    if not wanted:
        raise UserError(f"no attribute is named; known are {', '.join(known)}")
    for name in wanted:
        if name not in known:
            raise unknown("attribute", name, known)
    columns = [known.index(name) + 1 for name in wanted]
    table = {}
    for number, row in enumerate(rows, start=1):
        if len(row) != len(known) + 1 or row[1] not in ("1", "-1", "0"):
            continue
        table[row[0]] = tuple(row[column] == "1" for column in columns)
        if any(row[column] not in ("1", "-1", "0") for column in columns):
            raise UserError(f"{path}, line {number}: attributes are 1 or -1, not '{' '.join(row[:4])} ...'")
    stated = int(rows[0][0]) if len(rows[0]) == 1 and rows[0][0].isdecimal() else len(table)
    if len(table) < stated or not table:
        raise UserError(f"{path} is truncated: {len(table):,} rows of {stated:,}")
    return table


def _attribute_names(rows: list[list[str]], path: Path) -> list[str]:
    """The header: 40 names, after a line with the count; a .csv has 'image_id' before them."""
    for row in rows[:2]:
        if len(row) > 1 and "Male" in row:
            return [ascii(name)[1:-1] for name in (row[1:] if row[0] == "image_id" else row)]
    raise UserError(f"{path} is no attribute file of CelebA: its first lines do not name the attributes")


def keyed_rows(path: Path) -> dict[str, str]:
    """A file of rows 'name value'."""
    rows = [row for row in _rows(path) if len(row) == 2]
    if not rows:
        raise UserError(f"{path} has no rows 'file number'")
    return {row[0]: row[1] for row in rows}


def _rows(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text: {error}") from error
    rows = [line.replace(",", " ").split() for line in lines if line.strip()]
    if not rows:
        raise UserError(f"{path} is empty")
    return rows
