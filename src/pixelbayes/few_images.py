"""The model and a CNN where training images are few: both trained anew on the same handful, for the same time."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from .against import Row, accuracy_row, said_by_cnn, said_by_model
from .api import train as train_model
from .classifier import FitConfig, fit_classifier
from .data import Dataset, ImageSet
from .errors import UserError, check_above_zero, check_whole
from .model import AutoregressiveImageModel
from .progress import say
from .recipe import Recipe, from_dict

FOR_WEIGHTS = 5
"""One image of so many of each class chooses the model's weights, and is not trained on."""
EPOCHS = 1000.0
"""Of the CNN at most; its rate falls over the minutes."""


@dataclass(frozen=True)
class FewImages:
    """So many training images of each class, and how long each of the two is trained on them."""

    images: int
    minutes: float = 2.0

    def __post_init__(self) -> None:
        check_whole("the few images of each class", self.images, least=2)
        check_above_zero("the minutes with few images", self.minutes)

    def cost(self) -> str:
        """What it takes, for the user."""
        return f"few training images: {2 * self.minutes:g} minutes of training, half of them for the CNN"


def recipe_of(model: AutoregressiveImageModel) -> Recipe:
    """The recipe by which the model was trained. Raises UserError for a model that knows none."""
    table = model.record.recipe
    if not table:
        raise UserError("the model does not know its recipe, and cannot be trained anew on few images")
    known = from_dict(table, "the model's recipe")
    return replace(known, training=replace(known.training, focus=(), include_validation=False))


def few_images_row(
    model: AutoregressiveImageModel,
    images: ImageSet,
    train: ImageSet,
    few: FewImages,
    fit: FitConfig | None = None,
    seed: int = 0,
) -> Row:
    """The accuracies on `images` of a model of the same recipe and of a CNN, both of `few` of the images `train`.

    Raises UserError for a class of which there are fewer, and for a model that does not know its recipe.
    """
    recipe = recipe_of(model)
    chosen = some_of_each(train, few.images, seed)
    held_back = torch.zeros(len(chosen), dtype=torch.bool)
    for label in range(len(chosen.classes)):
        own = (chosen.labels == label).nonzero().flatten()
        held_back[own[: max(1, few.images // FOR_WEIGHTS)]] = True
    splits = {"train": chosen[~held_back], "validation": chosen[held_back]}
    dataset = Dataset("few images", splits, model.classes, model.shape)
    say(few.cost())
    with TemporaryDirectory() as folder:
        again = train_model(
            dataset,
            recipe=recipe,
            out=Path(folder) / "few",
            minutes=few.minutes,
            seed=seed,
            device=str(model.device),
        )
    cnn = fit_classifier(
        chosen, replace(fit or FitConfig(), minutes=few.minutes, epochs=EPOCHS, seed=seed), model.device
    )
    name = f"accuracy, trained on {few.images} images a class, {few.minutes:g} minutes each"
    both = said_by_model(again, images.levels).joint, said_by_cnn(cnn, images.levels).joint
    return accuracy_row(name, *both, images.labels)


def some_of_each(images: ImageSet, count: int, seed: int = 0) -> ImageSet:
    """`count` images of each class, drawn by the seed, in their order. Raises UserError where a class has fewer."""
    noise = torch.Generator().manual_seed(seed)
    rows: list[Tensor] = []
    for label, name in enumerate(images.classes):
        own = (images.labels == label).nonzero().flatten()
        if len(own) < count:
            raise UserError(f"class {name} has {len(own)} training images, fewer than {count}")
        rows.append(own[torch.randperm(len(own), generator=noise)[:count]])
    return images[torch.cat(rows).sort().values]
