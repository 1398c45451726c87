"""Starting from a trained model: other classes, more classes, another image size (report 2)."""

from dataclasses import replace

import torch
from torch import Tensor

from ..data import Dataset, ImageSet
from ..data.labelling import index_of
from ..errors import UserError
from ..labels import UNKNOWN, Labels


def join_classes(old: Labels, new: Labels) -> tuple[Labels, Tensor]:
    """The classes of a model and then those of the data that it lacks; and for each class of the data its index.

    Where each of the data's names means a class of the model (numbers are indices there, unless its own classes are
    numbers), there are no others.

    >>> joined, index = join_classes(Labels(("cat", "dog")), Labels(("dog", "owl")))
    >>> joined.names, index.tolist()
    (('cat', 'dog', 'owl'), [1, 2])
    >>> joined, index = join_classes(Labels(("cat", "dog")), Labels(("0", "1")))
    >>> joined.names, index.tolist()
    (('cat', 'dog'), [0, 1])
    """
    meant = [index_of(name, old) for name in new.names]
    if all(index is not None for index in meant):
        return old, torch.tensor(meant, dtype=torch.int64)
    names = old.names + tuple(name for name in new.names if name not in old.names)
    index = torch.tensor([names.index(name) for name in new.names], dtype=torch.int64)
    return Labels(names), index


def relabel(dataset: Dataset, classes: Labels, index: Tensor) -> Dataset:
    """The same images with labels counted in `classes`; `index` [K] holds the new index of each old class."""
    splits = {name: _relabelled(images, classes, index) for name, images in dataset.splits.items()}
    return replace(dataset, splits=splits, classes=classes)


def _relabelled(images: ImageSet, classes: Labels, index: Tensor) -> ImageSet:
    known = images.labels != UNKNOWN
    labels = images.labels.clone()
    labels[known] = index[images.labels[known]]
    return replace(images, labels=labels, classes=classes)


def grow(old: dict[str, Tensor], new: dict[str, Tensor], before: int, after: int) -> dict[str, Tensor]:
    """The weights `old` of a model of `before` classes, in the shapes of `new`, a model of `after` classes.

    Where a tensor has a place for each class (an embedding's rows, a one-hot code's columns, the last of the
    image's extra channels), the new classes get the mean of the old ones. The first `before` classes of the new
    model are the old one's. Raises UserError where the two networks differ in anything else.
    """
    missing = sorted(set(new) ^ set(old))
    if missing:
        raise UserError(
            f"the model to start from is another network: '{missing[0]}' is in only one of the two"
        )
    grown = {name: _grow_tensor(name, old[name], like, before, after) for name, like in new.items()}
    for name in new:
        gain = name.removesuffix("weight") + "gain"
        if gain in new and grown[name].shape != old[name].shape:
            # The norm of the normalised weights grew, and those of the old inputs should not shrink.
            grown[gain] = grown[gain] * _norm(grown[name]) / _norm(old[name])
    return grown


def _norm(weight: Tensor) -> Tensor:
    return weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.dim() - 1))


def _grow_tensor(name: str, old: Tensor, like: Tensor, before: int, after: int) -> Tensor:
    if old.shape == like.shape:
        return old.clone()
    differing = [
        dim for dim in range(like.dim()) if old.dim() == like.dim() and old.shape[dim] != like.shape[dim]
    ]
    if (
        len(differing) != 1
        or like.shape[differing[0]] - old.shape[differing[0]] != after - before
        or not before
    ):
        raise UserError(
            f"the model to start from does not fit: '{name}' is {tuple(old.shape)} there and {tuple(like.shape)} here"
        )
    dim = differing[0]
    own = old.narrow(dim, old.shape[dim] - before, before)
    added = own.mean(dim, keepdim=True).expand(
        *[after - before if d == dim else -1 for d in range(old.dim())]
    )
    return torch.cat([old, added], dim)
