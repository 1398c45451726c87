"""Watching the loss: steps that were refused, divergence, memorisation."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite, log

import torch
from torch import Tensor

from ..data import ImageSet
from ..errors import UserError
from ..model import AutoregressiveImageModel, evaluating
from ..progress import warn
from .batches import ImageStore
from .run_state import RunState

NAMED = 3  # skipped steps that are told one by one
DIVERGED = 3.0  # times the bits of the model that knows nothing
SETTLING = 50  # steps over which the loss is averaged before divergence is named
MOST_NAMES = 8  # of images in a line
HOPELESS = 10  # steps on end that are so many times beyond the bound are enough, and so many end a run for judging it


@dataclass
class LossWatch:
    """Collects the losses of steps on the device and looks at them now and then.

    A step is judged by the likelihood, one of the `parts` of its losses; all are averaged. `state` is that of the run,
    which remembers how many were skipped, and the first loss; `uniform_bits` is what the uniform model needs for a
    dimension; `nonfinite(step)` names the images that a step failed at, and `notify` says a line.
    """

    state: RunState
    uniform_bits: float
    tolerate: int
    nonfinite: Callable[[int], str]
    notify: Callable[[str], None] = warn
    parts: tuple[str, ...] = ("likelihood",)
    streak: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=SETTLING))
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Sum and number of each part (of the likelihood in bits/dim) since it was last asked for."""
    _waiting: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)

    def add(self, step: int, losses: Tensor, refused: Tensor) -> None:
        """Note a step's losses [parts] and whether it was refused, without waiting for the device."""
        self._waiting.append((step, losses, refused))

    def look(self) -> None:
        """Wait for the device and judge the steps since the last look. Raises UserError when the run is lost."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        table = torch.stack(
            [torch.hstack([losses.float().flatten(), refused.float()]) for _, losses, refused in waiting]
        ).tolist()
        for (step, _, _), (*losses, refused) in zip(waiting, table, strict=True):
            parts = dict(zip(self.parts, losses, strict=True))
            parts["likelihood"] /= log(2)
            for name, value in parts.items():
                if not refused and isfinite(value):
                    total, count = self.sums.get(name, (0.0, 0))
                    self.sums[name] = total + value, count + 1
            self._judge(step, parts["likelihood"], bool(refused))

    def _judge(self, step: int, bits: float, refused: bool) -> None:
        if refused:
            self.state.skipped += 1
            self.streak += 1
            if self.streak >= self.tolerate:
                raise UserError(self._hopeless(step, bits))
            if self.state.skipped <= NAMED:
                last = "; further ones are only counted" if self.state.skipped == NAMED else ""
                self.notify(
                    f"step {step} was skipped: its loss or gradient is not finite, with the training images "
                    f"{self.nonfinite(step)}{last}"
                )
            return
        self.streak = 0
        self.state.first_bits = bits if self.state.first_bits is None else self.state.first_bits
        self.recent.append(bits)
        latest = list(self.recent)[-HOPELESS:]
        beyond = len(latest) == HOPELESS and self.astray(min(latest) / HOPELESS)
        if beyond or (len(self.recent) == SETTLING and self.astray(self.recent_bits)):
            raise UserError(self._diverged(self.recent_bits, step))

    def settle(self, step: int) -> None:
        """At the end of a run: raise UserError if its last steps were astray, however few it had."""
        last = list(self.recent)[-HOPELESS:]
        if last and self.astray(min(last)):
            raise UserError(self._diverged(sum(last) / len(last), step))

    @property
    def healthy(self) -> bool:
        """Whether the latest steps were taken."""
        return self.streak == 0

    @property
    def recent_bits(self) -> float:
        """Mean bits/dim of the latest steps."""
        return sum(self.recent) / len(self.recent) if self.recent else float("nan")

    def astray(self, bits: float) -> bool:
        """Whether a loss in bits/dim is not finite, or far above where it began and what knowing nothing costs."""
        bound = DIVERGED * max(self.uniform_bits, (self.state.first_bits or bits) / 2)
        return not isfinite(bits) or bits > bound

    def take_mean(self) -> float | None:
        """Mean bits/dim since this was last asked; None when no step was taken."""
        total, count = self.sums.pop("likelihood", (0.0, 0))
        return total / count if count else None

    def take_parts(self) -> dict[str, float]:
        """Means since this was last asked, of those parts that were told; the likelihood's is taken before."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        self.sums.clear()
        return means

    def _diverged(self, bits: float, step: int) -> str:
        return (
            f"training diverges: {bits:.3g} bits/dim at step {step}, where a model that knows "
            f"nothing needs {self.uniform_bits:.3g}; lower the learning rate, lengthen the warm-up, or set "
            "a (smaller) clip, such as 1.0. The model folder keeps the best weights so far"
        )

    def _hopeless(self, step: int, bits: float) -> str:
        return (
            f"the loss or its gradient was not finite (loss {bits:.3g} bits/dim) in {self.streak} steps one after "
            f"the other, the last of them step {step} with the training images {self.nonfinite(step)}; the steps were "
            "not taken and the last good state is kept. Lower the learning rate, lengthen the warm-up, or set a "
            "(smaller) clip, such as 1.0, then use --resume or --overwrite. Where the images hold few values, take so "
            "many levels (--data.levels 2 for black and white)"
        )


def name_some(paths: list[str]) -> str:
    """A few of the names, and how many there are.

    >>> name_some(["a.png", "b.png"])
    'a.png, b.png'
    """
    more = f", ... ({len(paths)} in all)" if len(paths) > MOST_NAMES else ""
    return ", ".join(paths[:MOST_NAMES]) + more


def nonfinite_images(
    model: AutoregressiveImageModel, store: ImageStore, indices: Callable[[int], Tensor], images: ImageSet
) -> Callable[[int], str]:
    """The function that names the images of a step whose likelihood is not finite; all of its images where each is.

    `indices(step)` are the images of a step.
    """

    @torch.no_grad()
    def name(step: int) -> str:
        chosen = indices(step)
        with evaluating(model):
            nats = model.log_prob_map(*store.take(chosen)).float().flatten(1).sum(1).cpu()
        lost = ~nats.isfinite()
        return name_some([images.paths[index] for index in (chosen[lost] if lost.any() else chosen).tolist()])

    return name
