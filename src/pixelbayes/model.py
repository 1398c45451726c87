"""A model gives every pixel a probability distribution, given the pixels before it and the label."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import inf
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from . import distributions, networks, views
from .causal.scan import Scan, WholeImage
from .distributions import DistributionConfig, PixelDistribution
from .errors import UserError, check_whole
from .fusion import Fusion, FusionConfig
from .labels import UNKNOWN, Labels
from .levels import ImageShape, to_signal
from .networks import NetworkConfig
from .plain import from_plain
from .records import ModelRecord

Images = Tensor | np.ndarray
"""Integer levels `(n, C, H, W)`."""

LabelsLike = Tensor | np.ndarray | Sequence[int] | Sequence[str]
"""A class for each image, by index or by name."""

PIXELS_WITH_GRAPH = 1 << 16
"""Of images whose graph is kept for their gradients: a gigabyte or so at 40 filters."""

COMPUTABLE = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.int64,
}
"""Types that torch stores, but hardly computes with -> the one to use."""


@dataclass(frozen=True)
class Calibration:
    """Posterior = softmax(log p(x|c) / temperature + offsets + log prior); fitted on whole validation images.

    The temperature mends what the network claims about an image, which a prior has no part in: a prior of 10 to 1
    shifts the log odds by ln 10, whatever the temperature.
    """

    temperature: float = 1.0
    offsets: tuple[float, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return self.temperature != 1.0 or any(self.offsets)

    def of_part(self, share: float) -> "Calibration":
        """The calibration of a part that holds this share of an image's pixels: temperature 1 + (T - 1) * share.

        Evidence of n pixels, each with an error of its own and one that all of them have in common, has a mean that
        grows as n and a variance of a n + b n^2. It can be believed where the variance is twice the mean: divided
        by a temperature T whose excess T - 1 grows as n. Offsets, in nats before the division, grow as n, too.
        `share` may be above 1, where pixels count twice.

        >>> Calibration(1.8, (0.9, -0.9)).of_part(0.25)
        Calibration(temperature=1.2, offsets=(0.3375, -0.3375))
        """
        if share == 1:
            return self
        temperature = 1 + (self.temperature - 1) * share
        temperature = max(
            temperature, min(self.temperature, 1.0)
        )  # below 1, a part that counts often would pass 0
        part = share * self.temperature / temperature
        return Calibration(temperature, tuple(offset * part for offset in self.offsets))

    def posterior(self, log_likelihoods: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """log p(x|c) `(n, classes)` and log p(c) `(classes,)` in nats (uniform when None) -> probabilities, float64."""
        return self.scores(log_likelihoods, log_prior).softmax(1)

    def scores(self, log_likelihoods: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """The same, as the logarithm of the posterior up to a constant for each image."""
        scores = in_float64(log_likelihoods) / self.temperature
        for term in (scores.new_tensor(self.offsets) if self.offsets else None, log_prior):
            scores = scores if term is None else scores + term
        return scores


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a model without weights."""

    shape: ImageShape
    network: NetworkConfig
    distribution: DistributionConfig
    fusion: FusionConfig = field(default_factory=FusionConfig)
    classes: tuple[str, ...] = ()


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
        prior = torch.tensor(weights, dtype=torch.float64)
        return (prior / prior.sum()).log()

    def images(self, given: Images) -> Tensor:
        """Levels `(n, C, H, W)` of images in any of the layouts `(n, H, W)`, NCHW and NHWC (see docs/data.md).

        Raises UserError for what the model does not know.
        """
        levels = as_levels(given)
        channels = self.shape.channels
        if levels.dim() == 3 and channels == 1:
            levels = levels[:, None]
        elif levels.dim() == 4 and levels.shape[1] != channels and levels.shape[3] == channels:
            levels = levels.permute(0, 3, 1, 2)
        self.check(levels)
        return levels

    def check(self, levels: Tensor) -> None:
        """`UserError` unless these are integer levels of such images as the model knows."""
        if levels.dim() != 4 or levels.is_floating_point() or levels.is_complex():
            raise UserError(
                f"images must be integer levels (n, {self.shape.channels}, height, width),"
                f" not {levels.dtype} {tuple(levels.shape)}"
            )
        if levels.shape[1] != self.shape.channels:
            raise UserError(
                f"the model knows images of {self.shape.channels} channel(s), not {levels.shape[1]}"
            )
        if 0 in levels.shape[1:]:
            raise UserError(f"images must have a height and a width of 1 or more, not {tuple(levels.shape)}")
        if levels.numel() and (int(levels.max()) >= self.shape.levels or int(levels.min()) < 0):
            raise UserError(
                f"levels must lie in 0..{self.shape.levels - 1}, not {int(levels.min())}..{int(levels.max())}"
            )

    def check_labels(self, labels: LabelsLike | None, count: int) -> Tensor | None:
        """Labels as a tensor on the model's device; `UserError` for missing, unknown or foreign ones.

        A tensor holds indices, as this library gives them; lists and arrays are read by the rule of `Labels.index`.
        """
        if not self.classes:
            if labels is not None:
                raise UserError("this model has no classes: it takes no labels")
            return None
        if labels is None:
            raise UserError(f"this model needs a label for each image (classes: {', '.join(self.classes)})")
        label = _whole(labels) if isinstance(labels, Tensor) else as_indices(labels, self.classes)
        if label.shape != (count,):
            raise UserError(f"{count} images need {count} labels, not {tuple(label.shape)}")
        if count and not (int(label.min()) >= 0 and int(label.max()) < len(self.classes)):
            raise UserError(
                f"labels must lie in 0..{len(self.classes) - 1} (unknown ones have no likelihood)"
            )
        return label.to(self.device)


