"""Augmentation on the device: integer levels in, integer levels out."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..levels import ImageShape

Batch = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AugmentConfig:
    """What happens to a training image each time it is seen. Everything is off by default."""

    flip: bool = False
    """Mirror left and right, half of the time."""
    shift: int = 0
    """Move by up to so many pixels, up or down and left or right; what comes in repeats the edge. No value is mixed
    with another, so that the density is not blurred."""
    rotate: float = 0.0
    """Rotate by up to so many degrees, either way; corners show the mirrored image."""
    jitter: float = 0.0
    """Change brightness and contrast (and saturation, hue) by up to this factor, such as 0.2."""
    crop: float = 0.0
    """Cut away up to this share of the area, and enlarge the rest."""
    noise: float = 0.0
    """Standard deviation of added Gaussian noise, as a share of the whole range."""
    mutate: float = 0.0
    """Share of the values that are replaced by random levels (a background model: Ren et al. 2019, 0.1 to 0.3)."""
    mask: int = 0
    """Side in pixels of a square that is set to zero."""
    swap: int = 0
    """Side in pixels of two squares that change places."""
    custom: str | None = None
    """'module:function': a function of your own, from levels [B, C, H, W] to levels."""

    def __post_init__(self) -> None:
        for name in ("shift", "rotate", "jitter", "crop", "noise", "mutate", "mask", "swap"):
            value = getattr(self, name)
            if not 0 <= value < inf:
                raise UserError(f"augmentation: {name} must be finite and not negative, not {value}")
            if name in ("jitter", "crop", "mutate") and value >= 1:
                raise UserError(f"augmentation: {name} is a share below 1, not {value}")
        if self.rotate > 180:
            raise UserError(f"augmentation: rotate is at most 180 degrees, not {self.rotate}")

    @property
    def active(self) -> bool:
        return self != AugmentConfig()


class Augment:
    """Augments batches of levels; the same generator state gives the same images."""

    def __init__(self, config: AugmentConfig, shape: ImageShape) -> None:
        side = min(shape.height, shape.width)
        for name, length in (("shift", config.shift), ("mask", config.mask), ("swap", config.swap)):
            if length > side:
                raise UserError(f"augmentation: {name} {length} is larger than the image ({shape})")
        if config.swap and (shape.height // config.swap) * (shape.width // config.swap) < 2:
            raise UserError(
                f"augmentation: there is only one patch of {config.swap} pixels to swap in {shape}"
            )
        self.config = config
        self.shape = shape
        self.steps = _kornia_steps(config, shape)
        self.custom = _load_function(config.custom) if config.custom else None

    def __call__(self, levels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Levels `[B, C, H, W]` -> levels of the same type, rounded and within 0..L-1."""
        if not self.config.active:
            return levels
        device = generator.device if generator is not None else "cpu"
        seed = int(torch.randint(2**62, (), generator=generator, device=device))
        cuda = [levels.device] if levels.is_cuda else []
        with torch.random.fork_rng(devices=cuda), torch.no_grad():  # kornia draws from the global generators
            torch.manual_seed(seed)
            return self._applied(levels)

    def _applied(self, levels: Tensor) -> Tensor:
        if self.config.shift:
            levels = shift_images(levels, self.config.shift)
        if self.config.swap:
            levels = swap_patches(levels, self.config.swap)
        if self.steps is not None:
            top = self.shape.levels - 1
            unit = self.steps(levels.float() / top)
            levels = (unit * top).round().clamp(0, top).to(levels.dtype)
        if self.config.mutate:
            other = torch.randint(0, self.shape.levels, levels.shape, device=levels.device).to(levels.dtype)
            chosen = torch.rand(levels.shape, device=levels.device) < self.config.mutate
            levels = torch.where(chosen, other, levels)
        return levels if self.custom is None else self._by_custom(levels, self.custom)

    def _by_custom(self, levels: Tensor, custom: Batch) -> Tensor:
        """What comes from outside must still be images of this shape and type."""
        name = self.config.custom
        try:
            result: Any = custom(levels)
        except Exception as error:  # code of the user's own may raise anything
            raise UserError(f"augmentation: {name} failed: {type(error).__name__}: {error}") from error
        if not isinstance(result, Tensor) or result.shape != levels.shape or result.dtype != levels.dtype:
            tensor = isinstance(result, Tensor)
            what = f"{result.dtype} {tuple(result.shape)}" if tensor else type(result).__name__
            raise UserError(f"augmentation: {name} returned {what}, not {levels.dtype} {tuple(levels.shape)}")
        return result.clamp(0, self.shape.levels - 1)


