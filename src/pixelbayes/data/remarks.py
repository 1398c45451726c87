"""What the user should know before training on a set."""

import hashlib

from ..labels import UNKNOWN
from .image_set import ImageSet
from .labelling import UNKNOWN_WORDS

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


def about_duplicates(splits: dict[str, ImageSet]) -> list[str]:
    """A notice when held-out images are also trained on (as prepared, bit for bit)."""
    if "train" not in splits or sum(map(len, splits.values())) > MOST_COMPARED:
        return []
    train = _fingerprints(splits["train"])
    notices = []
    for name, images in splits.items():
        same = 0 if name == "train" else sum(print_ in train for print_ in _fingerprint_list(images))
        if same:
            notices.append(f"{same:,} {name} images are also among the training images")
    return notices


def _fingerprints(images: ImageSet) -> set[bytes]:
    return set(_fingerprint_list(images))


def _fingerprint_list(images: ImageSet) -> list[bytes]:
    return [hashlib.blake2b(each.numpy().tobytes(), digest_size=16).digest() for each in images.levels]