def in_float64(values: Tensor) -> Tensor:
    """The same in float64; on the CPU where the device has no such numbers.

    >>> in_float64(torch.ones(1)).dtype
    torch.float64
    """
    return (values.cpu() if values.device.type == "mps" else values).double()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, whatever happens inside; then as before."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def require_model(model: object) -> None:
    """`UserError` for what is no model, such as the path of one."""
    if not hasattr(model, "log_prob"):
        hint = f": load it with pb.load({str(model)!r})" if isinstance(model, str | PathLike) else ""
        raise UserError(f"a model is needed, not {model!r}{hint}")


def as_levels(images: Images) -> Tensor:
    """An integer array or tensor as a tensor of a type that torch computes with; `UserError` for what is no array."""
    if not isinstance(images, Tensor):
        if not isinstance(images, list | tuple) and not hasattr(images, "__array__"):
            raise UserError(
                f"images must be an array or a tensor of integer levels, not {type(images).__name__}"
            )
        try:  # a tensor shares memory that it may write to, in the machine's own order
            values = np.asarray(images)
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
            images = torch.as_tensor(np.require(values, requirements=["C", "W"]))
        except (TypeError, ValueError) as error:
            raise UserError(f"images must be an array of integer levels ({error})") from error
    return images.to(COMPUTABLE.get(images.dtype, images.dtype))


def as_indices(labels: LabelsLike | int | str, classes: Labels) -> Tensor:
    """Names and numbers -> int64 indices of the same shape, each by the rule of `Labels.index`; -1, None, '' and NaN,
    which say 'unknown', -> -1. Raises UserError for anything else.

    >>> as_indices(["dog", "cat"], Labels(("cat", "dog"))), as_indices([1, 10], Labels(("1", "2", "10")))
    (tensor([1, 0]), tensor([0, 2]))
    """
    try:
        given = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    except (TypeError, ValueError) as error:
        raise UserError(f"labels must be whole numbers or names ({error})") from error
    if given.dtype.kind not in "biufUO":
        raise UserError(f"labels must be whole numbers or names, not {given.dtype} values")
    table = {word: _index_of(word, classes) for word in {_plain(each) for each in given.flat}}
    indices = np.array([table[_plain(each)] for each in given.flat], np.int64)
    return torch.from_numpy(indices.reshape(given.shape))


def _whole(labels: Tensor) -> Tensor:
    """A tensor of indices as int64."""
    if labels.dtype == torch.bool or labels.is_complex():
        raise UserError(f"labels must be whole numbers or names, not {labels.dtype} values")
    if labels.is_floating_point() and bool((labels != labels.floor()).any()):
        raise UserError("labels must be whole numbers or names, not fractions")
    return labels.long()


def _plain(label: object) -> str | int:
    """A label as a text or a whole number: '' where it says 'unknown'. Raises UserError for what is neither."""
    if isinstance(label, np.generic):
        label = label.item()
    if label is None or label != label:
        return ""
    if isinstance(label, bool):
        return str(label)
    if isinstance(label, float) and label.is_integer():
        return int(label)
    if not isinstance(label, str | int):
        raise UserError(f"labels must be whole numbers or names, not {label!r}")
    return label


def _index_of(label: str | int, classes: Labels) -> int:
    if label in ("", UNKNOWN) and str(label) not in classes.names:
        return UNKNOWN
    if label in ("True", "False") and label not in classes.names:
        return classes.index(int(label == "True"))
    return classes.index(label)


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


def spec(config: ModelConfig) -> dict[str, Any]:
    """A configuration as plain data, for `config.json`."""
    return {
        "shape": asdict(config.shape),
        "network": {"name": networks.CONFIGS.name_of(config.network), **asdict(config.network)},
        "distribution": {
            "name": distributions.CONFIGS.name_of(config.distribution),
            **asdict(config.distribution),  # type: ignore[call-overload]
        },
        "fusion": asdict(config.fusion),
        "classes": list(config.classes),
    }


def from_spec(data: dict[str, Any]) -> ModelConfig:
    """Plain data -> a configuration; raises `UserError`, `KeyError` or `TypeError` where it is not one."""
    network, distribution = dict(data["network"]), dict(data["distribution"])
    return ModelConfig(
        from_plain(ImageShape, data["shape"], "shape"),
        from_plain(networks.CONFIGS[network.pop("name")], network, "network"),
        from_plain(distributions.CONFIGS[distribution.pop("name")], distribution, "distribution"),
        from_plain(FusionConfig, data["fusion"], "fusion"),
        tuple(data["classes"]),
    )
