"""How a picture becomes integer levels: the description that a model keeps."""

import hashlib
from dataclasses import dataclass

import numpy as np

from ..errors import UserError, unknown
from ..levels import ImageShape, from_values
from ..records import DataRecord
from .geometry import FILTERS, fit
from .raw import Facts, Picture


@dataclass(frozen=True)
class Preparation:
    """Every fact about how the images were prepared; a `DataRecord` has the same fields."""

    height: int
    width: int
    channels: int
    levels: int = 256
    signal: str = "linear"
    resize: str = "bilinear"
    crop: bool = True
    binarise: str = "none"
    seed: int = 0

    @property
    def shape(self) -> ImageShape:
        return ImageShape(self.channels, self.height, self.width, self.levels, self.signal)

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    @staticmethod
    def of(record: DataRecord, shape: ImageShape) -> "Preparation":
        """The facts that a model remembers, for images of `shape` (what it takes wins over what was stored)."""
        if record.resize not in FILTERS:
            raise unknown("filter in the model's description of its data", record.resize, FILTERS)
        own = {name: getattr(record, name) for name in ("resize", "crop", "binarise", "seed")}
        return Preparation(shape.height, shape.width, shape.channels, shape.levels, shape.signal, **own)

    def untouched(self, facts: Facts) -> bool:
        """Whether such a picture keeps its pixels and channels."""
        same_size = (facts.height, facts.width) == self.size
        return same_size and facts.channels == self.channels and self.binarise == "none"

    def apply(self, picture: Picture) -> np.ndarray:
        """Levels `[C, H, W]` of one picture. Raises UserError where it is deeper than the levels."""
        if too_deep(picture.maximum, self.levels):
            raise UserError(deep_message("the image", self.levels))
        grey = _to_grey(picture) if self.channels == 1 else picture
        fitted = fit(grey, self.size, self.resize, self.crop)
        noisy = self.binarise == "random"
        flat = (
            _randomly_binarised(fitted, self.seed) if noisy else self.quantised(fitted.values, fitted.maximum)
        )
        levels = flat.transpose(2, 0, 1)
        return np.repeat(levels, 3, axis=0) if len(levels) < self.channels else levels

    def quantised(self, values: np.ndarray, maximum: int) -> np.ndarray:
        """Values 0..maximum of any shape -> levels."""
        if maximum == self.levels - 1:
            return values.astype(np.uint8 if self.levels <= 256 else np.int32)
        return from_values(values, self.levels, maximum)


def too_deep(maximum: int, levels: int) -> bool:
    """16 bits do not go into 256 levels or fewer: that would be another image, not the same one quantised."""
    return maximum > 255 and levels <= 256


def deep_message(what: str, levels: int) -> str:
    return f"{what}: 16 bits, deeper than the {levels} levels asked for (accepted: 65536, or 8-bit files)"


def _to_grey(picture: Picture) -> Picture:
    """Luma of ITU-R 601, as Pillow's mode L."""
    if picture.values.shape[-1] == 1:
        return picture
    luma = (picture.values.astype(np.int64) @ np.array([19_595, 38_470, 7_471]) + 32_768) >> 16
    return Picture(luma.astype(picture.values.dtype)[..., None], picture.maximum)


def _randomly_binarised(picture: Picture, seed: int) -> np.ndarray:
    """Each value is 1 with probability v / max. The noise hangs on the seed and the image's own content, so an
    image is binarised alike in whatever set, order or file it comes."""
    content = np.ascontiguousarray(picture.values, dtype="<u2").tobytes()
    digest = hashlib.blake2b(content, digest_size=8, salt=seed.to_bytes(8, "little", signed=True)).digest()
    noise = np.random.default_rng(int.from_bytes(digest, "little")).random(picture.values.shape)
    return (noise * picture.maximum < picture.values).astype(np.uint8)
