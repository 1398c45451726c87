"""Class names <-> indices."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import UserError, printable, unknown

NUMBER = re.compile(r"-?[0-9]{1,18}")
LONGEST_FOLDER = 200  # bytes
RESERVED = ("samples.png",)
"""What lies beside the folders of classes."""
DEVICES = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{kind}{number}" for kind in ("COM", "LPT") for number in range(1, 10)),
}
"""Names that Windows keeps for itself."""
UNKNOWN = -1
"""The label of an image whose class is not known: never trained on or scored."""


@dataclass(frozen=True)
class Labels:
    """The names of the classes, in the order of their indices; none for an unconditional model."""

    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise UserError(f"class names must differ from each other: {', '.join(self.names)}")
        for name in self.names:
            if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
                raise UserError(f"the class name '{printable(name)}' is no text: rename it, or its folder")

    @property
    def folders(self) -> tuple[str, ...]:
        """The names as those of folders, different from each other also where capitals do not count.

        >>> Labels(("cat", "a/b", "a:b", "Cat")).folders
        ('cat', 'a_b', 'a_b-2', 'Cat-3')
        """
        plain = [_as_folder(name) for name in self.names]
        given, taken = set(self.names), {*RESERVED}
        names: dict[int, str] = {}
        # A name that is a folder's already keeps it.
        for index in sorted(range(len(plain)), key=lambda index: plain[index] != self.names[index]):
            name = plain[index]
            while name.casefold() in taken or (name != self.names[index] and name in given):
                name += f"-{index}"
            taken.add(name.casefold())
            names[index] = name
        return tuple(names[index] for index in range(len(plain)))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]

    @property
    def numbered(self) -> bool:
        """Whether all names are whole numbers: then a bare number is a name, and no index.

        >>> Labels(("1", "2", "10")).numbered, Labels(("cat", "3")).numbered
        (True, False)
        """
        return bool(self.names) and all(NUMBER.fullmatch(name) for name in self.names)

    def index(self, word: str | int) -> int:
        """The index of the class that a name or a number means, by the one rule for both (docs/data.md).

        A text is a name. A number, or a text that spells one and is no name, is an index from 0 on; where all names
        are whole numbers it is a name as well. Raises UserError for what names no class, and for a number that could
        mean two.

        >>> Labels(("cat", "dog")).index("dog"), Labels(("cat", "dog")).index(1), Labels(("1", "2")).index(1)
        (1, 1, 0)
        """
        text = str(word)
        if isinstance(word, str) and text in self.names:
            return self.names.index(text)
        if not NUMBER.fullmatch(text):
            raise unknown("class", word, self.names)
        number = int(text)
        return self._named_by(number) if self.numbered else self._at(number)

    def _named_by(self, number: int) -> int:
        """The class whose name is this number."""
        matches = [index for index, name in enumerate(self.names) if int(name) == number]
        if len(matches) == 1:
            return matches[0]
        many = f", and {len(matches)} of them {number}" if matches else ""
        raise UserError(f"no class is named {number}: the classes are named by numbers ({self._some}){many}")

    def _at(self, number: int) -> int:
        """The class of this index, unless another one has the number for its name."""
        inside = 0 <= number < len(self.names)
        if str(number) in self.names:
            named = self.names.index(str(number))
            if inside and named != number:
                raise UserError(
                    f"class {number} could be the one named '{number}' or that of index {number}, "
                    f"'{self.names[number]}': write the name as a text"
                )
            return named
        if not inside:
            raise UserError(f"class {number} is outside 0..{len(self.names) - 1} ({self._some})")
        return number

    @property
    def _some(self) -> str:
        return ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")

    def parse(self, text: str) -> list[int]:
        """A comma-separated list of names or indices -> indices.

        >>> Labels(("cat", "dog")).parse("dog,0")
        [1, 0]
        """
        return [self.index(word.strip()) for word in text.split(",") if word.strip()]


def _as_folder(name: str) -> str:
    """Without what file systems refuse or read as something else, and of a length that leaves room for an ending."""
    letters = (letter if letter.isprintable() and letter not in '/\\:*?"<>|' else "_" for letter in name)
    plain = "".join(letters).strip(". ").encode()[:LONGEST_FOLDER].decode(errors="ignore").strip(". ")
    return f"{plain}_" if plain.split(".")[0].upper() in DEVICES else plain or "_"
