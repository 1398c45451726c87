"""What a user may set about the data; what is left alone is chosen from the files."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from ..errors import UserError


@dataclass(frozen=True)
class DataConfig:
    """How images become integer levels and splits. None means: chosen from the data."""

    size: int | tuple[int, int] | None = None
    """Side of the square, or height and width, in pixels. Chosen: the files' own up to 32, else 32 at most."""
    channels: int | None = None
    """1 (grey) or 3 (RGB). Chosen: 1 when every file is grey."""
    levels: int | None = None
    """Levels of each value, 2 to 65,536. Chosen: those of the files (256, or 65,536 for 16 bits)."""
    resize: Literal["bilinear", "lanczos", "nearest", "box"] = "bilinear"
    """Filter for resizing; all but 'nearest' average over the pixels that are lost."""
    crop: bool = True
    """Crop the centre to the wanted aspect before resizing (otherwise images are stretched)."""
    signal: Literal["linear", "sqrt", "asinh"] = "linear"
    """Monotone map through which the network sees the levels; the likelihoods stay of the integers."""
    binarise: Literal["none", "random"] = "none"
    """'random': two levels, each pixel 1 with the probability of its brightness (fixed for an image and seed)."""
    class_names: tuple[str, ...] | None = None
    """Names of the classes, in the order of their indices."""
    skip_bad_images: bool = False
    """Leave out files that cannot be read instead of stopping."""
    group_by: str | None = None
    """A column of the CSV (name or number), or a regular expression for the file name (or, if no name matches,
    the path) whose group 1 is the group: images of one group never lie on both sides of the train/validation split."""
    folds: int = 0
    """Train and validation are pooled and cut into this many folds; `fold` is the validation set."""
    fold: int = 0
    """Which fold is the validation set, from 0."""
    label_column: str | None = None
    """The column of a table that holds the classes (name or number); several of 0 and 1 with commas; 'none'."""
    path_column: str | None = None
    """The column of a table that names the images."""
    path_prefix: str | None = None
    """A folder before the paths of a table."""
    class_from: str | None = None
    """Which folder on the way to an image is its class: first, parent (the last one), path (all of them), or a regular
    expression for the path whose group 1 is the class. Chosen: first, or parent where first ones share their names."""
    white: float | None = None
    """The value of white in deep files: 4095 where 12 bits are used of 16; floating-point files need it."""
    pages: Literal["refuse", "first"] = "refuse"
    """Files with several pages of one size (a stack of TIFF): stop, or take the first page of each."""
    validation_share: float = 0.1
    """Share of the training images that is held out where the data have no validation split."""
    split_seed: int = 0
    """Seed of the splits and of `binarise`."""
    root: str | None = None
    """Folder of a standard set's files."""
    attributes: str | None = None
    """CelebA: the attribute, or attributes with commas, whose combinations are the classes."""
    stream: bool = False
    """hub: read the set as a stream, without a local copy of the original."""

    def __post_init__(self) -> None:
        if self.channels not in (None, 1, 3):
            raise UserError(f"channels must be 1 (grey) or 3 (RGB), not {self.channels}")
        if self.levels is not None and not 2 <= self.levels <= 65_536:
            raise UserError(f"levels must lie between 2 and 65536, not {self.levels}")
        if self.binarise == "random" and self.levels not in (None, 2):
            raise UserError(f"binarise 'random' makes 2 levels; levels {self.levels} contradict it")
        if self.size is not None and min(self.wanted_size or (1,)) < 1:
            raise UserError(f"size must be at least 1 pixel, not {self.size}")
        if self.white is not None and not 0 < self.white < inf:
            raise UserError(f"white must be a number above 0, not {self.white}")
        if not 0 <= self.validation_share < 1:
            raise UserError(f"validation_share must lie in [0, 1), not {self.validation_share}")
        if not 0 <= self.split_seed < 2**63:
            raise UserError(f"split_seed must be 0 or more, and below 2^63, not {self.split_seed}")
        if self.folds < 0 or self.folds == 1 or not 0 <= self.fold < max(self.folds, 1):
            raise UserError(
                f"folds must be 0 or at least 2, and fold below it, not {self.folds} and {self.fold}"
            )

    @property
    def wanted_size(self) -> tuple[int, int] | None:
        """(height, width) as set, or None."""
        if isinstance(self.size, int):
            return self.size, self.size
        return None if self.size is None else (self.size[0], self.size[1])
