"""What a run trains, and on what: the images in the model's classes, and the model before any step, new or grown from
another (report 2)."""

from dataclasses import replace

import torch
from torch import Tensor

from ..data import Dataset, ImageSet
from ..data.labelling import index_of
from ..data.picked import joined
from ..errors import UserError
from ..labels import UNKNOWN, Labels
from ..model import AutoregressiveImageModel, ModelConfig, from_spec, spec
from ..training_config import TrainingConfig
from .options import RunOptions
from .run_state import RunState
from .seeds import derive


def make_model(options: RunOptions, state: RunState, dataset: Dataset) -> AutoregressiveImageModel:
    """The model of the run before any step: new, or grown from the one to start from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(state.seed, "weights"))
        if state.model:
            return AutoregressiveImageModel(from_spec(state.model))
        config = options.recipe
        assert config is not None  # else there was no state to begin with
        model = AutoregressiveImageModel(
            ModelConfig(
                dataset.shape, config.network, config.distribution, config.fusion, dataset.classes.names
            )
        )
    if options.start is not None:
        before, after = len(options.start.classes), len(model.classes)
        model.load_state_dict(grow(options.start.state_dict(), model.state_dict(), before, after))
    state.model = spec(model.config)
    return model


def fit_data(options: RunOptions, state: RunState) -> Dataset:
    """The data with its labels counted as the model counts them: its classes first, new ones after."""
    dataset = options.dataset
    fingerprint = dataset.fingerprint()
    if state.data not in ("", fingerprint):
        raise UserError(
            f"{dataset.name} holds other images or labels than the run was begun with, or divides them otherwise:"
            " begin anew with another --out"
        )
    state.data = fingerprint
    known = options.start.classes if options.start is not None else None
    if state.model:
        config = from_spec(state.model)
        known = type(dataset.classes)(config.classes)
        if dataset.shape != config.shape:
            raise UserError(
                f"the run was begun with images of {config.shape}, and {dataset.name} has {dataset.shape}"
            )
    if known is None:
        return dataset
    joined, index = join_classes(known, dataset.classes)
    if state.model and joined != known:
        new = [name for name in joined if name not in known.names]
        raise UserError(f"{dataset.name} has classes that the run was not begun with: {', '.join(new)}")
    if options.start is not None and bool(len(known)) != bool(len(dataset.classes)):
        single = "(a single class counts as none: give images of another class with it)"
        raise UserError(
            "the model has no classes and the data have: they do not go together"
            if len(dataset.classes)
            else f"the model has classes and the data have none {single}: they do not go together"
        )
    return relabel(dataset, joined, index)


def training_images(dataset: Dataset, config: TrainingConfig) -> ImageSet:
    """The images to train on: those of known class, with the validation ones where that is asked for."""
    sets = [dataset.train]
    if config.include_validation and dataset.validation is not None:
        sets.append(dataset.validation)
    images = joined(sets, labelled=len(dataset.classes) > 0)
    if not len(images):
        raise UserError(f"{dataset.name} has no training images of a known class")
    return images


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
