"""Does a model see only the past? Each pixel's log-probability is asked what in the image moves it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from .errors import UserError
from .inputs import require_model
from .model import AutoregressiveImageModel, evaluating

PIXELS_AT_ONCE = 2**16  # of the copies of the image in one pass; bounds the memory


@dataclass(frozen=True)
class Leak:
    """The log-probability of the pixel at `at` (row, column) moves with `sees` (row, column, channel).

    `amount` is the derivative, in nats for a unit of the network's signal.
    """

    at: tuple[int, int]
    sees: tuple[int, int, int]
    amount: float

    def __str__(self) -> str:
        row, column, channel = self.sees
        source = "its own value" if self.at == (row, column) else f"pixel (row {row}, column {column})"
        return (
            f"the log-probability of pixel (row {self.at[0]}, column {self.at[1]}) moves with {source},"
            f" channel {channel} (derivative {self.amount:.3g})"
        )


@dataclass(frozen=True)
class CausalityReport:
    """What a check of `checked` of a model's `pixels` found.

    `leaks` has one entry for each offending pixel, in raster order. `seen` of the `before` pixels before the
    last one that was checked move it (where pixels were changed one by one: of those that were): all of them, in a
    network without a blind spot and deep enough.
    """

    pixels: int
    checked: int
    leaks: tuple[Leak, ...]
    seen: int
    before: int

    @property
    def ok(self) -> bool:
        return not self.leaks

    @property
    def first(self) -> Leak | None:
        """The first offending pixel in raster order."""
        return self.leaks[0] if self.leaks else None

    def __str__(self) -> str:
        extent = f"{self.checked:,} of {self.pixels:,} pixels checked"
        if self.leaks:
            return (
                f"not causal: {self.leaks[0]}; {extent}, {len(self.leaks):,} of them see what they must not"
            )
        return f"causal: no pixel sees itself or a later one ({extent}); the last sees {self.seen:,} of {self.before:,}"


def check_causality(
    model: AutoregressiveImageModel,
    levels: Tensor | None = None,
    *,
    pixels: int | None = 256,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> CausalityReport:
    """Check that the gradient of each pixel's log-probability is zero at and after that pixel.

    Each pixel is checked under every class. For a model that looks at a pixel once for every channel, that goes channel
    by channel. `levels`
    `(1, C, H, W)` is the image to check at (a random one). `pixels` bounds how many pixels are checked: the
    first, the last, and others drawn by the seed (None: all); if one of them leaks, all before it are checked
    too, so that the first is found. A derivative counts above `tolerance` times the greatest of its pixel. Where
    no gradient reaches the image (a network that looks levels up in a table), pixels are changed one by one.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        levels: one image of integer levels, `(1, C, H, W)`; None: a random one.
        pixels: how many pixels are checked at most; None: all.
        tolerance: of the greatest derivative of a pixel, above which another counts.
        seed: where the noise comes from; the same seed, the same result.

    Returns:
        A `CausalityReport`, which prints as a line; `.ok` says whether the model sees the past alone.

    >>> import pixelbayes as pb
    >>> print(pb.check_causality(pb.create("digits"), pixels=4))
    causal: no pixel sees itself or a later one (4 of 64 pixels checked); the last sees 62 of 63
    """
    require_model(model)
    shape, generator = model.shape, torch.Generator().manual_seed(seed)
    if levels is None:
        size = (1, shape.channels, shape.height, shape.width)
        levels = torch.randint(0, shape.levels, size, generator=generator)
    model.check(levels)
    total = levels.shape[2] * levels.shape[3]
    most = total if pixels is None else min(pixels, total)
    between = (torch.randperm(max(total - 2, 0), generator=generator)[: max(most - 2, 0)] + 1).tolist()
    chosen = sorted({0, total - 1, *between})
    with evaluating(model):
        return _report(Probe(model, levels[:1].to(model.device), tolerance), chosen)


def require_causality(report: CausalityReport) -> None:
    """`UserError` with the first offending pixel, unless the model is causal."""
    if not report.ok:
        raise UserError(str(report))


def _report(probe: "Probe", chosen: list[int]) -> CausalityReport:
    leaks, seen = probe.by_gradient(chosen)
    if not leaks and chosen[-1] > 0:  # what is looked up in a table, or rounded, has no gradient
        leaks, moving = probe.by_changes(chosen)
        if leaks and len(chosen) <= chosen[-1]:  # a pixel that was not changed may move an earlier one
            chosen = list(range(chosen[-1] + 1))
            leaks, moving = probe.by_changes(chosen)
        if leaks or seen == 0:
            return probe.report(chosen, leaks, moving, before=len(chosen) - 1)
    first = min((leak.at for leak in leaks), default=None)
    if first is not None:
        skipped = set(range(first[0] * probe.width + first[1])) - set(chosen)
        if skipped:
            leaks = leaks + probe.by_gradient(sorted(skipped))[0]
            chosen = sorted({*chosen, *skipped})
    return probe.report(chosen, leaks, seen)


class Probe:
    """Asks one model about one image."""

    def __init__(self, model: AutoregressiveImageModel, levels: Tensor, tolerance: float):
        self.model, self.levels, self.tolerance = model, levels, tolerance
        self.channels, self.height, self.width = levels.shape[1:]
        pixels = torch.arange(self.height * self.width, device=levels.device).view(self.height, self.width)
        every = torch.arange(self.channels, device=levels.device)[:, None, None]
        self.order = pixels * self.channels + every  # of each value (c, h, w) of the image
        first = every[[channels[0] for channels in model.looks]]
        self.looked = pixels * self.channels + first  # from where each look (g, h, w) must see nothing
        self.batch = max(1, PIXELS_AT_ONCE // (self.height * self.width))

    def log_probs(self, signal: Tensor, label: Tensor | None) -> Tensor:
        """The log-probability of the image at each look, `(b, looks, h, w)`, when the network sees `signal`."""
        levels = self.levels.expand(len(signal), -1, -1, -1)
        distribution = self.model.distribution(signal, label)
        if not self.model.by_channel:
            return distribution.log_prob(levels).unsqueeze(1)
        each = range(self.channels)
        return torch.stack([distribution.channel(c, levels[:, :c]).log_prob(levels[:, c]) for c in each], 1)

    def chunks(self, chosen: Iterable[int]) -> Iterable[tuple[list[int], Tensor, Tensor, Tensor | None]]:
        """(pixels, which look at each, their places in the raster, the label) of as many copies as go through at
        once: every pixel at every look under every class."""
        looks, classes = range(len(self.model.looks)), range(max(1, len(self.model.classes)))
        targets = list(product(chosen, looks, classes))
        for start in range(0, len(targets), self.batch):
            pixels, *rest = (list(part) for part in zip(*targets[start : start + self.batch], strict=True))
            look, label = (torch.tensor(part, device=self.levels.device) for part in rest)
            yield pixels, look, self.looked.flatten(1)[look, pixels], label if self.model.classes else None

    def by_gradient(self, chosen: list[int]) -> tuple[list[Leak], int]:
        """The leaks of these pixels, and how many pixels move the last one."""
        leaks: list[Leak] = []
        seen = 0
        for pixels, look, starts, label in self.chunks(chosen):
            leaf = self.model.signal(self.levels).repeat(len(pixels), 1, 1, 1).requires_grad_()
            with torch.enable_grad():
                log_probs = self.log_probs(leaf * 1, label).flatten(2)
                total = log_probs[torch.arange(len(pixels)), look, pixels].sum()
                (gradient,) = (
                    torch.autograd.grad(total, leaf, allow_unused=True) if total.requires_grad else (None,)
                )
            if gradient is None:
                return [], 0
            limit = self.tolerance * gradient.abs().flatten(1).amax(1)
            forbidden = self.order >= starts[:, None, None, None]
            leaking = forbidden & ~(gradient.abs() <= limit[:, None, None, None])
            for index in leaking.flatten(1).any(1).nonzero().flatten().tolist():
                value = int(self.order.masked_fill(~leaking[index], self.order.numel()).argmin())
                leaks.append(self.leak(pixels[index], value, float(gradient[index].flatten()[value])))
            seen = int(((gradient[-1] != 0).any(0).flatten()[: pixels[-1]]).sum())
        return leaks, seen

    @torch.no_grad()
    def by_changes(self, chosen: list[int]) -> tuple[list[Leak], int]:
        """The same, found by changing each of these pixels in turn."""
        leaks: dict[tuple[int, int], Leak] = {}
        moving: set[int] = set()
        other = (self.levels + max(1, self.model.shape.levels // 2)) % self.model.shape.levels
        for pixels, _, starts, label in self.chunks(chosen):
            start = starts[:, None, None, None]
            changed = (self.order >= start) & (self.order < start + self.step)
            signal = self.model.signal(torch.where(changed, other, self.levels))
            before = self.log_probs(self.model.signal(self.levels).expand_as(signal), label)
            moved = (self.log_probs(signal, label) - before).abs()
            wrong = (self.looked <= start) & ~(moved <= 1e-5 * (1 + before.abs()))
            for index, look, row, column in wrong.nonzero().tolist():
                value = int((self.order == starts[index]).flatten().nonzero())
                leak = self.leak(row * self.width + column, value, float(moved[index, look, row, column]))
                leaks.setdefault(leak.at, leak)
            last = moved[:, :, -1, -1].amax(1) > 0
            moving |= {pixel for pixel, does in zip(pixels, last.tolist(), strict=True) if does}
        return list(leaks.values()), len(moving - {chosen[-1]})

    @property
    def step(self) -> int:
        """How many values are chosen at one look."""
        return len(self.model.looks[0])

    def leak(self, pixel: int, value: int, amount: float) -> Leak:
        channel, cell = divmod(value, self.height * self.width)
        return Leak(divmod(pixel, self.width), (*divmod(cell, self.width), channel), amount)

    def report(
        self, chosen: list[int], leaks: list[Leak], seen: int, before: int | None = None
    ) -> CausalityReport:
        first: dict[tuple[int, int], Leak] = {}
        for leak in sorted(leaks, key=lambda leak: (leak.at, leak.sees)):
            first.setdefault(leak.at, leak)
        asked = chosen[-1] if before is None else before
        return CausalityReport(self.height * self.width, len(chosen), tuple(first.values()), seen, asked)
