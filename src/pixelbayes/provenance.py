"""What a model has to do with the images that it is measured on: a figure on images that had a part in it flatters."""

from dataclasses import dataclass
from hashlib import blake2b

import torch

from .data import ImageSet
from .model import AutoregressiveImageModel

FEW = 100  # images, below which an interval is wider than most differences that matter
MOST_BYTES = 2**31  # of training images that are looked through


@dataclass(frozen=True)
class Provenance:
    """The part that the images of an evaluation had in making the model."""

    chose_weights: bool = False
    """They are the validation images of its run, by whose figures the weights were kept."""
    fitted_calibration: bool = False
    """Temperature and offsets were fitted on them."""
    trained_on: int | None = None
    """How many of them, pixel by pixel, are also among its training images; None where that is not known."""

    def notes(self, images: int) -> list[str]:
        """What a reader of the figures should know, a line each; `images` were scored."""
        lines = []
        parts = ["chose the weights"] * self.chose_weights + [
            "fitted the calibration"
        ] * self.fitted_calibration
        if parts:
            lines.append(
                f"these images {' and '.join(parts)}: the figures flatter the model. Images that had no part in it "
                "(--split test, or --data OTHER) say what to expect"
            )
        if self.trained_on:
            lines.append(
                f"{self.trained_on:,} of the {images:,} images, pixel by pixel, are also among the training images: "
                "the figures flatter the model"
            )
        return lines


def provenance(
    model: AutoregressiveImageModel, images: ImageSet, train: ImageSet | None = None
) -> Provenance:
    """What `model` remembers of `images`; `train` are its training images, where they are at hand."""
    mark = images.fingerprint()
    training, anew = model.record.training, model.record.calibration
    held_out = mark == training.validation_print
    fitted = anew.images == mark if anew.images else held_out and training.calibrated
    return Provenance(
        chose_weights=held_out and bool(training.validation),
        fitted_calibration=fitted,
        trained_on=None if train is None or train.levels.nbytes > MOST_BYTES else _shared(images, train),
    )


def _shared(images: ImageSet, train: ImageSet) -> int:
    """How many of the images have the pixels of one of `train`."""
    known = set(_keys(train))
    return sum(key in known for key in _keys(images))


def _keys(images: ImageSet) -> list[bytes]:
    rows = torch.arange(len(images)).split(4096)
    parts = (images.levels[part].contiguous().numpy() for part in rows)
    return [blake2b(image.tobytes(), digest_size=16).digest() for part in parts for image in part]
