"""Which images were held out and which trained on: remembered with the model, and found again in data that changed.

Held-out images are remembered by name and content, whatever divided the data (the user, a seed, a fold); trained ones
by content.
"""

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import torch

from ..errors import UserError, unknown
from ..records import DataRecord
from .collection import Part
from .image_set import Dataset, ImageSet, pick

SIZE = 6
"""Bytes of a print: of a million images, two have the same one with a chance of 1 to 500."""
MOST_TRAINED = 100_000
"""Images trained on that are remembered; of more none is, for the record lies in config.json."""
Pair = tuple[bytes, bytes]
"""The prints of an image's name and of its levels."""


def print_of(content: bytes) -> bytes:
    return blake2b(content, digest_size=SIZE).digest()


def name_print(name: str) -> bytes:
    return print_of(name.encode())


def prints(images: ImageSet) -> list[bytes]:
    """Of the levels of each image."""
    blocks = (images.levels[rows].contiguous().numpy() for rows in torch.arange(len(images)).split(4096))
    return [print_of(image.tobytes()) for block in blocks for image in block]


def pairs(images: ImageSet) -> list[Pair]:
    return list(zip(map(name_print, images.paths), prints(images), strict=True))


def remember(images: ImageSet) -> str:
    """The prints of all the images as text, 16 letters each."""
    return b64encode(b"".join(name + content for name, content in pairs(images))).decode()


def recall(record: Mapping[str, str]) -> dict[str, list[Pair]]:
    """What a model remembers: split -> prints. Raises UserError for a damaged record."""
    pairs = {}
    for split, text in record.items():
        every = _prints_in(text, "the model's record of its held-out images")
        pairs[split] = list(zip(every[::2], every[1::2], strict=False))
    return pairs


def _prints_in(text: str, name: str) -> list[bytes]:
    try:
        content = b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} is damaged ({error})") from error
    return [content[at : at + SIZE] for at in range(0, len(content), SIZE)]


def remember_trained(images: ImageSet, before: DataRecord) -> str:
    """The prints of the images that are trained on, and of those that the model to start from was (its record of data
    `before`); '' of too many."""
    if len(images) > MOST_TRAINED:
        return ""
    known = {*prints(images), *recall_prints(before.trained_on)}
    return remember_prints(known) if len(known) <= MOST_TRAINED else ""


def remember_prints(known: Iterable[bytes]) -> str:
    """Prints, of which the order says nothing, as text of 8 letters each."""
    return b64encode(b"".join(sorted(known))).decode()


def recall_prints(text: str) -> frozenset[bytes]:
    """The inverse of `remember_prints`. Raises UserError for a damaged record."""
    return frozenset(_prints_in(text, "the record of images"))


def as_remembered(record: DataRecord, dataset: Dataset, split: str) -> tuple[ImageSet, list[str]]:
    """A split of the data of a model's training, as the training had it; and what is to be said of it.

    record: the model's, of its data. Raises UserError where none of the images is left, or there is no such split.
    """
    held_out, trained = recall(record.held_out), recall_prints(record.trained_on)
    if split in held_out:
        return found_again(held_out[split], dataset, split)
    images = the_split(dataset, split)
    if split == "train":
        return _trained_again(images, dataset, trained, held_out), []
    seen = _among(images, trained)
    if not bool(seen.any()):
        return images, []
    if bool(seen.all()):
        raise UserError(
            f"{dataset.name}: the model was trained on all the {split} images: name others with --data"
        )
    count = f"{int(seen.sum()):,} of the {len(seen):,} {split} images"
    return images[~seen], [f"the model was trained on {count}: they are not measured"]


def _trained_again(
    images: ImageSet, dataset: Dataset, trained: frozenset[bytes], held_out: Mapping[str, list[Pair]]
) -> ImageSet:
    """The images that were trained on, wherever they lie now; where it is not known which, those not held out."""
    if not trained:
        again = _among(images, {content for pairs in held_out.values() for _, content in pairs})
        return images[~again] if bool(again.any()) and not bool(again.all()) else images
    masks = {split: _among(part, trained) for split, part in dataset.splits.items()}
    if all(bool(mask.all()) if split == "train" else not bool(mask.any()) for split, mask in masks.items()):
        return images
    rows = torch.cat(list(masks.values())).nonzero().flatten()
    if not len(rows):
        raise UserError(f"{dataset.name}: none of the images that the model was trained on is left")
    return pick(list(dataset.splits.values()), rows)


