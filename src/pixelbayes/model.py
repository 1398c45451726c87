"""A model gives every pixel a probability distribution, given the pixels before it and the label."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from . import distributions, networks, views
from .causal.scan import Scan, WholeImage
from .distributed import in_float64
from .distributions import DistributionConfig, PixelDistribution
from .errors import UserError, check_whole
from .fusion import Fusion, FusionConfig
from .inputs import Images, LabelsLike, as_levels, check_levels, images_of, label_indices
from .labels import Labels
from .levels import ImageShape, to_signal
from .model_config import ModelConfig as ModelConfig
from .model_config import from_spec as from_spec
from .model_config import spec as spec
from .networks import NetworkConfig
from .posterior import Calibration as Calibration
from .posterior import log_prior
from .records import ModelRecord

PIXELS_WITH_GRAPH = 1 << 16
"""Of images whose graph is kept for their gradients: a gigabyte or so at 40 filters."""


class AutoregressiveImageModel(nn.Module):
    """p(image | class), exactly: a network, what its output means for a pixel, and the names of the classes.

    Images are integer levels `(n, C, H, W)`; likelihoods are in nats. `record` says
    how the model came about (its data, recipe, training).
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config, self.shape, self.classes = config, config.shape, Labels(config.classes)
        views.check(config.fusion.views, config.shape)
        self.by_channel = config.network.by_channel(config.shape)
        outputs = config.distribution.parameters(config.shape, self.by_channel)
        fusion = Fusion(config.fusion, len(config.classes))
        self.network = config.network.build(config.shape, outputs, fusion)
        fusion.check(networks.CONFIGS.called(config.network))
        self.calibration = Calibration()
        self.record = ModelRecord()
        self.prior: tuple[float, ...] | None = None  # a weight for each class; None: all alike

    @property
    def description(self) -> dict[str, Any]:
        """`record` as plain data, as it lies in config.json."""
        return self.record.to_dict()

    @description.setter
    def description(self, table: dict[str, Any]) -> None:
        self.record = ModelRecord.from_dict(table)

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters())

    def __repr__(self) -> str:
        """A few lines on what the model is; `model.network` shows the layers."""
        config, fitted = self.config, self.calibration
        names = ", ".join(self.classes.names[:8]) + (", ..." if len(self.classes) > 8 else "")
        count = self.num_parameters
        offsets = ", an offset for each class" if any(fitted.offsets) else ""
        lines = {
            "network": f"{networks.CONFIGS.called(config.network)}, {count:,} parameters",
            "distribution": distributions.CONFIGS.called(config.distribution),
            "images": str(self.shape),
            "classes": f"{len(self.classes)} ({names})" if self.classes else "none: it cannot classify",
            "strategy": config.fusion.strategy if self.classes else "",
            "views": config.fusion.views if config.fusion.views != "none" else "",
            "calibration": f"temperature {fitted.temperature:.3g}{offsets}" if fitted.active else "none",
        }
        if self.classes and self.network_ignores_labels:
            lines["strategy"] += ": the label enters nowhere, it cannot classify"
        width = max(map(len, lines))
        rows = (f"  {name:<{width}}  {value}" for name, value in lines.items() if value)
        return "\n".join([type(self).__name__, *rows])

    @property
    def network_ignores_labels(self) -> bool:
        """Whether the label enters the network nowhere; a module from outside is handed the label itself."""
        if not self.classes:
            return False
        if hasattr(self.config.network, "label"):
            return bool(self.config.network.label == "none")
        return not self.config.fusion.row().acts

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    @property
    def looks(self) -> list[tuple[int, ...]]:
        """The channels that are chosen at each look at a pixel: all at once, or one after the other."""
        channels = range(self.shape.channels)
        return [(c,) for c in channels] if self.by_channel else [tuple(channels)]

    def signal(self, levels: Tensor) -> Tensor:
        """What the network sees of integer levels."""
        return to_signal(levels.to(self.device), self.shape.levels, self.shape.signal, self.dtype)

    def distribution(
        self, image: Tensor, label: Tensor | None = None, scan: Scan | None = None
    ) -> PixelDistribution:
        """The distribution of each pixel under the scan, given those before it.

        `image` is integer levels, or already the signal if it is floating (then gradients reach it).
        """
        return self.to_distribution(self.pixel_parameters(image, label, scan))

    def pixel_parameters(
        self, image: Tensor, label: Tensor | None = None, scan: Scan | None = None
    ) -> Tensor:
        """The network's output `(n, P, h, w)` for the cells under the scan."""
        signal = image if image.is_floating_point() else self.signal(image)
        return self.network(signal, label, scan or WholeImage())

    def to_distribution(self, parameters: Tensor) -> PixelDistribution:
        """Network output `(n, P, h, w)` -> what it means, always in float32 at least."""
        wide = parameters.float() if parameters.dtype in (torch.bfloat16, torch.float16) else parameters
        return self.config.distribution(wide.contiguous(), self.shape, self.by_channel)

    def log_prob_map(self, levels: Images, labels: LabelsLike | None = None) -> Tensor:
        """log p of each pixel given those before it and the label, `(n, H, W)` in nats."""
        levels = self.images(levels)
        label = self.check_labels(labels, len(levels))
        levels = levels.to(self.device)
        if not len(levels):  # networks need not know empty batches
            return levels.new_zeros(0, *levels.shape[2:], dtype=self.dtype)
        return self.distribution(levels, label).log_prob(levels)

    def log_prob(self, levels: Images, labels: LabelsLike | None = None, batch: int | None = None) -> Tensor:
        """log p(image | label) in nats, summed in and returned as float64 `(n,)`.

        `labels` is None for a model without classes. Gradients flow; of more than `PIXELS_WITH_GRAPH` pixels no graph
        is kept, and the backward pass computes each piece of them once more. With `batch`, so many images go through
        the network at once, and no gradients flow. Raises `UserError` for images or labels that do not fit.
        """
        check_whole("the batch", batch, least=1)
        levels = self.images(levels)
        label = self.check_labels(labels, len(levels))
        size = batch or max(1, PIXELS_WITH_GRAPH // max(1, levels.shape[2] * levels.shape[3]))
        if batch is None and len(levels) <= size:
            return self._log_prob(levels, label)
        parts = levels.split(size)
        pairs = list(zip(parts, [None] * len(parts) if label is None else label.split(size), strict=True))
        if batch is None and torch.is_grad_enabled():
            return torch.cat([checkpoint(self._log_prob, *pair, use_reentrant=False) for pair in pairs])
        with torch.no_grad():
            return torch.cat([self._log_prob(*pair) for pair in pairs])

    def _log_prob(self, levels: Tensor, label: Tensor | None) -> Tensor:
        return in_float64(self.log_prob_map(levels, label)).sum((1, 2))

    def forward(self, levels: Images, labels: LabelsLike | None = None) -> Tensor:
        """log p(image | label) in nats `(n,)`; without labels that of every class, `(n, classes)`. Gradients flow."""
        if labels is not None or not self.classes:
            return self.log_prob(levels, labels)
        return in_float64(self.class_log_prob_maps(self.images(levels))).sum((2, 3))

    def under(self, labels: Tensor | None, views: Tensor | None) -> Tensor | None:
        """Labels `(n,)` of images that are shown under `views`, indices in the group `config.fusion.views` `(n,)`, as
        the network takes them."""
        if views is None or self.config.fusion.views == "none":
            return labels
        return views if labels is None else labels + len(self.classes) * views

    def class_log_prob_maps(
        self, levels: Images, classes: Sequence[int] | None = None, shown: Tensor | None = None
    ) -> Tensor:
        """log p of each pixel given those before it, under each of `classes` (indices; all of them when None).

        Returns `(n, k, H, W)` in nats; k is 1 for a model without classes. Gradients flow. Features that the label
        has not reached are computed once for all classes, where the network shares them. The levels are taken as they
        are, upright or as `shown` (views: see `under`): `check` them first where they come from outside.
        """
        levels = as_levels(levels).to(self.device)
        if not self.classes:
            if not len(levels):
                return self.log_prob_map(levels)[:, None]
            return self.distribution(levels, self.under(None, shown)).log_prob(levels)[:, None]
        chosen = torch.arange(len(self.classes)) if classes is None else torch.tensor(tuple(classes))
        b, k = len(levels), len(chosen)
        if not b:  # networks need not know empty batches
            return levels.new_zeros(0, k, *levels.shape[2:], dtype=self.dtype)
        seen = levels if self.network.shares_classes else levels.repeat_interleave(k, 0)
        each = None if shown is None else shown.repeat_interleave(k)
        labels = self.under(chosen.to(self.device).repeat(b), each)
        parameters = self.pixel_parameters(seen, labels, WholeImage(images=b))
        # Where the label has reached nothing, one row serves all classes.
        rows = levels.repeat_interleave(len(parameters) // b, 0)
        with torch.autocast(levels.device.type, enabled=False):
            maps = self.to_distribution(parameters).log_prob(rows)
        return maps.unflatten(0, (b, -1)).expand(-1, k, -1, -1)

    @torch.no_grad()
    def log_likelihoods(self, levels: Images, batch: int = 64) -> Tensor:
        """log p(x | c) for each class c, `(n, classes)` in nats, float64, without prior or calibration.

        `batch` counts pairs of an image and a class that go through the network at once. `likelihood.log_likelihoods`
        gives the same chunk by chunk, for more images than memory holds.
        """
        check_whole("the batch", batch, least=1)
        if not self.classes:
            raise UserError("this model has no classes: it cannot classify")
        levels = self.images(levels)
        pieces = [piece.tolist() for piece in torch.arange(len(self.classes)).split(batch)]
        with evaluating(self):
            parts = levels.split(max(1, batch // len(self.classes)))
            return torch.cat([self._of_each_class(part, pieces) for part in parts])

    def _of_each_class(self, levels: Tensor, pieces: list[list[int]]) -> Tensor:
        maps = (self.class_log_prob_maps(levels, classes) for classes in pieces)
        return torch.cat([in_float64(each).sum((2, 3)) for each in maps], 1)

    def log_joint(self, levels: Images, batch: int = 64) -> Tensor:
        """log p(x | c) + log p(c), `(n, classes)` in nats, float64; the prior is uniform unless `prior` is set."""
        return self.with_prior(self.log_likelihoods(levels, batch))

    def with_prior(self, log_likelihoods: Tensor) -> Tensor:
        """log p(x | c) `(n, classes)` -> log p(x, c), by `prior`, whose weights need not sum to one."""
        return log_likelihoods + self.log_prior().to(log_likelihoods)

    def log_prior(self) -> Tensor:
        """log p(c) `(classes,)`, float64, of the weights in `prior`; uniform where there are none."""
        weights = self.prior if self.prior is not None else (1.0,) * len(self.classes)
        if (
            len(weights) != len(self.classes)
            or not all(0 <= weight < inf for weight in weights)
            or not sum(weights)
        ):
            raise UserError(
                f"a prior needs a weight of 0 or more for each of {len(self.classes)} classes, not {weights}"
            )
        return log_prior(weights)

    def images(self, given: Images) -> Tensor:
        """Levels `(n, C, H, W)` of images in any of the layouts `(n, H, W)`, NCHW and NHWC (see docs/data.md).

        Raises UserError for what the model does not know.
        """
        return images_of(given, self.shape)

    def check(self, levels: Tensor) -> None:
        """`UserError` unless these are integer levels of such images as the model knows."""
        check_levels(levels, self.shape)

    def check_labels(self, labels: LabelsLike | None, count: int) -> Tensor | None:
        """Labels as a tensor on the model's device; `UserError` for missing, unknown or foreign ones.

        A tensor holds indices, as this library gives them; lists and arrays are read by the rule of `Labels.index`.
        """
        label = label_indices(labels, self.classes, count)
        return None if label is None else label.to(self.device)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, whatever happens inside; then as before."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def build(
    shape: ImageShape,
    classes: Labels,
    network: NetworkConfig,
    distribution: DistributionConfig,
    fusion: FusionConfig | None = None,
) -> AutoregressiveImageModel:
    """An untrained model of these parts; `UserError` where they do not go together."""
    config = ModelConfig(shape, network, distribution, fusion or FusionConfig(), classes.names)
    return AutoregressiveImageModel(config)
