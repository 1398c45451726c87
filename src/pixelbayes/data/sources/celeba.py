"""CelebA's aligned faces, from the folder or the zip, with classes made of attributes; its text files, also as the .csv
that some mirrors made of them."""

from functools import cached_property
from itertools import product
from pathlib import Path

from ...errors import UserError, unknown
from ..collection import Collection, Part
from ..config import DataConfig
from ..file_pictures import FilePictures, ZipPictures, images_in_zip, search
from ..raw import Pictures
from .standard import StandardSet, checksum_notice
from .tables import text_lines

MD5 = {
    "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
    "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
    "identity_CelebA.txt": "32bd1bd63d3c78cd57e08160ec5ed1e2",
    "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
}
LAST_TRAIN, LAST_VALIDATION = 162_770, 182_637
SPLITS = {"0": "train", "1": "validation", "2": "test"}
SIZE = (32, 32)


class CelebA(StandardSet):
    """Z. Liu et al., Deep Learning Face Attributes in the Wild, 2015."""

    def __init__(self, config: DataConfig) -> None:
        super().__init__("celeba", config, ("img_align_celeba", "Img", "Anno", "Eval", "celeba"))

    @cached_property
    def images(self) -> tuple[dict[str, Path], Path | None]:
        """File name -> path for a folder, or -> place within the zip, which comes second."""
        for folder in self.folders:
            if folder.name == "img_align_celeba" and folder.is_dir() and (paths := search(folder).images):
                return {path.name: path for path in paths}, None
        archives = [path for folder in self.folders for path in sorted(folder.glob("img_align_celeba*.zip"))]
        if not archives:
            raise self.missing("the folder img_align_celeba or img_align_celeba.zip")
        return {Path(name).name: Path(name) for name in images_in_zip(archives[0])}, archives[0]

    @cached_property
    def tables(self) -> dict[str, Path]:
        stems = ("list_attr_celeba", "list_eval_partition", "identity_CelebA")
        paths = {stem: self.find(f"{stem}.txt", f"{stem}.csv") for stem in stems}
        return {stem: path for stem, path in paths.items() if path is not None}

    def files(self) -> list[Path]:
        images, archive = self.images
        return [*self.tables.values(), *([archive] if archive else images.values())]

    def validates(self) -> bool:
        return "validation" in self._splits(list(self.images[0]))

    def read(self) -> Collection:
        images, archive = self.images
        if not images:
            raise UserError(f"{archive} holds no images")
        names = sorted(images)
        words, class_names = self._words(names)
        pictures: Pictures = FilePictures([images[name] for name in names])
        if archive:
            pictures = ZipPictures(archive, [images[name].as_posix() for name in names])
        splits = Part(pictures, words, names, self._groups(names)).divided(self._splits(names))
        checked = [*self.tables.values(), *([archive] if archive else [])]
        notices = [line for path in checked for line in checksum_notice(path, MD5)]
        return Collection(self.name, splits, class_names, notices, SIZE, indices_allowed=False)

    def _table(self, stem: str) -> Path:
        if stem not in self.tables:
            raise self.missing(f"{stem}.txt")
        return self.tables[stem]

    def _words(self, names: list[str]) -> tuple[list[str], tuple[str, ...] | None]:
        """Each image's class; the classes are all combinations of the attributes asked for."""
        if self.config.attributes is None:
            return [""] * len(names), None
        words = (word.strip() for word in self.config.attributes.split(","))
        attributes = list(dict.fromkeys(filter(None, words)))
        table = attribute_table(self._table("list_attr_celeba"), attributes)
        classes = tuple(
            combination(attributes, has) for has in product((False, True), repeat=len(attributes))
        )
        return [combination(attributes, table[name]) if name in table else "" for name in names], classes

    def _groups(self, names: list[str]) -> list[str] | None:
        """--data.group-by identity keeps the pictures of one person together."""
        if self.config.group_by is None:
            return None
        if self.config.group_by != "identity":
            raise UserError(f"celeba is grouped by 'identity', not by '{self.config.group_by}'")
        identities = keyed_rows(self._table("identity_CelebA"))
        return [identities.get(name, "") for name in names]

    def _splits(self, names: list[str]) -> list[str]:
        """By list_eval_partition.txt, else by the authors' numbers (which that file repeats)."""
        table = self.tables.get("list_eval_partition")
        stated = keyed_rows(table) if table else {}
        return [SPLITS.get(stated.get(name, ""), _split_by_number(name)) for name in names]


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


def attribute_table(path: Path, attributes: list[str]) -> dict[str, tuple[bool, ...]]:
    """File name -> whether it has each of the attributes. Raises UserError for unknown attributes and bad rows."""
    rows = _rows(path)
    known = _attribute_names(rows, path)
    if not attributes:
        raise UserError(f"no attribute is named; known are {', '.join(known)}")
    for name in attributes:
        if name not in known:
            raise unknown("attribute", name, known)
    columns = [known.index(name) + 1 for name in attributes]
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
    rows = [line.replace(",", " ").split() for line in text_lines(path) if line.strip()]
    if not rows:
        raise UserError(f"{path} is empty")
    return rows
