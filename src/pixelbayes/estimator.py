"""The model as a scikit-learn classifier: arrays in, classes out, and whatever scikit-learn does with estimators."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from math import isqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d
from torch import Tensor

from .api import train
from .errors import UserError, unknown
from .folders import next_run
from .model import AutoregressiveImageModel
from .plain import field_types
from .recipe import KINDS, SECTIONS, TOP, Recipe
from .tasks.classify import Classification, class_log_likelihoods, from_log_likelihoods
from .tasks.generate import generate

WORDS_OF_OWN = ("", "-1")  # which mean an unknown class elsewhere
PREPARED = ("size", "channels", "data.size", "data.channels", "data.levels", "data.class_names")
"""Fields of the recipe that the images and the classes themselves decide here."""
NAMED = (
    "recipe",
    "minutes",
    "max_steps",
    "levels",
    "image_shape",
    "seed",
    "device",
    "out",
    "batch",
    "verbose",
)


class PixelBayesClassifier(ClassifierMixin, BaseEstimator):
    """An exact-likelihood image model that classifies by Bayes' rule, as a scikit-learn estimator.

    Images are integers from 0, `(n, H, W)`, `(n, H, W, C)` with C of 1 or 3, or flat rows `(n, features)` with
    `image_shape` (H, W) or (H, W, C) (a square in grey when not given); floats are taken if they are whole numbers.
    Classes are integers or texts. A tenth of the images given to `fit` is held out, to choose the weights and to
    calibrate.

    recipe: a recipe's name, file or value (None: network and schedule are planned from the data); minutes, max_steps:
    the budget of a fit; levels: how many levels a value has (None: by the largest value of the images given to `fit`);
    seed; device; out: the run's folder, counted up where it is taken (None: nothing is kept on the disk); batch: pairs
    of an image and a class at once in prediction; verbose: print the training's lines. Further keywords are fields of
    the recipe, as in `pb.train`: `filters=8`, `network={"filters": 8}`, `**{"training.batch": 32}`.

    >>> from sklearn.base import clone
    >>> clone(PixelBayesClassifier("digits", max_steps=3, filters=4)).get_params()["filters"]
    4
    """

    def __init__(
        self,
        recipe: "str | Path | Recipe | None" = None,
        *,
        minutes: float | None = None,
        max_steps: int | None = None,
        levels: int | None = None,
        image_shape: Sequence[int] | None = None,
        seed: int = 0,
        device: str = "auto",
        out: str | Path | None = None,
        batch: int | None = None,
        verbose: bool = False,
        **overrides: Any,
    ) -> None:
        self.recipe = recipe
        self.minutes = minutes
        self.max_steps = max_steps
        self.levels = levels
        self.image_shape = image_shape
        self.seed = seed
        self.device = device
        self.out = out
        self.batch = batch
        self.verbose = verbose
        for name in overrides:
            _check_field(name)
        self._overrides = overrides

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The keywords of the constructor, the recipe's fields among them."""
        return {**{name: getattr(self, name) for name in NAMED}, **self._overrides}

    def set_params(self, **params: Any) -> "PixelBayesClassifier":
        """Set keywords; ValueError for what is neither one of the constructor's nor a field of a recipe."""
        for name in params:
            if name not in NAMED:
                _check_field(name)
        for name, value in params.items():
            if name in NAMED:
                setattr(self, name, value)
            else:
                self._overrides = {**self._overrides, name: value}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.positive_only = True
        return tags

    def fit(self, X: Any, y: Any) -> "PixelBayesClassifier":
        """Train on images X and classes y `(n,)`. Raises ValueError for what is no image or no class."""
        images = self._read(X, fitting=True)
        words = column_or_1d(y, warn=True)
        check_consistent_length(images, words)
        check_classification_targets(words)
        self.classes_ = unique_labels(words)
        if len(self.classes_) < 2:
            raise ValueError(
                f"a classifier needs two classes or more; the only one here is {self.classes_[0]!r}"
            )
        if self.levels is not None and int(images.max()) >= self.levels:
            raise ValueError(f"levels={self.levels} are 0 to {self.levels - 1}; X holds {int(images.max())}")
        self.levels_ = self.levels if self.levels is not None else _levels_of(int(images.max()))
        self.model_ = self._train(images, np.searchsorted(self.classes_, words))
        return self

    def _train(self, images: np.ndarray, index: np.ndarray) -> AutoregressiveImageModel:
        """The model of levels `(n, C, H, W)` and classes `(n,)` by index; its run's folder is `run_`, if it is kept."""
        names = _names(self.classes_)
        fields = {
            **self._overrides,
            "data.size": images.shape[2:],
            "data.channels": images.shape[1],
            "data.levels": self.levels_,
            "data.class_names": tuple(names),
        }
        quiet = nullcontext() if self.verbose else redirect_stdout(StringIO())
        with TemporaryDirectory() as passing, quiet:
            folder = Path(passing) / "run" if self.out is None else _free(Path(self.out))
            self.run_ = None if self.out is None else str(folder)
            try:
                return train(
                    torch.from_numpy(images),
                    [names[each] for each in index],
                    recipe=self.recipe,
                    out=folder,
                    minutes=self.minutes,
                    max_steps=self.max_steps,
                    seed=self.seed,
                    device=self.device,
                    **fields,
                )
            except UserError as error:
                raise ValueError(str(error)) from error

    def predict(self, X: Any) -> np.ndarray:
        """The class of each image `(n,)`, as in `classes_`."""
        answers = self._answers(X)
        return self.classes_[answers.predicted.numpy()]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Calibrated p(class | image), `(n, classes)`, in the order of `classes_`."""
        return self._answers(X).posterior.numpy()

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`, in nats, also where the probability is too small for a number."""
        nats = self._nats(X)
        return self.model_.calibration.scores(nats, self.model_.log_prior()).log_softmax(1).numpy()

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(image) in nats, `(n,)`: over all classes, each by its prior."""
        nats = self._nats(X)
        return torch.logsumexp(self.model_.with_prior(nats), 1).numpy()

    def sample(self, label: Any = None, n: int = 1, seed: int = 0) -> np.ndarray:
        """Draw n images of a class, or of one drawn for each image; shaped as the images given to `fit`."""
        check_is_fitted(self, "model_")
        if label is None:
            index = np.random.default_rng(seed).integers(0, len(self.classes_), n)
        else:
            matches = np.flatnonzero(self.classes_ == label)
            if not len(matches):
                raise ValueError(f"there is no class {label!r}; the classes are {list(self.classes_)}")
            index = np.full(n, matches[0])
        levels = generate(self.model_, labels=[self.model_.classes[each] for each in index], seed=seed)
        pixels = np.moveaxis(np.asarray(levels), 1, -1)
        return pixels.reshape(n, *self.layout_)

    def _answers(self, X: Any) -> Classification:
        nats = self._nats(X)  # first: it says where there is no model yet
        return from_log_likelihoods(self.model_, nats)

    def _nats(self, X: Any) -> Tensor:
        """log p(x | c) `(n, classes)`; UserErrors become ValueErrors, as scikit-learn expects them."""
        check_is_fitted(self, "model_")
        images = torch.from_numpy(self._read(X, fitting=False))
        if int(images.max()) >= self.levels_:
            raise ValueError(
                f"the model knows {self.levels_} levels, 0 to {self.levels_ - 1}; X holds {int(images.max())}: "
                "set levels= in the constructor"
            )
        try:
            return class_log_likelihoods(self.model_, images, self.batch)
        except UserError as error:
            raise ValueError(str(error)) from error

    def _read(self, X: Any, fitting: bool) -> np.ndarray:
        """Images in any of the layouts as levels `(n, C, H, W)`; ValueError for other shapes and values."""
        given = check_array(X, allow_nd=True, dtype="numeric", ensure_min_features=1)
        layout = given.shape[1:]
        if fitting:
            self.layout_ = layout
            if given.ndim == 2:
                self.n_features_in_ = layout[0]
        elif layout != self.layout_:
            raise ValueError(_other_layout(type(self).__name__, layout, self.layout_))
        if given.ndim == 2:
            given = given.reshape(len(given), *_shape_of(layout[0], self.image_shape))
        if given.ndim == 3:
            given = given[..., None]
        if given.ndim != 4 or given.shape[-1] not in (1, 3):
            raise ValueError(
                f"images are (n, H, W), (n, H, W, 1 or 3) or flat rows with image_shape=, not {layout}"
            )
        if np.issubdtype(given.dtype, np.floating) and not (given == np.floor(given)).all():
            raise ValueError("images are whole numbers from 0, such as (X * 255).round(): X holds fractions")
        low, high = int(given.min()), int(given.max())
        if low < 0 or high > 65_535:
            raise ValueError(
                f"images are whole numbers from 0 to 65,535; X holds {low} to {high} (no negative values)"
            )
        return np.ascontiguousarray(np.moveaxis(given, -1, 1).astype(np.uint8 if high < 256 else np.int32))


def _shape_of(features: int, image_shape: Sequence[int] | None) -> tuple[int, ...]:
    """The image that a flat row is."""
    if image_shape is None:
        side = isqrt(features)
        if side * side != features:
            raise ValueError(
                f"rows of {features} features are no square images: give image_shape=(H, W) or (H, W, C)"
            )
        return side, side
    shape = tuple(int(side) for side in image_shape)
    if len(shape) not in (2, 3) or int(np.prod(shape)) != features:
        raise ValueError(f"image_shape={shape} does not make an image of {features} features")
    return shape


def _other_layout(name: str, given: tuple[int, ...], known: tuple[int, ...]) -> str:
    if len(given) == len(known) == 1:  # scikit-learn's own words, which its tools look for
        return f"X has {given[0]} features, but {name} is expecting {known[0]} features as input"
    return f"the images are {given}, and those of fit were {known}"


def _levels_of(highest: int) -> int:
    """How many levels images have whose largest value is `highest`: few are counted, more are 2, 4, ... 65,536.

    >>> _levels_of(16), _levels_of(240), _levels_of(1), _levels_of(3000)
    (17, 256, 2, 4096)
    """
    return max(2, highest + 1) if highest < 64 else 1 << highest.bit_length()


def _names(classes: np.ndarray) -> list[str]:
    """A name for each class, that means nothing else elsewhere."""
    names = [str(each) for each in classes.tolist()]
    plain = len(set(names)) == len(names) and not any(
        name in WORDS_OF_OWN or name.startswith("-") for name in names
    )
    return names if plain else [f"class {name}" for name in names]


def _free(folder: Path) -> Path:
    """The folder, or FOLDER-001, FOLDER-002, ... where it holds something: every fit has its own."""
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    return next_run(folder.name, folder.parent) if taken else folder


def _check_field(name: str) -> None:
    """ValueError for what names no field of a recipe, of whichever network and distribution, that can be set here."""
    if name in PREPARED:
        raise ValueError(
            f"{name} is that of the images and classes given to fit: resize or convert them before"
        )
    section, _, field = name.rpartition(".")
    known: Mapping[str, set[str]] = {
        **{key: set(field_types(kind)) for key, kind in SECTIONS.items()},
        **{
            key: {"name"}.union(*(field_types(kinds[each]) for each in kinds)) for key, kinds in KINDS.items()
        },
    }
    everything = {each for fields in known.values() for each in fields}
    exists = field in known.get(section, set()) if section else name in everything | set(known) | set(TOP)
    if not exists:
        choices = [
            *NAMED,
            *everything,
            *(f"{key}.{each}" for key, fields in known.items() for each in sorted(fields)),
        ]
        raise ValueError(str(unknown("parameter", name, choices)).split(" (known")[0])