def _among(images: ImageSet, known: Collection[bytes]) -> torch.Tensor:
    """Whether the content of each image is known, bool `[N]`."""
    if not known:
        return torch.zeros(len(images), dtype=torch.bool)
    return torch.tensor([content in known for content in prints(images)], dtype=torch.bool)


def count_trained(record: DataRecord, images: ImageSet) -> int | None:
    """How many of the images, pixel by pixel, a model was trained on; None where its record of data does not know."""
    trained = recall_prints(record.trained_on)
    return int(_among(images, trained).sum()) if trained else None


def all_held_out(record: DataRecord, images: ImageSet, split: str) -> bool:
    """Whether a model remembers each of the images as held out in that split."""
    known = {content for _, content in recall(record.held_out).get(split, ())}
    return bool(_among(images, known).all()) and len(images) > 0


def the_split(dataset: Dataset, split: str) -> ImageSet:
    """One split by name. Raises UserError where the data set has no such split."""
    if split not in dataset.splits:
        raise unknown(f"split of {dataset.name}:", split, dataset.splits)
    return dataset.splits[split]


def found_again(known: Sequence[Pair], dataset: Dataset, split: str) -> tuple[ImageSet, list[str]]:
    """Those of the images remembered that are left, wherever in the data they lie now; and what is to be said.

    An image counts by its content, whatever its name; one of the same name and content goes first. Raises UserError
    where none is left.
    """
    drawn = dataset.splits.get(split)
    if drawn is not None and pairs(drawn) == list(known):
        return drawn, []
    sets = list(dataset.splits.values())
    by_pair: dict[Pair, list[int]] = {}
    by_print: dict[bytes, list[int]] = {}
    for index, pair in enumerate(pair for images in sets for pair in pairs(images)):
        by_pair.setdefault(pair, []).append(index)
        by_print.setdefault(pair[1], []).append(index)
    again = {pair: by_pair[pair].pop(0) for pair in known if by_pair.get(pair)}
    used = set(again.values())
    for pair in known:
        if pair not in again and (others := [i for i in by_print.get(pair[1], ()) if i not in used]):
            again[pair] = others[0]
            used.add(others[0])
    rows = [again[pair] for pair in known if pair in again]
    if not rows:
        raise UserError(
            f"{dataset.name}: none of the {len(known):,} images that the training held out is left: name others with "
            "--data"
        )
    left = "all" if len(rows) == len(known) else f"{len(rows):,} of"
    notice = (
        f"{dataset.name} has changed since the training: {left} the {len(known):,} images that it held out are left, "
        "and these alone are measured"
    )
    return pick(sets, torch.tensor(rows)), [notice]


@dataclass(frozen=True)
class Before:
    """What is known of images from before: what a model to start from held out, split by split, what it was trained
    on, and the names of those that the folds of an evaluation were begun with (None: all)."""

    held_out: Mapping[str, Sequence[Pair]] = field(default_factory=dict)
    trained: frozenset[bytes] = frozenset()
    names: frozenset[bytes] | None = None

    def begun_with(self, parts: Mapping[str, Part]) -> dict[str, Part]:
        """The splits without images that came later."""
        if self.names is None:
            return dict(parts)
        left = {}
        for split, part in parts.items():
            rows = [row for row, name in enumerate(part.names) if name_print(name) in self.names]
            if rows:
                left[split] = part.select(np.array(rows))
        return left

    def keep_apart(self, splits: dict[str, ImageSet]) -> tuple[dict[str, ImageSet], list[str]]:
        """The splits, training images that were held out before held out again, and validation images that were trained
        on trained on again; and what is to be said of them."""
        result, notices = dict(splits), []

        def move(source: str, target: str, known: Collection[bytes], what: str) -> None:
            if source not in result or target not in result:
                return
            mask = _among(result[source], known)
            if bool(mask.any()) and not bool(mask.all()):
                grown, moved = result[target], result[source][mask]
                result[target] = pick([grown, moved], torch.arange(len(grown) + len(moved)))
                result[source] = result[source][~mask]
                noun = "training" if source == "train" else source
                notices.append(f"{what} images again: {len(moved):,} of the {len(mask):,} {noun} images")

        for split, held in self.held_out.items():
            prefix = f"held out by the model to start from, and {split}"
            move("train", split, {content for _, content in held}, prefix)
        move("validation", "train", self.trained, "trained on by the model to start from, and training")
        return result, notices
