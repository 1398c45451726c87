"""The loss: the negative log likelihood of images, in nats."""

import torch
from torch import Tensor, nn

from ..model import AutoregressiveImageModel


class Objective(nn.Module):
    """Integer levels [n, C, H, W] and labels [n] (None without classes) -> nats of each image [n], float32.

    It is a module of its own so that Fabric's wrappers (precision, DDP) see one `forward`. Images and labels were
    checked with the data set; a check in each step would wait for the device.
    """

    def __init__(self, model: AutoregressiveImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, levels: Tensor, labels: Tensor | None) -> Tensor:
        parameters = self.model.pixel_parameters(levels, labels)
        with torch.autocast(levels.device.type, enabled=False):
            nats = self.model.describe(parameters).log_prob(levels)
        return -nats.flatten(1).sum(1)
