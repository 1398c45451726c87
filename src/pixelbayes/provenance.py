"""What a model has to do with the images that it is measured on: a figure on images that had a part in it flatters."""

from dataclasses import dataclass

from .data import ImageSet
from .data.held_out import all_held_out, count_trained, prints
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
    data, training, anew = model.record.data, model.record.training, model.record.calibration
    held_out = mark == training.validation_print or all_held_out(data, images, "validation")
    fitted = anew.images == mark if anew.images else held_out and training.calibrated
    shared = count_trained(data, images)
    if shared is None and train is not None and train.levels.nbytes <= MOST_BYTES:
        known = set(prints(train))
        shared = sum(each in known for each in prints(images))
    return Provenance(
        chose_weights=held_out and bool(training.validation),
        fitted_calibration=fitted,
        trained_on=shared,
    )