def shift_images(levels: Tensor, reach: int) -> Tensor:
    """`[B, C, H, W]` -> each image moved by -reach..reach pixels along both sides, its edges repeated; drawn from the
    global generator of the CPU (so the choice does not depend on the device)."""
    rows, columns = (
        _shifted(size, torch.randint(-reach, reach + 1, (len(levels), 1))) for size in levels.shape[-2:]
    )
    index = (rows[:, :, None] * levels.shape[-1] + columns[:, None, :]).flatten(1).to(levels.device)
    return levels.flatten(2).gather(2, index[:, None].expand(-1, levels.shape[1], -1)).view_as(levels)


def _shifted(size: int, by: Tensor) -> Tensor:
    """Where each place along a side gets its value from, `(B, size)`, for moves `(B, 1)`."""
    return (torch.arange(size) - by).clamp(0, size - 1)


def swap_patches(levels: Tensor, side: int) -> Tensor:
    """`[B, C, H, W]` -> the same with two squares of a grid exchanged in each image, drawn from the global
    generator of the CPU (so the choice does not depend on the device)."""
    batch, _, height, width = levels.shape
    rows, columns = height // side, width // side
    cells = rows * columns
    if cells < 2:
        return levels
    first = torch.randint(cells, (batch,))
    second = (first + torch.randint(1, cells, (batch,))) % cells
    source = torch.arange(height * width).repeat(batch, 1)
    for cell, other in ((first, second), (second, first)):
        source.scatter_(1, _pixels(cell, columns, side, width), _pixels(other, columns, side, width))
    index = source.to(levels.device)[:, None].expand(-1, levels.shape[1], -1)
    return levels.flatten(2).gather(2, index).view_as(levels)


def _pixels(cell: Tensor, columns: int, side: int, width: int) -> Tensor:
    """Positions in raster order of a cell's pixels, `[B, side * side]`."""
    top, left = (cell // columns) * side, (cell % columns) * side
    offsets = (torch.arange(side)[:, None] * width + torch.arange(side)).flatten()
    return (top * width + left)[:, None] + offsets


def cuts_nothing(crop: float, shape: ImageShape) -> bool:
    """Whether a crop is so small that it changes no image: sides are rounded to whole pixels."""
    return 0 < crop < 1 - (1 - 0.5 / max(shape.height, shape.width)) ** 2


def _kornia_steps(config: AugmentConfig, shape: ImageShape) -> nn.Module | None:
    """The chosen transformations of images in [0, 1], in order."""
    if not (config.flip or config.rotate or config.jitter or config.crop or config.noise or config.mask):
        return None
    from kornia import augmentation as kornia

    size, aspect = (shape.height, shape.width), shape.width / shape.height
    steps: list[Any] = []
    if config.flip:
        steps.append(kornia.RandomHorizontalFlip(p=0.5))
    if config.rotate:
        steps.append(kornia.RandomAffine(degrees=config.rotate, padding_mode="reflection", p=1.0))
    if config.crop:
        scale = (1 - config.crop, 1.0)
        steps.append(kornia.RandomResizedCrop(size, scale=scale, ratio=(aspect, aspect), p=1.0))
    if config.jitter:
        steps += _jitter(kornia, config.jitter, shape.channels)
    if config.noise:
        steps.append(kornia.RandomGaussianNoise(mean=0.0, std=config.noise, p=1.0))
    if config.mask:
        share = config.mask**2 / (shape.height * shape.width)
        steps.append(kornia.RandomErasing(scale=(share, share), ratio=(1.0, 1.0), value=0.0, p=1.0))
    return nn.Sequential(*steps)


def _jitter(kornia: Any, strength: float, channels: int) -> list[Any]:
    """Grey images have no saturation and hue; hue turns by a quarter of the strength."""
    if channels == 3:
        return [kornia.ColorJiggle(strength, strength, strength, min(strength / 4, 0.5), p=1.0)]
    reach = (1 - strength, 1 + strength)
    return [kornia.RandomBrightness(brightness=reach, p=1.0), kornia.RandomContrast(contrast=reach, p=1.0)]


def _load_function(name: str) -> Batch:
    module, colon, function = name.partition(":")
    if not colon or not function:
        raise UserError(f"augmentation: custom is 'module:function', not '{name}'")
    try:
        custom = getattr(import_module(module), function)
    except Exception as error:  # a module of the user's own may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        hint = f"; --import {module} finds it in the working folder" if missing else ""
        raise UserError(f"augmentation: custom '{name}' cannot be loaded: {error}{hint}") from error
    if not callable(custom):
        raise UserError(f"augmentation: custom '{name}' is no function")
    return custom
