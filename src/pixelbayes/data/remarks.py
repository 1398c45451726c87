"""What the user should know before training on a set."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from ..errors import some_of
from ..labels import UNKNOWN
from .held_out import prints
from .image_set import ImageSet
from .preparation import Preparation, typical_size
from .raw import Facts
from .words import UNKNOWN_WORDS

SHRUNK = 1.25  # times, from which on it is said
UNBALANCED = 3.0
FEW = 50
MOST_COMPARED = 100_000


def about_kinds(facts: Sequence[Facts], preparation: Preparation) -> list[str]:
    """Notices about files that are converted (their colour, their depth) or read in part."""
    notices, total = [], f"of {len(facts):,}"
    several = sum(each.pictures > 1 for each in facts)
    if several:
        notices.append(f"{several:,} {total} files hold several pictures; the first of each is taken")
    if cut := [each.cut for each in facts if each.cut]:
        bits = "/".join(map(str, sorted(set(cut))))
        notices.append(
            f"{len(cut):,} {total} files (AVIF, HEIC) hold {bits} bits a value; 8 of them are read"
        )
    grey = sum(each.channels == 1 for each in facts)
    if preparation.channels == 3 and grey:
        notices.append(f"{grey:,} {total} images are grey and are converted to RGB")
    if preparation.channels == 1 and grey < len(facts):
        notices.append(f"{len(facts) - grey:,} {total} images are in colour and are converted to grey")
    if len({each.maximum > 255 for each in facts}) > 1:
        notices.append(f"8-bit and 16-bit images are mixed; all become {preparation.levels:,} levels")
    return notices


def about_size(facts: Sequence[Facts], preparation: Preparation) -> list[str]:
    """Notices when images are of several sizes, and when they are shrunk or enlarged a lot."""
    high, wide = typical_size(facts)
    size = f"{preparation.height}x{preparation.width}"
    sizes = Counter((each.height, each.width) for each in facts)
    usual, count = sizes.most_common(1)[0]
    notices = []
    if len(sizes) > 1:
        low, top = min(sizes, key=math.prod), max(sizes, key=math.prod)
        notices.append(
            f"{len(facts) - count:,} of {len(facts):,} images have another size than {usual[0]}x{usual[1]} (from "
            f"{low[0]}x{low[1]} to {top[0]}x{top[1]}) and become {size}"
        )
    if max(high / preparation.height, wide / preparation.width) >= SHRUNK:
        notices.append(
            f"images of {high}x{wide} are shrunk to {size}; details are lost (--data.size sets another size, which "
            "costs more time)"
        )
    elif max(preparation.height / high, preparation.width / wide) >= 2:
        notices.append(f"images of {high}x{wide} are enlarged to {size}")
    return notices


def about_classes(train: ImageSet, words: set[str]) -> list[str]:
    """Missing labels, unbalanced classes, and classes with few images."""
    if not len(train.classes):
        known = sorted(word for word in words if word not in UNKNOWN_WORDS)
        unlabelled = "all labels are -1, which says 'unknown'" if "-1" in words else "no labels"
        why = f"one class ({known[0]})" if known else unlabelled
        return [f"{why}: the model is unconditional and cannot classify"]
    counts = dict(zip(train.classes, train.counts(), strict=True))
    notices = []
    unknown = int((train.labels == UNKNOWN).sum())
    if unknown:
        notices.append(f"{unknown:,} training images have no label and are not trained on")
    smallest, largest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    ratio = counts[largest] / max(counts[smallest], 1)
    if ratio > UNBALANCED:
        spelled = f"{largest} {counts[largest]:,}, {smallest} {counts[smallest]:,}"
        notices.append(f"the classes are unbalanced, {ratio:.1f} to 1 ({spelled})")
    few = [f"{name} {count}" for name, count in counts.items() if count < FEW]
    if few:
        notices.append(f"few training images in a class: {some_of(few, 5)}")
    return notices


def about_same_images(splits: dict[str, ImageSet]) -> list[str]:
    """Images (as prepared, bit for bit) under two classes, and held-out ones that are also trained on."""
    if sum(map(len, splits.values())) > MOST_COMPARED:
        return []
    content = {name: prints(images) for name, images in splits.items()}
    train = set(content.get("train", ()))
    shared = {name: sum(each in train for each in held) for name, held in content.items() if name != "train"}
    notices = _contradictions(splits, content)
    return notices + [
        f"{same:,} {name} images are also among the training images" for name, same in shared.items() if same
    ]


def _contradictions(splits: dict[str, ImageSet], content: dict[str, list[bytes]]) -> list[str]:
    alike: dict[bytes, dict[int, str]] = defaultdict(dict)
    for split, images in splits.items():
        for path, label, each in zip(images.paths, images.labels.tolist(), content[split], strict=True):
            if label != UNKNOWN:
                alike[each].setdefault(label, path)
    classes = next(iter(splits.values())).classes
    pairs = [
        " and ".join(f"{path} ({classes[label]})" for label, path in paths.items())
        for paths in alike.values()
        if len(paths) > 1
    ]
    if not pairs:
        return []
    more = f"; and {len(pairs) - 3:,} more" if len(pairs) > 3 else ""
    what = "1 image has" if len(pairs) == 1 else f"{len(pairs):,} images have"
    return [f"{what} two classes or more: {'; '.join(pairs[:3])}{more}"]


def about_range(splits: dict[str, ImageSet], preparation: Preparation) -> list[str]:
    """A notice where files of 16 bits use fewer (a camera's 12, say): most levels would never occur."""
    if preparation.levels != 65_536:
        return []
    highest = max(int(images.levels.max()) for images in splits.values())
    bits = highest.bit_length()
    if bits > 15:
        return []
    return [
        f"of 16 bits, the values up to {highest:,} are used ({bits} bits): --data.white {2**bits - 1} makes "
        f"{2**bits:,} levels"
    ]
