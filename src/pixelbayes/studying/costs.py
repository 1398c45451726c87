"""What a study costs before it starts, and what differences its seeds and images could show."""

from dataclasses import replace
from math import sqrt

import torch

from ..cost import remembered_cost
from ..data import Dataset
from ..labels import Labels
from ..likelihood import class_passes
from ..model import build
from ..recipe import Recipe
from ..speed import seconds_of
from ..training.pacing import FORWARD_COST
from .definition import Study, Trial

AROUND = 1.25
"""Validation, samples and starting, as a factor of the steps alone."""
TRIES = 4
Z95 = 1.959963984540054


def minutes_of(trials: list[Trial], dataset: Dataset, device: torch.device, judged: int = 0) -> list[float]:
    """Returns about how many minutes each trial takes on this device: its budget, or its steps at the measured speed,
    and then so many images judged by Bayes' rule.

    Raises UserError for a trial whose settings do not go together.
    """
    flop = [
        remembered_cost(_of_shape(trial.recipe, dataset)).flop for trial in trials
    ]  # what cannot be built is said
    smallest = min(range(len(trials)), key=flop.__getitem__)
    seconds_per_flop = _seconds_an_image(trials[smallest].recipe, dataset, device) / flop[smallest]
    minutes = []
    for trial, each in zip(trials, flop, strict=True):
        step, question = passes_of(trial, dataset)
        training = trial.minutes
        if training is None:
            training = seconds_per_flop * each * step * images_of(trial, dataset) * AROUND / 60
        minutes.append(training + seconds_per_flop * each * question * judged * FORWARD_COST / 60)
    return minutes


def passes_of(trial: Trial, dataset: Dataset) -> tuple[float, float]:
    """Returns how many times an image goes through the network, about: in a step, whose objective may ask for all
    classes, and when it is classified."""
    recipe = _of_shape(trial.recipe, dataset)
    with torch.device("meta"):
        model = build(
            dataset.shape, Labels(recipe.classes), recipe.network, recipe.distribution, recipe.fusion
        )
        return recipe.objective.build(model).passes, class_passes(model)


def images_of(trial: Trial, dataset: Dataset) -> float:
    """How many images a trial's steps go through."""
    training = trial.recipe.training
    whole = training.epochs * len(dataset.train)
    return whole if trial.max_steps is None else min(whole, trial.max_steps * training.batch)


def _of_shape(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe for the images that there are."""
    shape = dataset.shape
    data = replace(
        recipe.data,
        size=(shape.height, shape.width),
        channels=shape.channels,
        levels=shape.levels,
        signal=shape.signal,  # type: ignore[arg-type]
    )
    return replace(recipe, classes=dataset.classes.names, data=data)


def _seconds_an_image(recipe: Recipe, dataset: Dataset, device: torch.device) -> float:
    """Of one image in a step without the optimiser, under its own class; the best of a few tries."""
    shape, count = dataset.shape, min(recipe.training.batch, 8, len(dataset.train))
    model = build(
        shape, Labels(dataset.classes.names), recipe.network, recipe.distribution, recipe.fusion
    ).to(device)
    levels = dataset.train.levels[:count]
    labels = torch.arange(count) % max(1, len(dataset.classes)) if len(dataset.classes) else None
    return seconds_of(lambda: model.log_prob(levels, labels).sum().backward(), device, TRIES) / count


def least_difference(images: int, accuracy: float = 0.8) -> float:
    """The difference of two accuracies near `accuracy` that so many images show with 95 % (binomial), seeds left aside.

    >>> round(least_difference(519), 3)
    0.049
    """
    return Z95 * sqrt(2 * accuracy * (1 - accuracy) / max(1, images))


def told_before(study: Study, images: int, minutes: list[float], left: int) -> list[str]:
    """What a user should know before the work: how many trials, how long, what they can show."""
    total = f"{sum(minutes):.0f}" if sum(minutes) >= 10 else f"{sum(minutes):.1f}"
    done = f" ({len(study.trials) - left} are done)" if left < len(study.trials) else ""
    lines = [
        f"{len(study.variants)} variants x {len(study.seeds)} seeds: {len(study.trials)} trials{done}; "
        f"about {total} minutes on this device, in one process"
    ]
    if images:
        lines.append(
            f"{images:,} images judge each: accuracies near 80 % have a standard error of {sqrt(0.16 / images):.1%}, "
            f"and a difference below {least_difference(images):.1%} is chance whatever the seeds say"
        )
    if len(study.seeds) < 2:
        lines.append("one seed shows no spread: of a difference nobody can say that it is more than chance")
    return lines
