"""The handwritten digits that come with scikit-learn: 1,797 grey 8x8 images with 17 levels."""

from pathlib import Path

import numpy as np

from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..raw import ArrayPictures


class Digits:
    """E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (test part), UCI 1998."""

    name = "digits"

    def files(self) -> list[Path]:
        return []

    def validates(self) -> bool:
        return False

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        from sklearn.datasets import load_digits

        images, targets = load_digits(return_X_y=True)
        pictures = ArrayPictures(images.reshape(-1, 8, 8, 1).astype(np.uint8), maximum=16)
        names = [f"digits/{row:04d}" for row in range(len(images))]
        part = Part(pictures, [str(target) for target in targets], names)
        digits = tuple(str(digit) for digit in range(10))
        return Collection(self.name, {"all": part}, digits, test_share=0.2, indices_allowed=False)
