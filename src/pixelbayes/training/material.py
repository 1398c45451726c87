"""What a run trains, and on what: the model before any step, the data in its classes, the images."""

import torch

from ..data import Dataset, ImageSet
from ..data.picked import joined
from ..errors import UserError
from ..model import AutoregressiveImageModel, ModelConfig, from_spec, spec
from ..training_config import TrainingConfig
from .finetune import grow, join_classes, relabel
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
