"""Class names <-> indices."""

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import UserError, unknown

UNKNOWN = -1
"""The label of an image whose class is not known: never trained on or scored."""


@dataclass(frozen=True)
class Labels:
    """The names of the classes, in the order of their indices; none for an unconditional model."""

    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise UserError(f"class names must differ from each other: {', '.join(self.names)}")

    @property
    def folders(self) -> tuple[str, ...]:
        """The names as those of folders, different from each other also where capitals do not count.

        >>> Labels(("cat", "a/b", "a:b", "Cat")).folders
        ('cat', 'a_b', 'a_b-2', 'Cat-3')
        """
        plain = [_as_folder(name) for name in self.names]
        found: dict[int, str] = {}
        # A name that is a folder's already keeps it.
        for index in sorted(range(len(plain)), key=lambda index: plain[index] != self.names[index]):
            name = plain[index]
            while name.lower() in map(str.lower, found.values()) or (
                name != self.names[index] and name in self.names
            ):
                name += f"-{index}"
            found[index] = name
        return tuple(found[index] for index in range(len(plain)))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]

    def index(self, word: str | int) -> int:
        """The index of a class given by its name, or by its index written as a number.

        >>> Labels(("cat", "dog")).index("dog")
        1
        """
        if str(word) in self.names:
            return self.names.index(str(word))
        try:
            number = int(word)
        except ValueError:
            raise unknown("class", word, self.names) from None
        if not 0 <= number < len(self.names):
            raise UserError(f"class {number} is outside 0..{len(self.names) - 1} ({', '.join(self.names)})")
        return number

    def parse(self, text: str) -> list[int]:
        """A comma-separated list of names or indices -> indices.

        >>> Labels(("cat", "dog")).parse("dog,0")
        [1, 0]
        """
        return [self.index(word.strip()) for word in text.split(",") if word.strip()]


def _as_folder(name: str) -> str:
    return "".join("_" if letter in '/\\:*?"<>|' else letter for letter in name).strip(". ") or "_"
