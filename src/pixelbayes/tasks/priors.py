"""What the classes are like before an image is seen: weights from words, names or the training's counts."""

from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Real

from ..errors import UserError
from ..labels import Labels
from ..model import AutoregressiveImageModel

REST = "*"
"""Stands for the classes that a prior does not name."""

Prior = str | Mapping[str, float] | Sequence[float]


def prior_weights(prior: Prior, model: AutoregressiveImageModel) -> tuple[float, ...]:
    """A weight for each class, which need not sum to one.

    `prior`: 'uniform'; 'training', the classes' counts among the training images; `name=weight,...` or a mapping of
    names to weights, where `*` stands for the classes not named; or a weight for each class in their order.
    Raises UserError for unknown and missing names, for weights below 0 or all 0, and where the counts are not known.
    """
    classes = model.classes
    if isinstance(prior, str):
        if prior == "uniform":
            return (1.0,) * len(classes)
        prior = _training_counts(model) if prior == "training" else parse_weights(prior)
    weights = _by_name(prior, classes) if isinstance(prior, Mapping) else tuple(prior)
    if len(weights) != len(classes):
        raise UserError(f"a prior needs a weight for each of {len(classes)} classes, not {len(weights)}")
    for name, weight in zip(classes, weights, strict=True):
        if isinstance(weight, bool) or not isinstance(weight, Real) or not isfinite(weight) or weight < 0:
            raise UserError(f"the prior of '{name}' must be a number of 0 or more, not {weight!r}")
    if not sum(weights) > 0:
        raise UserError("the weights of a prior must sum to more than 0")
    return tuple(float(weight) for weight in weights)


def parse_weights(text: str) -> dict[str, float]:
    """`name=weight,name=weight` as a mapping. Raises UserError for what is none.

    >>> parse_weights("cat=2,dog=0.5,*=1")
    {'cat': 2.0, 'dog': 0.5, '*': 1.0}
    """
    weights: dict[str, float] = {}
    begun = ""  # a name may hold a comma
    for part in text.split(","):
        name, equals, weight = (begun + part).rpartition("=")
        try:
            number = float(weight) if equals else None
        except ValueError:
            number = None
        if number is None:
            begun += f"{part},"
            continue
        begun = ""
        if name.strip() in weights:
            raise UserError(f"the prior names '{name.strip()}' twice")
        weights[name.strip()] = number
    if begun or not weights:
        raise UserError(
            f"the prior '{text}' is not understood: uniform, training, or NAME=WEIGHT,NAME=WEIGHT"
        )
    return weights


def _by_name(given: Mapping[str, float], classes: Labels) -> tuple[float, ...]:
    rest = given.get(REST) if REST not in classes.names else None
    weights: list[float | None] = [rest] * len(classes)
    named: set[int] = set()
    for name, weight in given.items():
        if name == REST and rest is not None:
            continue
        index = classes.index(name)
        if index in named:
            raise UserError(f"the prior names the class '{classes[index]}' twice")
        named.add(index)
        weights[index] = weight
    missing = [name for name, weight in zip(classes, weights, strict=True) if weight is None]
    if missing:
        raise UserError(
            f"the prior has no weight for {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}:"
            f" name them, or say {REST}=WEIGHT for all others"
        )
    return tuple(weight for weight in weights if weight is not None)


def _training_counts(model: AutoregressiveImageModel) -> dict[str, float]:
    """How many training images each class had, as the model remembers it."""
    counts = model.record.data.class_counts
    if set(counts) != set(model.classes.names):
        raise UserError(
            "the model does not know how many training images each class had: name weights, such as --prior cat=2,dog=1"
        )
    return dict(counts)
