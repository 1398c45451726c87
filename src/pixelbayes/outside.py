"""Other people's networks: any torch module `(image, label) -> parameters`, judged and sampled like our own.

Such a module knows no glimpses: each look of a walk is a full pass, of which one cell is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributions
from .causal.scan import Scan
from .causality import check_causality, require_causality
from .distributions import DistributionConfig
from .errors import UserError, unknown
from .fusion import Fusion, FusionConfig
from .levels import ImageShape
from .model import AutoregressiveImageModel
from .model_config import ModelConfig
from .networks import Network, NetworkConfig

LAYOUTS = ("bphw", "bhwp", "bclhw", "blchw", "bchwl", "bhwcl")
"""The order of an output's axes: batch, all parameters (or channel and level apart), height, width."""

LABELS = ("index", "one_hot", "none")
CHECKED_AT_ONCE, FEWEST = 32, 4  # pixels, of up to ten classes; a thorough check is the user's to ask for

Call = Callable[[Any, Tensor, Tensor | None], Tensor]
"""(module, image, label) -> the output, for a module that wants more or other arguments."""


def adapt(
    module: Callable[..., Tensor],
    distribution: DistributionConfig | str,
    shape: ImageShape | tuple[int, int, int] | tuple[int, int, int, int],
    classes: int | Iterable[str] = (),
    *,
    signal: tuple[float, float] = (-1.0, 1.0),
    label: Literal["index", "one_hot", "none"] = "index",
    layout: str | None = None,
    colour_masks: bool = False,
    call: Call | None = None,
    check: bool = True,
) -> AutoregressiveImageModel:
    """A model of ours around `module`, for `pb.generate`, `pb.classify`, `pb.evaluate`, `pb.check_causality`.

    `module(image, label)` takes images `(b, C, H, W)` whose darkest and brightest level are the two numbers of
    `signal`, and labels `(b,)`, int64, or one-hot `(b, classes)`; with no classes, or `label` "none", `module(image)`.
    `distribution` says what its output means, by name or as a configuration: `pb.distributions.LogisticMixture(10)`
    reads the PixelCNN++ port's parameters, "categorical" reads logits. `shape` is `(C, H, W)`, `(C, H, W, levels)`
    or an `ImageShape`. `classes` are names, or how many. `layout` is the order of the output's axes, one of
    `LAYOUTS`, found by their sizes when not given. `colour_masks`: G sees R, and B sees R and G, inside the
    module. `call(module, image, label)` replaces the call itself.

    The module is put into evaluation mode, and with `check` some of its pixels are checked. Raises `UserError`
    for a module that sees the future, naming the first such pixel, and for an output that does not fit. An
    adapted model cannot be saved: its weights are the module's.

    >>> import torch, pixelbayes as pb
    >>> class Flat(torch.nn.Module):
    ...     def forward(self, image, label):
    ...         return torch.zeros(len(image), 4, *image.shape[2:])
    >>> flat = pb.adapt(Flat(), "categorical", (1, 2, 3, 4), classes=["cat", "dog"])
    >>> round(pb.bits_per_dim(flat.log_prob(torch.zeros(1, 1, 2, 3, dtype=torch.uint8), [0]), flat.shape), 6)
    2.0
    """
    if label not in LABELS:
        raise unknown("label form", label, LABELS)
    if layout is not None and layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    if signal[0] == signal[1]:
        raise UserError(
            f"signal is the darkest and the brightest value that the module expects, not {signal}"
        )
    family = _family(distribution)
    names = tuple(str(index) for index in range(classes)) if isinstance(classes, int) else tuple(classes)
    outside = OutsideModule(module, signal, label if names else "none", layout, colour_masks, call)
    images = shape if isinstance(shape, ImageShape) else ImageShape(*shape)
    model = AdaptedModel(ModelConfig(images, outside, family, FusionConfig("none"), names)).eval()
    model.try_out()
    if check:
        require_causality(
            check_causality(model, pixels=max(FEWEST, CHECKED_AT_ONCE // max(1, len(names) // 10)))
        )
    return model


def _family(distribution: Any) -> DistributionConfig:
    """What a module's output means, from a name or a configuration."""
    if isinstance(distribution, str):
        return distributions.CONFIGS[distribution]()
    if isinstance(distribution, type) or not callable(distribution):
        raise UserError(
            f"the distribution is a name or a configuration such as Categorical(), not {distribution!r}"
        )
    return distribution


@dataclass(frozen=True)
class OutsideModule(NetworkConfig):
    """How a module from outside is called, and how its output lies. It has no name, and cannot be saved."""

    module: Callable[..., Tensor]
    signal: tuple[float, float]
    label: str
    layout: str | None
    colour_masks: bool
    call: Call | None

    def by_channel(self, shape: ImageShape) -> bool:
        return self.colour_masks and shape.channels > 1

    def build(self, shape: ImageShape, outputs: int, fusion: Fusion) -> Network:
        return AdaptedNetwork(self, shape.channels, outputs, fusion.classes)


class AdaptedNetwork(Network):
    """The module, with its image, label and output translated; a glimpse is cut out of the whole."""

    def __init__(self, config: OutsideModule, channels: int, outputs: int, classes: int):
        super().__init__()
        self.config, self.channels, self.outputs, self.classes = config, channels, outputs, classes
        self.module = config.module

    def forward(self, image: Tensor, label: Tensor | None, scan: Scan) -> Tensor:
        low, high = self.config.signal
        # A copy in any case: the module may work in its image, which the walk goes on with.
        seen = image.clone() if (low, high) == (-1, 1) else low + (image + 1) * ((high - low) / 2)
        output = self.ask(seen, self.translate(label, image))
        if not isinstance(output, Tensor):
            raise UserError(
                f"the module returns a {type(output).__name__}, not a tensor: take it out with call="
            )
        rows, columns = scan.cells(image)
        return self.parameters_of(output, image)[:, :, slice(*rows), slice(*columns)]

    def ask(self, image: Tensor, label: Tensor | None) -> Tensor:
        if self.config.call is not None:
            return self.config.call(self.module, image, label)
        return self.module(image) if label is None else self.module(image, label)

    def translate(self, label: Tensor | None, image: Tensor) -> Tensor | None:
        if label is None or self.config.label == "none":
            return None
        return (
            F.one_hot(label.long(), self.classes).to(image.dtype)
            if self.config.label == "one_hot"
            else label.long()
        )

    def parameters_of(self, output: Tensor, image: Tensor) -> Tensor:
        """The module's output -> `(b, P, h, w)`, whatever the order of its axes."""
        sizes = dict(
            zip("bcphwl", (len(image), self.channels, self.outputs, *image.shape[2:], 0), strict=True)
        )
        sizes["l"] = self.outputs // self.channels
        known = [self.config.layout] if self.config.layout else list(LAYOUTS)
        fitting = [axes for axes in known if tuple(sizes[axis] for axis in axes) == tuple(output.shape)]
        if not fitting:
            raise UserError(self.complaint(output, image, sizes))
        if len(fitting) > 1:
            raise UserError(
                f"the module's output {tuple(output.shape)} may lie as {' or '.join(fitting)}: say layout="
            )
        axes, layout = fitting[0], "bphw" if output.dim() == 4 else "bclhw"
        ordered = output.permute([axes.index(axis) for axis in layout])
        return ordered if output.dim() == 4 else ordered.flatten(1, 2)

    def complaint(self, output: Tensor, image: Tensor, sizes: dict[str, int]) -> str:
        expected = tuple(sizes[axis] for axis in self.config.layout or "bphw")
        return (
            f"the module's output is {tuple(output.shape)} for images {tuple(image.shape)}, but the distribution"
            f" needs {self.outputs} numbers a pixel, {expected} (layouts: {', '.join(LAYOUTS)})"
        )


class AdaptedModel(AutoregressiveImageModel):
    """A model whose network may be any function: it need not have parameters."""

    @property
    def device(self) -> torch.device:
        return next((tensor.device for tensor in self.parameters()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        return next(
            (tensor.dtype for tensor in self.parameters() if tensor.is_floating_point()), torch.float32
        )

    @torch.no_grad()
    def try_out(self) -> None:
        """One pass, so that a module that does not fit is refused here; two images, as their axis must not be lost."""
        shape = self.shape
        levels = torch.zeros(2, shape.channels, shape.height, shape.width, dtype=torch.int64)
        label = torch.zeros(2, dtype=torch.int64) if self.classes else None
        try:
            output = self.log_prob_map(levels, label)
        except (TypeError, RuntimeError, ValueError, IndexError) as error:
            module = self.network.module
            name = type(module).__name__ if isinstance(module, nn.Module) else "the function"
            reason = f"{name} cannot be called with images {tuple(levels.shape)}"
            raise UserError(f"{reason} ({error}): see call=") from error
        if not bool(output.isfinite().all()):
            raise UserError("the module gives a log-probability that is not finite")
