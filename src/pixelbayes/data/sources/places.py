"""Where the images lie that a table names."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ...errors import UserError
from ..file_pictures import data_folders
from ..formats import is_image_name
from ..split_names import split_of
from .tables import LOOKED_AT

DEEPEST = 2
"""Folders below the table in which its images are looked for."""


class Places:
    """Files by the words of a table: as written, with back-slashes, without an extension, below a folder beside it."""

    def __init__(self, table: Path, prefix: str | None) -> None:
        self.table = table
        self.prefix = prefix
        self.bases = [table.parent / prefix if prefix else table.parent]
        self._stems: dict[Path, dict[str, Path]] = {}

    def is_file(self, word: str) -> bool:
        """Whether the word, as it is, names an image (or another file by its whole name)."""
        return self._below(self.bases[0], word) is not None

    def find(self, word: str) -> Path | None:
        """The file that a word names; None where there is none. Raises UserError where two folders have one."""
        found = [path for base in self.bases if (path := self._below(base, word)) is not None]
        if len(found) > 1:
            raise UserError(
                f"{self.table}: {word} lies in {found[0].parent} and in {found[1].parent}: say which with "
                "--data.path-prefix"
            )
        return found[0] if found else None

    def search(self, words: Sequence[str]) -> str | None:
        """Look below the table's folder where the first words name nothing there; returns where they are, if there."""
        some = [word for word in words[:LOOKED_AT] if word]
        if self.prefix or not some or any(self._below(self.bases[0], word) for word in some):
            return None
        holding = [
            folder for folder in self._folders if any(self._below(folder, word) is not None for word in some)
        ]
        if not holding:
            return None
        own = [f for f in holding if split_of(self._first(f)) == split_of(self.table.stem) is not None]
        self.bases = holding = own or holding
        return ", ".join(f"{folder.relative_to(self.table.parent).as_posix()}/" for folder in holding[:5])

    @cached_property
    def _folders(self) -> list[Path]:
        return data_folders(self.table.parent, DEEPEST)

    def _first(self, path: Path) -> str:
        return path.relative_to(self.table.parent).parts[0]

    def _below(self, base: Path, word: str) -> Path | None:
        if not word or "\0" in word:
            return None
        for written in dict.fromkeys((word, word.replace("\\", "/"))):
            try:
                if (base / written).is_file():
                    return base / written
            except OSError:  # a word too long for a name, say
                return None
            folder, _, stem = written.rpartition("/")
            if stem and not is_image_name(stem) and (path := self._by_stem(base / folder).get(stem)):
                return path
        return None

    def _by_stem(self, folder: Path) -> dict[str, Path]:
        """The images of a folder by their names without the ending; the first by name where two share one."""
        if folder not in self._stems:
            try:
                names = sorted((entry.name for entry in os.scandir(folder)), reverse=True)
            except OSError:
                names = []
            images = (folder / name for name in names if is_image_name(name))
            self._stems[folder] = {path.stem: path for path in images}
        return self._stems[folder]
