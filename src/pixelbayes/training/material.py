"""What a run trains, and on what: the images in the model's classes, and the model before any step, new (with gains and
biases from the first batch where that is wanted) or grown from another (report 2)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..causal.convolution import Enlarge, Kernel
from ..causal.scan import WholeImage
from ..data import Dataset, ImageSet
from ..data.image_set import joined
from ..data.words import index_of
from ..errors import UserError
from ..labels import UNKNOWN, Labels
from ..model import AutoregressiveImageModel, ModelConfig, evaluating, from_spec, spec
from ..progress import warn
from ..training_config import TrainingConfig
from .batches import derive
from .run_state import RunOptions, RunState

LEAST_SPREAD = 1e-4  # what hardly varies over a batch (an empty border, one image) would be blown up


def make_model(options: RunOptions, state: RunState, dataset: Dataset) -> AutoregressiveImageModel:
    """The model of the run before any step: new, or grown from the one to start from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(state.seed, "weights"))
        if state.model:
            return AutoregressiveImageModel(from_spec(state.model))
        config = options.recipe
        assert config is not None  # else there was no state to begin with
        parts = (config.network, config.distribution, config.fusion)
        model = AutoregressiveImageModel(ModelConfig(dataset.shape, *parts, dataset.classes.names))
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
        known = Labels(config.classes)
        if dataset.shape != config.shape:
            shapes = f"images of {config.shape}, and {dataset.name} has {dataset.shape}"
            raise UserError(f"the run was begun with {shapes}")
    if known is None:
        return dataset
    classes, index = join_classes(known, dataset.classes)
    new = [name for name in classes if name not in known.names]
    if state.model and new:
        raise UserError(f"{dataset.name} has classes that the run was not begun with: {', '.join(new)}")
    if options.start is not None and bool(len(known)) != bool(len(dataset.classes)):
        single = "(a single class counts as none: give images of another class with it)"
        raise UserError(
            "the model has no classes and the data have: they do not go together"
            if len(dataset.classes)
            else f"the model has classes and the data have none {single}: they do not go together"
        )
    if new:
        names = ", ".join(new[:10]) + (", ..." if len(new) > 10 else "")
        warn(f"classes that the model to start from does not know begin as the mean of its own: {names}")
    return relabel(dataset, classes, index)


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
    lookup = torch.cat([index, torch.tensor([UNKNOWN])])  # an unknown label, -1, finds the last
    splits = {
        name: replace(images, labels=lookup[images.labels], classes=classes)
        for name, images in dataset.splits.items()
    }
    return replace(dataset, splits=splits, classes=classes)


def grow(old: dict[str, Tensor], new: dict[str, Tensor], before: int, after: int) -> dict[str, Tensor]:
    """The weights `old` of a model of `before` classes, in the shapes of `new`, a model of `after` classes.

    Where a tensor has a place for each class (an embedding's rows, a one-hot code's columns, the last of the
    image's extra channels), the new classes get the mean of the old ones. The first `before` classes of the new
    model are the old one's. Raises UserError where the two networks differ in anything else.
    """
    lonely = sorted(set(new) ^ set(old))
    if lonely:
        raise UserError(
            f"the model to start from is another network: '{lonely[0]}' is in only one of the two"
        )
    grown = {name: _grow_tensor(name, old[name], like, before, after) for name, like in new.items()}
    for name in new:
        gain = name.removesuffix("weight") + "gain"
        if gain in new and grown[name].shape != old[name].shape:
            # The norm of the normalised weights grew, and those of the old inputs should not shrink.
            longer, shorter = (
                each[name].flatten(1).norm(dim=1).view_as(grown[gain]) for each in (grown, old)
            )
            grown[gain] = grown[gain] * longer / shorter
    return grown


def _grow_tensor(name: str, old: Tensor, like: Tensor, before: int, after: int) -> Tensor:
    if old.shape == like.shape:
        return old.clone()
    added = [there - here for here, there in zip(old.shape, like.shape, strict=False)]
    differing = [dim for dim, count in enumerate(added) if count]
    comparable = before > 0 and old.dim() == like.dim() and len(differing) == 1
    if not comparable or added[differing[0]] != after - before:
        raise UserError(
            f"the model to start from does not fit: '{name}' is {tuple(old.shape)} there and {tuple(like.shape)} here"
        )
    (dim,) = differing
    own = old.narrow(dim, old.shape[dim] - before, before)
    return torch.cat([old, *[own.mean(dim, keepdim=True)] * (after - before)], dim)


@torch.no_grad()
def initialise(model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None) -> None:
    """Set the gains and biases of the layers of `model`, in place, from images [n, C, H, W], so that every layer begins
    with outputs of mean 0 and variance 1 (Salimans & Kingma 2016, section 3)."""
    with evaluating(model):
        model.pixel_parameters(levels, labels, _Standardising())


class _Standardising(WholeImage):
    """A look at whole images under which each layer is changed so that what it returns is standardised."""

    def convolve(self, layer: Any, x: Tensor) -> Tensor:
        return _standardise(layer, super().convolve(layer, x))

    def valid(self, layer: Any, x: Tensor, onto: Tensor | None = None) -> Tensor:
        y = _standardise(layer, super().valid(layer, x))
        return y if onto is None else y + onto

    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        return _standardise(layer, super().enlarge(layer, x, like))


def _standardise(layer: Any, output: Tensor) -> Tensor:
    # A part of a layer has no gain of its own and stays as it is.
    if not isinstance(layer, Kernel) or layer.bias is None:
        return output
    mean, scale = output.mean((0, 2, 3)), output.std((0, 2, 3), correction=0)
    scale = scale.where(scale > LEAST_SPREAD, 1)
    if isinstance(layer, Enlarge):
        # It has a gain for each input: one scale for all outputs.
        scale = scale.mean().expand_as(scale)
    size = layer.weight if layer.gain is None else layer.gain
    size.div_(scale.view(-1, *[1] * (size.dim() - 1)))
    layer.bias.copy_((layer.bias - mean) / scale)
    return (output - mean.view(1, -1, 1, 1)) / scale.view(1, -1, 1, 1)
