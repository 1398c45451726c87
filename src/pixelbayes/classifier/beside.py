"""The classifier that stands beside a model: read where it was trained on the same images, else trained and kept."""

from pathlib import Path

import torch

from ..data import ImageSet
from ..errors import UserError
from ..progress import say, spell_seconds, warn
from .files import load_classifier, save_classifier
from .fitting import Classifier, FitConfig, fit_classifier


def classifier_beside(
    train: ImageSet,
    path: Path | None = None,
    config: FitConfig | None = None,
    device: "torch.device | str" = "cpu",
    progress: bool = False,
) -> Classifier:
    """A classifier of the images `train`; that in the file `path`, where it was trained on them.

    Otherwise one is trained and written there. Raises UserError for a file that holds something else.
    """
    if path is not None and path.is_file():
        known = load_classifier(path, device)
        if known.data == train.fingerprint() and known.shape == train.shape:
            say(
                f"the classifier in {path} is taken ({known.epochs:.1f} epochs; remove the file to train another)"
            )
            return known
        warn(f"{path} was trained on other images: a new classifier takes its place")
    classifier = fit_classifier(train, config, device, progress)
    say(
        f"a classifier of {classifier.parameters:,} parameters was trained on {len(train):,} images "
        f"({classifier.epochs:.1f} epochs, {spell_seconds(classifier.seconds)})"
    )
    if path is not None:
        try:
            save_classifier(classifier, path)
        except UserError as error:  # a model's folder need not be one's own
            warn(f"the classifier is not kept: {error}")
    return classifier
