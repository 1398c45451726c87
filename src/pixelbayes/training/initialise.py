"""Gains and biases from the first batch, so that every layer begins with outputs of mean 0 and variance 1
(Salimans & Kingma 2016, section 3)."""

from typing import Any

import torch
from torch import Tensor

from ..causal.convolution import Enlarge, Kernel
from ..causal.scan import WholeImage
from ..model import AutoregressiveImageModel, evaluating

LEAST_SPREAD = 1e-4  # what hardly varies over a batch (an empty border, one image) would be blown up


@torch.no_grad()
def initialise(model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None) -> None:
    """Set the gains and biases of the layers of `model`, in place, from images [n, C, H, W]."""
    with evaluating(model):
        model.pixel_parameters(levels, labels, Standardising())


class Standardising(WholeImage):
    """A look at whole images under which each layer is changed so that what it returns is standardised."""

    def convolve(self, layer: Any, x: Tensor) -> Tensor:
        return _standardise(layer, super().convolve(layer, x))

    def valid(self, layer: Any, x: Tensor, onto: Tensor | None = None) -> Tensor:
        y = _standardise(layer, super().valid(layer, x))
        return y if onto is None else y + onto

    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        return _standardise(layer, super().enlarge(layer, x, like))


def _standardise(layer: Any, output: Tensor) -> Tensor:
    # A part of a layer has no gain of its own and stays as it is.
    if not isinstance(layer, Kernel) or layer.bias is None:
        return output
    mean, scale = output.mean((0, 2, 3)), output.std((0, 2, 3), correction=0)
    scale = scale.where(scale > LEAST_SPREAD, 1)
    if isinstance(layer, Enlarge):
        # It has a gain for each input: one scale for all outputs.
        scale = scale.mean().expand_as(scale)
    size = layer.weight if layer.gain is None else layer.gain
    size.div_(scale.view(-1, *[1] * (size.dim() - 1)))
    layer.bias.copy_((layer.bias - mean) / scale)
    return (output - mean.view(1, -1, 1, 1)) / scale.view(1, -1, 1, 1)
