"""What the user should know before training on a set."""

from collections import defaultdict

from ..labels import UNKNOWN
from .held_out import prints
from .image_set import ImageSet
from .labelling import UNKNOWN_WORDS
from .preparation import Preparation

UNBALANCED = 3.0
FEW = 50
MOST_COMPARED = 100_000


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
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        notices.append(f"few training images in a class: {', '.join(few[:5])}{more}")
    return notices


def about_same_images(splits: dict[str, ImageSet]) -> list[str]:
    """Images (as prepared, bit for bit) under two classes, and held-out ones that are also trained on."""
    if sum(map(len, splits.values())) > MOST_COMPARED:
        return []
    content = {name: prints(images) for name, images in splits.items()}
    train = set(content.get("train", ()))
    shared = {
        name: sum(each in train for each in found) for name, found in content.items() if name != "train"
    }
    notices = [
        f"{same:,} {name} images are also among the training images" for name, same in shared.items() if same
    ]
    return [*_contradictions(splits, content), *notices]


def _contradictions(splits: dict[str, ImageSet], content: dict[str, list[bytes]]) -> list[str]:
    alike: dict[bytes, dict[int, str]] = defaultdict(dict)
    for split, images in splits.items():
        for path, label, each in zip(images.paths, images.labels.tolist(), content[split], strict=True):
            if label != UNKNOWN:
                alike[each].setdefault(label, path)
    classes = next(iter(splits.values())).classes
    found = [names for names in alike.values() if len(names) > 1]
    if not found:
        return []
    shown = "; ".join(
        " and ".join(f"{path} ({classes[label]})" for label, path in names.items()) for names in found[:3]
    )
    more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
    what = "1 image has" if len(found) == 1 else f"{len(found):,} images have"
    return [f"{what} two classes or more: {shown}{more}"]


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
