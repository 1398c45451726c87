"""How a picture becomes integer levels: cropped, resized once, at its own depth, and quantised; and how size, channels
and levels are chosen from the files where the user left them open."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from PIL import Image

from ..errors import UserError, unknown
from ..levels import ImageShape, from_values
from ..records import DataRecord, PreparationRecord
from .config import DataConfig
from .raw import Facts, Picture

LARGEST_SIDE = 32
"""Pixels of the longer side that are chosen at most: the cost of a model grows with the square."""
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
}


@dataclass(frozen=True)
class Preparation(PreparationRecord):
    """Every fact about how the images were prepared, and the doing."""

    @property
    def shape(self) -> ImageShape:
        return ImageShape(self.channels, self.height, self.width, self.levels, self.signal)

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def dtype(self) -> np.dtype:
        """Of the levels."""
        return np.dtype(np.uint8 if self.levels <= 256 else np.int32)

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
        refuse_too_deep(picture.maximum, self.levels, "the image")
        values = _grey(picture.values) if self.channels == 1 else picture.values
        values = fit(values, picture.maximum, self.size, self.resize, self.crop)
        if self.binarise == "random":
            levels = _randomly_binarised(values, picture.maximum, self.seed)
        else:
            levels = self.quantised(values, picture.maximum)
        levels = levels.transpose(2, 0, 1)
        return np.repeat(levels, 3, axis=0) if len(levels) < self.channels else levels

    def quantised(self, values: np.ndarray, maximum: int) -> np.ndarray:
        """Values 0..maximum of any shape -> levels."""
        if maximum == self.levels - 1:
            return values.astype(self.dtype)
        return from_values(values, self.levels, maximum)


def choose(
    facts: Sequence[Facts],
    config: DataConfig,
    shape: ImageShape | None = None,
    natural_size: tuple[int, int] | None = None,
) -> Preparation:
    """The preparation for files with these headers.

    The user's own settings come first, then `shape` (a recipe's or a model's), then `natural_size` (that of
    a standard set), then what suits the files. Raises UserError for files deeper than the levels asked for.
    """
    size = config.wanted_size or (shape and (shape.height, shape.width)) or natural_size or chosen_size(facts)
    channels = config.channels or (shape and shape.channels) or max(each.channels for each in facts)
    levels = _levels(facts, config, shape)
    signal = shape.signal if shape and config.signal == "linear" else config.signal
    return Preparation(
        *size, channels, levels, signal, config.resize, config.crop, config.binarise, config.split_seed,
    )  # fmt: skip


def chosen_size(facts: Sequence[Facts]) -> tuple[int, int]:
    """(height, width): that of most files, where most are alike, else a square; the longer side 32 at most.

    >>> chosen_size([Facts(109, 89, 3, 255)])
    (32, 26)
    """
    (size, count), *_ = Counter((each.height, each.width) for each in facts).most_common(1)
    if 2 * count <= len(facts):
        side = min(LARGEST_SIDE, int(median(min(each.height, each.width) for each in facts)))
        return side, side
    height, width = size
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _levels(facts: Sequence[Facts], config: DataConfig, shape: ImageShape | None) -> int:
    if config.binarise == "random":
        return 2
    deepest = max(each.maximum for each in facts)
    levels = config.levels or (shape.levels if shape else deepest + 1)
    count = sum(each.maximum == deepest for each in facts)
    what = "the image" if len(facts) == 1 else f"one of the images ({count:,} of {len(facts):,})"
    refuse_too_deep(deepest, levels, what)
    return levels


def refuse_too_deep(maximum: int, levels: int, what: str) -> None:
    """16 bits do not go into 256 levels or fewer: that would be another image, not the same one quantised.

    Raises UserError, naming the images (`what`).
    """
    if maximum > 255 and levels <= 256:
        raise UserError(
            f"{what}: 16 bits, deeper than the {levels} levels asked for (accepted: 65536, or 8-bit files)"
        )


def crop_box(height: int, width: int, target: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest centred box with the target's aspect, rounded.

    >>> crop_box(218, 178, (32, 32))
    (20, 0, 178, 178)
    """
    high, wide = height, width
    if width * target[0] > height * target[1]:
        wide = max(1, round(height * target[1] / target[0]))
    else:
        high = max(1, round(width * target[0] / target[1]))
    return (height - high) // 2, (width - wide) // 2, high, wide


def fit(values: np.ndarray, maximum: int, size: tuple[int, int], resize: str, crop: bool) -> np.ndarray:
    """Values `[H, W, C]` at another (height, width): cropped to its aspect, resized with antialiasing, rounded."""
    if crop:
        top, left, high, wide = crop_box(values.shape[0], values.shape[1], size)
        values = values[top : top + high, left : left + wide]
    if values.shape[:2] == size:
        return values
    target, how = size[::-1], FILTERS[resize]
    if maximum == 255:  # Pillow takes 8-bit channels together, and rounds the results itself
        eight = np.ascontiguousarray(values, np.uint8)
        image = Image.fromarray(eight[..., 0] if eight.shape[-1] == 1 else eight)
        return np.asarray(image.resize(target, how)).reshape(*size, values.shape[-1])
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane, np.float32)).resize(target, how))
        for plane in np.moveaxis(values, -1, 0)
    ]
    return np.clip(np.floor(np.stack(planes, axis=-1) + 0.5), 0, maximum).astype(np.int32)


def _grey(values: np.ndarray) -> np.ndarray:
    """Luma of ITU-R 601, as Pillow's mode L."""
    if values.shape[-1] == 1:
        return values
    luma = (values.astype(np.int64) @ np.array([19_595, 38_470, 7_471]) + 32_768) >> 16
    return luma.astype(values.dtype)[..., None]


def _randomly_binarised(values: np.ndarray, maximum: int, seed: int) -> np.ndarray:
    """Each value is 1 with probability v / max. The noise hangs on the seed and the image's own content, so an
    image is binarised alike in whatever set, order or file it comes."""
    content = np.ascontiguousarray(values, dtype="<u2").tobytes()
    digest = hashlib.blake2b(content, digest_size=8, salt=seed.to_bytes(8, "little", signed=True)).digest()
    noise = np.random.default_rng(int.from_bytes(digest, "little")).random(values.shape)
    return (noise * maximum < values).astype(np.uint8)


def typical_size(facts: Sequence[Facts]) -> tuple[int, int]:
    """(height, width), each in the middle of all."""
    return int(median(each.height for each in facts)), int(median(each.width for each in facts))


def original(facts: Sequence[Facts]) -> str:
    """The files in a few words, for the plan: '64x64, 8 bits'."""
    sizes = {(each.height, each.width) for each in facts}
    depths = "/".join(str(bits) for bits in sorted({each.maximum.bit_length() for each in facts}))
    size = "x".join(map(str, typical_size(facts)))
    return f"{size}{'' if len(sizes) == 1 else ' on average'}, {depths} bit{'' if depths == '1' else 's'}"
