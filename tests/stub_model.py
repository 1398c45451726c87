"""A model that is simple enough to be worked out by hand: independent pixels, Bernoulli by class."""

from collections.abc import Sequence
from math import log
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, Calibration
from pixelbayes.records import ModelRecord


class BernoulliModel(nn.Module):
    """Two levels; in class c a pixel is 1 with probability `chances[c]`."""

    def __init__(self, chances: list[float], names: tuple[str, ...], size: tuple[int, int] = (2, 3)) -> None:
        super().__init__()
        self.chances = torch.tensor(chances, dtype=torch.float64)
        self.classes, self.shape = Labels(names), ImageShape(1, *size, levels=2)
        self.calibration, self.prior = Calibration(1.0, (0.0,) * len(names)), None
        self.device, self.record = torch.device("cpu"), ModelRecord()
        self.config = SimpleNamespace(fusion=FusionConfig())
        self.passes: list[int] = []

    with_prior, log_prior = AutoregressiveImageModel.with_prior, AutoregressiveImageModel.log_prior

    def check(self, levels: Tensor) -> None:
        assert levels.shape[1:] == (1, self.shape.height, self.shape.width)

    def log_prob_map(self, levels: Tensor, labels: Tensor | None = None) -> Tensor:
        self.passes.append(len(levels))
        chance = self.chances[torch.zeros(len(levels), dtype=torch.long) if labels is None else labels]
        chance, ones = chance.view(-1, 1, 1), levels[:, 0].double()
        return ones * chance.log() + (1 - ones) * (1 - chance).log()

    def log_prob(self, levels: Tensor, labels: Tensor | None) -> Tensor:
        return self.log_prob_map(levels, labels).sum((1, 2))

    def class_log_prob_maps(
        self, levels: Tensor, classes: Sequence[int] | None = None, shown: object = None
    ) -> Tensor:
        if not self.classes:
            return self.log_prob_map(levels)[:, None]
        chosen = torch.tensor(tuple(range(len(self.classes)) if classes is None else classes))
        maps = self.log_prob_map(levels.repeat_interleave(len(chosen), 0), chosen.repeat(len(levels)))
        return maps.unflatten(0, (len(levels), len(chosen)))


def by_hand(chance: float, ones: int, pixels: int = 6) -> float:
    return ones * log(chance) + (pixels - ones) * log(1 - chance)


def images(ones: list[int], size: tuple[int, int] = (2, 3)) -> Tensor:
    """One image for each count of pixels that are 1."""
    pixels = size[0] * size[1]
    rows = [[1] * count + [0] * (pixels - count) for count in ones]
    return torch.tensor(rows, dtype=torch.uint8).view(-1, 1, *size)
