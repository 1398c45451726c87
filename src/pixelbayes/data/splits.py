"""Train, validation and test: seeded, stratified, and never through a group."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import UserError
from ..labels import Labels
from .collection import SPLITS, Collection, Part, join
from .config import DataConfig
from .held_out import Pair, name_print
from .words import indices

MOST_HELD_OUT = 5_000


def divide(
    collection: Collection,
    classes: Labels,
    config: DataConfig,
    held_out: Mapping[str, Sequence[Pair]] | None = None,
    to_train: bool = True,
) -> tuple[dict[str, Part], list[str]]:
    """The final splits, and notices; images that a model to start from held out (`held_out`) are held out again.

    Raises UserError where nothing would be left `to_train` on.
    """
    parts = dict(collection.splits)
    notices: list[str] = []
    if held_out and (again := _as_before(parts, held_out)):
        return again, ["the images that the model to start from held out are held out again, and no others"]
    whole = parts.pop("all", None)
    if whole is not None:
        parts = {"train": whole, **parts}
        if collection.test_share and not config.folds:
            parts["train"], parts["test"] = _hold_out(parts["train"], classes, collection.test_share, config)
    if not len(parts.get("train", [])):
        others = {split: part for split, part in parts.items() if len(part)}
        if not to_train:
            return others, notices
        names = ", ".join(others) or "nothing"
        raise UserError(f"{collection.name} has no training images (found: {names}){collection.hint}")
    share = config.validation_share
    if config.folds:
        pool = join([parts["train"], *([parts["validation"]] if "validation" in parts else [])])
        folds = assign_folds(indices(pool, classes), pool.groups, config.folds, config.split_seed)
        if len(np.unique(folds)) < config.folds:
            units, noun = (len(pool), "images") if pool.groups is None else (len(set(pool.groups)), "groups")
            raise UserError(f"{config.folds} folds need at least as many {noun} as folds; there are {units}")
        parts["train"], parts["validation"] = _by_mask(pool, folds == config.fold)
        notices.append(f"the validation set is fold {config.fold} (of 0 to {config.folds - 1})")
    elif "validation" not in parts and share > 0 and len(parts["train"]) > 1:
        parts["train"], parts["validation"] = _hold_out(parts["train"], classes, share, config)
    elif (shared := shared_groups(parts, "validation")) and len(parts.get("validation", [])):
        notices.append(f"{shared} groups lie in train and in validation; the two are split anew, by group")
        share = len(parts["validation"]) / (len(parts["train"]) + len(parts["validation"]))
        pool = join([parts["train"], parts["validation"]])
        parts["train"], parts["validation"] = _hold_out(pool, classes, share, config)
    if shared := shared_groups(parts, "test"):
        notices.append(
            f"{shared} groups lie in train and in test: the figures of the test images flatter the model"
        )
    return {split: parts[split] for split in SPLITS if len(parts.get(split, []))}, notices


def _as_before(parts: dict[str, Part], held_out: Mapping[str, Sequence[Pair]]) -> dict[str, Part] | None:
    """The splits of a set without a validation split, by the names that were held out; None where that leaves none."""
    pool = parts.get("all", parts.get("train"))
    if pool is None or ("validation" in parts and "all" not in parts):
        return None
    where = {name: split for split, pairs in held_out.items() for name, _ in pairs}
    again = pool.divided([where.get(name_print(name), "train") for name in pool.names])
    if "train" not in again or "validation" not in again:
        return None
    if len(parts.get("test", [])):
        again["test"] = join([parts["test"], *([again["test"]] if "test" in again else [])])
    return again


def shared_groups(parts: dict[str, Part], other: str) -> int:
    """How many groups have images in train and in the split `other`; an empty word is no group."""
    train, held = parts.get("train"), parts.get(other)
    if train is None or held is None or train.groups is None or held.groups is None:
        return 0
    return len((set(train.groups) & set(held.groups)) - {""})


def hold_out(strata: np.ndarray, groups: Sequence[str] | None, share: float, seed: int) -> np.ndarray:
    """A boolean mask of the held-out images: of each class about `share`, groups whole.

    At least one image (or group) of each class stays in training.
    """
    generator = np.random.default_rng(seed)
    mask = np.zeros(len(strata), dtype=bool)
    units = sorted(_units(strata, _group_keys(strata, groups)).items())
    quotas = apportion([sum(map(len, members)) for _, members in units], share)
    for (_, members), quota in zip(units, quotas, strict=True):
        order = [members[position] for position in generator.permutation(len(members))]
        for unit in _nearest(order, quota):
            mask[unit] = True
    return mask


def apportion(counts: Sequence[int], share: float) -> list[int]:
    """How many of each class, such that the total is right (largest remainders).

    >>> apportion([5, 5, 5], 0.25)
    [2, 1, 1]
    """
    exact = [count * share for count in counts]
    quotas = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: quotas[index] - exact[index])
    for index in by_remainder[: max(0, round(sum(exact)) - sum(quotas))]:
        quotas[index] += 1
    return quotas


def _nearest(units: list[np.ndarray], quota: int) -> list[np.ndarray]:
    """The first units that together come nearest to the quota; at least one, and one fewer than all."""
    taken: list[np.ndarray] = []
    total = 0
    for unit in units[:-1]:
        if total + len(unit) / 2 <= quota:
            taken.append(unit)
            total += len(unit)
    if not taken and len(units) > 1:
        taken = [min(units, key=len)]
    return taken


def assign_folds(strata: np.ndarray, groups: Sequence[str] | None, folds: int, seed: int) -> np.ndarray:
    """The fold of each image, 0..folds-1: classes spread evenly, groups whole."""
    generator = np.random.default_rng(seed)
    result = np.zeros(len(strata), dtype=np.int64)
    filled = np.zeros(folds)
    keys = _group_keys(strata, groups)
    for _, units in sorted(_units(strata, keys).items()):
        counts = np.zeros(folds)
        order = [int(position) for position in generator.permutation(len(units))]
        for position in sorted(order, key=lambda position: -len(units[position])):
            fold = int(np.lexsort((filled, counts))[0])
            result[units[position]] = fold
            counts[fold] += len(units[position])
            filled[fold] += len(units[position])
    return result


def _units(strata: np.ndarray, keys: Sequence[object]) -> dict[int, list[np.ndarray]]:
    """What must not be split, listed by the class that is most frequent in it."""
    rows: dict[object, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[key].append(row)
    units: dict[int, list[np.ndarray]] = defaultdict(list)
    for members in rows.values():
        classes, counts = np.unique(strata[members], return_counts=True)
        units[int(classes[counts.argmax()])].append(np.array(members))
    return units


def _group_keys(strata: np.ndarray, groups: Sequence[str] | None) -> Sequence[object]:
    """An empty group word is no group: such an image stands alone."""
    if groups is None:
        return range(len(strata))
    return [group or ("alone", row) for row, group in enumerate(groups)]


def _hold_out(part: Part, classes: Labels, share: float, config: DataConfig) -> tuple[Part, Part]:
    share = min(share, MOST_HELD_OUT / max(len(part), 1))
    return _by_mask(part, hold_out(indices(part, classes), part.groups, share, config.split_seed))


def _by_mask(part: Part, held_out: np.ndarray) -> tuple[Part, Part]:
    return part.select(np.flatnonzero(~held_out)), part.select(np.flatnonzero(held_out))
