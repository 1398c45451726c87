"""Which images were held out: remembered with the model by name and content, and found again in data that changed."""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import torch

from ..errors import UserError
from .image_set import Dataset, ImageSet

SIZE = 6
"""Bytes of a print: of a million images, two have the same one with a chance of 1 to 500."""
Pair = tuple[bytes, bytes]
"""The prints of an image's name and of its levels."""


def print_of(content: bytes) -> bytes:
    return blake2b(content, digest_size=SIZE).digest()


def name_print(name: str) -> bytes:
    return print_of(name.encode())


def prints(images: ImageSet) -> list[bytes]:
    """Of the levels of each image."""
    return [print_of(images.levels[row].numpy().tobytes()) for row in range(len(images))]


def pairs(images: ImageSet) -> list[Pair]:
    return list(zip(map(name_print, images.paths), prints(images), strict=True))


def remember(images: ImageSet) -> str:
    """The prints of all the images as text, 16 letters each."""
    return b64encode(b"".join(name + content for name, content in pairs(images))).decode()


def recall(record: Any) -> dict[str, list[Pair]]:
    """What a model remembers: split -> prints. Raises UserError for a damaged record."""
    if not isinstance(record, Mapping):
        return {}
    try:
        return {str(split): _pairs(b64decode(text, validate=True)) for split, text in record.items()}
    except (ValueError, TypeError) as error:
        raise UserError(f"the model's record of its held-out images is damaged ({error})") from error


def _pairs(content: bytes) -> list[Pair]:
    starts = range(0, len(content), 2 * SIZE)
    return [(content[at : at + SIZE], content[at + SIZE : at + 2 * SIZE]) for at in starts]


def found_again(known: Sequence[Pair], dataset: Dataset, split: str) -> tuple[ImageSet, list[str]]:
    """Those of the images remembered that are left, wherever in the data they lie now; and what is to be said.

    An image counts by its content, whatever its name; one of the same name and content goes first. Raises UserError
    where none is left.
    """
    drawn = dataset.splits.get(split)
    if drawn is not None and pairs(drawn) == list(known):
        return drawn, []
    sets = list(dataset.splits.values())
    places = [(images, row) for images in sets for row in range(len(images))]
    by_pair: dict[Pair, list[int]] = {}
    by_print: dict[bytes, list[int]] = {}
    for place, pair in enumerate(pair for images in sets for pair in pairs(images)):
        by_pair.setdefault(pair, []).append(place)
        by_print.setdefault(pair[1], []).append(place)
    first = {pair: by_pair[pair].pop(0) for pair in known if by_pair.get(pair)}
    used = set(first.values())
    for pair in known:
        if pair not in first and (other := [p for p in by_print.get(pair[1], ()) if p not in used]):
            first[pair] = other[0]
            used.add(other[0])
    rows = [first[pair] for pair in known if pair in first]
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
    return _gathered([places[row] for row in rows], sets[0]), [notice]


def _gathered(places: Sequence[tuple[ImageSet, int]], like: ImageSet) -> ImageSet:
    levels = torch.stack([images.levels[row] for images, row in places])
    labels = torch.stack([images.labels[row] for images, row in places])
    return replace(like, levels=levels, labels=labels, paths=[images.paths[row] for images, row in places])


def keep_out(splits: dict[str, ImageSet], known: Mapping[str, Sequence[Pair]]) -> dict[str, ImageSet]:
    """The splits without the training images that were held out before, under other names: they are held out again."""
    result = dict(splits)
    for split, remembered in known.items():
        contents = {content for _, content in remembered}
        again = torch.tensor([content in contents for content in prints(result["train"])])
        if split not in result or not bool(again.any()) or bool(again.all()):
            continue
        moved, held = result["train"][again], result[split]
        result["train"] = result["train"][~again]
        result[split] = replace(
            held,
            levels=torch.cat([held.levels, moved.levels]),
            labels=torch.cat([held.labels, moved.labels]),
            paths=[*held.paths, *moved.paths],
        )
    return result
