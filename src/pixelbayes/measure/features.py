"""What says how alike two images are: the features of a network, under a name that says whose they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..classifier import Classifier
from ..errors import UserError
from ..levels import ImageShape
from ..progress import track
from .inception import InceptionV3, as_seen, load_inception

AT_ONCE = 32  # images of 299x299 in a pass
DIMS = (2048, 192)


class Features(Protocol):
    """Images -> features. `name` is that of the Frechet distance that they give."""

    @property
    def name(self) -> str: ...
    @property
    def dims(self) -> int: ...

    def __call__(self, levels: Tensor, progress: bool = False) -> np.ndarray:
        """Integer levels [N, C, H, W] -> float64 [N, dims]."""
        ...


@dataclass(frozen=True)
class CNNFeatures:
    """Those of a classifier of the same data. No FID: only figures of one data set and one such file compare."""

    classifier: Classifier
    name: str = "CNN feature distance"

    @property
    def dims(self) -> int:
        return self.classifier.dims

    def __call__(self, levels: Tensor, progress: bool = False) -> np.ndarray:
        return self.classifier.features(levels).numpy()


@dataclass(frozen=True)
class InceptionFeatures:
    """Those of Inception; the name is FID where the weights are the published ones and the features the usual 2,048."""

    network: InceptionV3
    shape: ImageShape
    dims: int = 2048
    published: bool = True

    @property
    def name(self) -> str:
        if not self.published:
            return f"Inception distance, {self.dims} features, unknown weights (not FID)"
        return (
            "FID (2048 features)"
            if self.dims == 2048
            else f"Inception distance, {self.dims} features (not FID)"
        )

    @torch.inference_mode()
    def __call__(self, levels: Tensor, progress: bool = False) -> np.ndarray:
        device = self.network.fc.weight.device
        parts = levels.split(AT_ONCE)
        blocks = [
            self.network(as_seen(part.to(device).float() / (self.shape.levels - 1)), self.dims).cpu().double()
            for part in track(parts, "features", shown=progress)
        ]
        return torch.cat(blocks).numpy()


def inception_features(
    path: str | Path, shape: ImageShape, dims: int = 2048, device: "torch.device | str" = "cpu"
) -> InceptionFeatures:
    """The features of a file of Inception's weights. Raises UserError for another network's file."""
    if dims not in DIMS:
        raise UserError(f"Inception gives {' or '.join(map(str, DIMS))} features here, not {dims}")
    network, published = load_inception(path, device)
    return InceptionFeatures(network, shape, dims, published)
