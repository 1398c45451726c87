"""Size, channels and levels, chosen from the files where the user left them open."""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

from ..errors import UserError
from ..levels import ImageShape
from .config import DataConfig
from .preparation import Preparation, deep_message, too_deep
from .raw import Facts

LARGEST_SIDE = 32
"""Pixels of the longer side that are chosen at most: the cost of a model grows with the square."""

SHRUNK = 1.25  # times, from which on it is said


def choose(
    facts: Sequence[Facts],
    config: DataConfig,
    shape: ImageShape | None = None,
    natural_size: tuple[int, int] | None = None,
) -> tuple[Preparation, list[str]]:
    """The preparation for files with these headers, and what the user should know about it.

    The user's own settings come first, then `shape` (a recipe's or a model's), then `natural_size` (that of
    a standard set), then what suits the files.
    """
    size = config.wanted_size or (shape and (shape.height, shape.width)) or natural_size or chosen_size(facts)
    channels = config.channels or (shape and shape.channels) or max(each.channels for each in facts)
    levels = _levels(facts, config, shape)
    signal = shape.signal if shape and config.signal == "linear" else config.signal
    preparation = Preparation(
        *size, channels, levels, signal, config.resize, config.crop, config.binarise, config.split_seed,
    )  # fmt: skip
    return preparation, [*about_kinds(facts, preparation), *about_size(facts, preparation)]


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
    if too_deep(deepest, levels):
        count = sum(each.maximum == deepest for each in facts)
        what = "the image" if len(facts) == 1 else f"one of the images ({count:,} of {len(facts):,})"
        raise UserError(deep_message(what, levels))
    return levels


def about_kinds(facts: Sequence[Facts], preparation: Preparation) -> list[str]:
    """Notices about files that are converted (their colour, their depth) or read in part."""
    notices = []
    several = sum(each.pictures > 1 for each in facts)
    if several:
        notices.append(
            f"{several:,} of {len(facts):,} files hold several pictures; the first of each is taken"
        )
    cut = [each.cut for each in facts if each.cut]
    if cut:
        bits = "/".join(map(str, sorted(set(cut))))
        notices.append(
            f"{len(cut):,} of {len(facts):,} files (AVIF, HEIC) hold {bits} bits a value; 8 of them are read"
        )
    grey = sum(each.channels == 1 for each in facts)
    if preparation.channels == 3 and grey:
        notices.append(f"{grey:,} of {len(facts):,} images are grey and are converted to RGB")
    if preparation.channels == 1 and grey < len(facts):
        notices.append(
            f"{len(facts) - grey:,} of {len(facts):,} images are in colour and are converted to grey"
        )
    if len({each.maximum > 255 for each in facts}) > 1:
        notices.append(f"8-bit and 16-bit images are mixed; all become {preparation.levels:,} levels")
    return notices


def about_size(facts: Sequence[Facts], preparation: Preparation) -> list[str]:
    """Notices when images are of several sizes, and when they are shrunk or enlarged a lot."""
    high, wide = _typical(facts)
    sizes = Counter((each.height, each.width) for each in facts)
    usual, count = sizes.most_common(1)[0]
    odd = []
    if len(sizes) > 1:
        low, top = min(sizes, key=math.prod), max(sizes, key=math.prod)
        odd = [
            f"{len(facts) - count:,} of {len(facts):,} images have another size than {usual[0]}x{usual[1]} (from "
            f"{low[0]}x{low[1]} to {top[0]}x{top[1]}) and become {preparation.height}x{preparation.width}"
        ]
    change = f"images of {high}x{wide} are %s to {preparation.height}x{preparation.width}"
    if max(high / preparation.height, wide / preparation.width) >= SHRUNK:
        return [
            *odd,
            change % "shrunk" + "; details are lost (--data.size sets another size, which costs more time)",
        ]
    if max(preparation.height / high, preparation.width / wide) >= 2:
        return [*odd, change % "enlarged"]
    return odd


def _typical(facts: Sequence[Facts]) -> tuple[int, int]:
    return int(median(each.height for each in facts)), int(median(each.width for each in facts))


def original(facts: Sequence[Facts]) -> str:
    """The files in a few words, for the plan: '64x64, 8 bits'."""
    sizes = {(each.height, each.width) for each in facts}
    depths = "/".join(str(bits) for bits in sorted({each.maximum.bit_length() for each in facts}))
    size = "x".join(map(str, _typical(facts)))
    return f"{size}{'' if len(sizes) == 1 else ' on average'}, {depths} bit{'' if depths == '1' else 's'}"
