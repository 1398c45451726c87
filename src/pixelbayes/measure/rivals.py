"""What classifiers of minutes reach on the same images: naive Bayes, a nearest neighbour, an SVM, a random forest.

A generative classifier that a support vector machine on the raw pixels beats should know it, and so should its user.
They are trained on the same training images and judged on the same held-out ones. Their time is bounded: of more than
some thousand images a part is taken, which `Rival` says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import ImageSet
from .baselines import histogram_log_prob
from .comparing import Comparison, compare_answers

MOST_TRAINING = 4_000
MOST_HELD_OUT = 4_000
MOST_CLASSES = 100  # of an SVM, which sets each against each, and of a forest, whose leaves hold them all
LOOKED_UP = 2e8  # values times classes that naive Bayes looks up
COMPONENTS = 100  # principal components that an SVM sees of larger images
TREES = 100


@dataclass(frozen=True)
class Rival:
    """A simple classifier's figures on held-out images, and those of the model on the same ones."""

    name: str
    explanation: str
    trained_on: int
    """Training images."""
    images: int
    """Held-out images."""
    accuracy: float
    balanced_accuracy: float
    comparison: Comparison
    """A is this classifier, B the model."""

    @property
    def wins(self) -> bool:
        """Whether it is better than the model by more than chance."""
        return self.comparison.difference < 0 and self.comparison.p_value < 0.05

    def as_dict(self) -> dict[str, object]:
        """Plain data."""
        own = {name: value for name, value in vars(self).items() if name != "comparison"}
        return {**own, "model_accuracy": self.comparison.accuracies[1], "p_value": self.comparison.p_value}


def rivals(train: ImageSet, held_out: ImageSet, predicted: Tensor, seed: int = 0) -> list[Rival]:
    """The classifiers, fitted to `train` and judged on `held_out` beside the model's answers `predicted` [N].

    Labels of both are indices of the same classes. Empty where fewer than two classes occur in the training images, or
    none in the held-out ones.
    """
    known = held_out.known.nonzero().flatten()
    chosen = known[_sample(held_out.labels[known], MOST_HELD_OUT, seed)]
    rows = train.known.nonzero().flatten()
    rows = rows[_sample(train.labels[rows], MOST_TRAINING, seed)]
    if len(train.labels[rows].unique()) < 2 or not len(chosen):
        return []
    seen, truth = train[rows], held_out.labels[chosen]
    levels, own = held_out.levels[chosen], predicted[chosen]
    entries = []
    for name, explanation, answers in _answers(seen, levels, len(held_out.classes), seed):
        judged = len(answers)
        right, ours = answers == truth[:judged], own[:judged] == truth[:judged]
        recall = [float(right[truth[:judged] == label].double().mean()) for label in truth[:judged].unique()]
        entries.append(
            Rival(
                name=name,
                explanation=explanation,
                trained_on=len(seen),
                images=judged,
                accuracy=int(right.sum()) / judged,
                balanced_accuracy=sum(recall) / len(recall),
                comparison=compare_answers(right.tolist(), ours.tolist()),
            )
        )
    return entries


def _sample(labels: Tensor, most: int, seed: int) -> Tensor:
    """Rows of at most `most` images, drawn by the seed, every class by its share and at least once."""
    if len(labels) <= most:
        return torch.arange(len(labels))
    noise = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=noise)
    # The first of each class go first; a random order holds the shares.
    _, first = np.unique(labels[order].numpy(), return_index=True)
    ahead = torch.zeros(len(labels), dtype=torch.bool)
    ahead[torch.from_numpy(first)] = True
    return torch.cat([order[ahead], order[~ahead]])[:most]


def _answers(train: ImageSet, levels: Tensor, classes: int, seed: int) -> Iterator[tuple[str, str, Tensor]]:
    """Each classifier's name, what it is, and its answers to the first [M] of the images."""
    few = max(50, int(LOOKED_UP // (classes * levels[0].numel())))
    yield "naive Bayes", "a histogram of each pixel for each class", naive_bayes(train, levels[:few], classes)
    pixels, labels = _flat(train.levels, train.shape.levels), train.labels.numpy()
    asked = _flat(levels, train.shape.levels)
    for name, explanation, classifier in _classifiers(
        len(pixels), pixels.shape[1], len(np.unique(labels)), seed
    ):
        answers = classifier.fit(pixels, labels).predict(asked)
        yield name, explanation, torch.from_numpy(answers).long()


def naive_bayes(train: ImageSet, levels: Tensor, classes: int) -> Tensor:
    """The class [M] under which the pixels, each on its own, are most probable; every class counts the same."""
    every = torch.full((len(levels), classes), -torch.inf, dtype=torch.float64)
    for label in train.labels.unique().tolist():
        every[:, label] = histogram_log_prob(train.levels[train.labels == label], levels, train.shape.levels)
    return every.argmax(1)


def _flat(levels: Tensor, count: int) -> np.ndarray:
    return (levels.flatten(1).float() / (count - 1)).numpy()


def _classifiers(images: int, values: int, classes: int, seed: int) -> Iterator[tuple[str, str, Any]]:
    """scikit-learn's, as they are set when nobody tunes them."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    yield "nearest neighbour", "the most similar training image", KNeighborsClassifier(1)
    if classes > MOST_CLASSES:
        return
    vectors: Any = SVC(C=10.0)
    if values > 2 * COMPONENTS:
        reduced = PCA(min(COMPONENTS, images), svd_solver="randomized", random_state=seed)
        vectors = make_pipeline(reduced, vectors)
    yield "SVM", "support vectors, RBF kernel", vectors
    yield "random forest", f"{TREES} trees on the pixels", RandomForestClassifier(TREES, random_state=seed)
