"""A run: its parts, where it stands, and its state saved and restored."""

import time
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data import ImageSet
from ..distributed import agree, is_first
from ..journals import Journal
from ..model import AutoregressiveImageModel
from ..objectives import Objective
from ..speed import seconds_of
from ..training_config import TrainingConfig
from .batches import Batches
from .guard import Guard, Interrupted
from .pacing import Budget, Clock, Moment
from .run_state import RunState, SavedState
from .state_files import pack_optimiser, restore, save_state, tensors_of
from .step import EMA, Stepper, learning_rate
from .validation import ValidationPlan
from .watch import LossWatch

SOUND = 16  # images on which weights are tried before they are saved
SHEETS = 5  # of samples in a run, where nothing else is asked for
LOOK_EVERY = 10  # steps between looks at a GPU's results; waiting for each would cost more than it gives


@dataclass
class Run:
    """Everything that training works with, put together by `prepare`."""

    out: Path
    fabric: Any
    config: TrainingConfig
    state: RunState
    """All that a state file holds beside tensors; nothing else of the run is remembered."""
    model: AutoregressiveImageModel
    average: EMA | None
    objective: Objective
    stepper: Stepper
    images: ImageSet
    batches: Batches
    validation: ValidationPlan | None
    probe: ImageSet
    """A few training images, scored beside the validation ones to see what is learned by heart."""
    budget: Budget
    clock: Clock
    watch: LossWatch
    guard: Guard
    journal: Journal | None
    """None on all ranks but the first."""
    speed: float = 0.0
    """Images a second, lately."""
    asked: bool = False
    """Whether a signal asked any rank to stop."""
    saved_at: float = field(default_factory=time.monotonic)
    """When a state was last written, or there was an attempt to."""
    nats: Tensor | None = field(default=None, repr=False)
    """log p(x | c) of the validation images under the best weights, when this sitting has them."""

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes."""
        return is_first()

    @property
    def alone(self) -> bool:
        """Whether there is no other rank."""
        return bool(self.fabric.world_size == 1)

    @property
    def averaged(self) -> AutoregressiveImageModel:
        """The model whose figures are reported and that is kept."""
        return self.average.model if self.average is not None else self.model

    @property
    def progress(self) -> float:
        """The share of the run that is done."""
        return self.budget.progress(self.state.step, self.state.elapsed)

    @property
    def epoch(self) -> float:
        """Epochs done."""
        return self.state.step * self.config.batch / len(self.images)

    @property
    def over(self) -> bool:
        """Whether training has come to its end."""
        return bool(self.state.stopped) or self.budget.spent(self.state.step, self.state.elapsed)

    @property
    def rate(self) -> float:
        """The learning rate of the coming step."""
        return learning_rate(self.config, self.state.step, self.progress, self.epoch)

    @property
    def steps_between_sheets(self) -> float:
        """Those that the user asks for (0: no sheets), else for five sheets in the run, an epoch apart or more."""
        asked = self.config.sample_every
        epochs = max(1.0, self.config.epochs / SHEETS) if asked is None else asked
        return epochs * len(self.images) / self.config.batch

    def moment(self) -> Moment:
        """Where the run stands between two steps."""
        limit = self.budget.limit
        return Moment(
            step=self.state.step,
            progress=self.progress,
            elapsed=self.state.elapsed,
            left=None if limit is None else limit - self.state.elapsed,
            over=self.over,
            since_state=time.monotonic() - self.saved_at,
        )

    @property
    def look_due(self) -> bool:
        """Whether it is time to wait for the device: always on a CPU, now and then on a GPU."""
        waited = self.fabric.device.type == "cpu" or self.state.step % LOOK_EVERY == 0
        return waited or (self.alone and self.guard.asked)

    def pulse(self) -> None:
        """Wait for the device, judge the losses, and agree with the other ranks on the time and on signals."""
        self.watch.look()
        asked, self.state.elapsed = agree(self.fabric, float(self.guard.asked), self.clock.elapsed)
        self.asked = asked > 0

    def check(self) -> None:
        """Raise Interrupted if a signal came; with other ranks only `pulse` may stop, on all at once."""
        if self.alone and self.guard.asked:
            raise Interrupted

    def save(self) -> None:
        """Write the state, unless the weights have gone astray: the last good one stays."""
        self.saved_at = time.monotonic()
        if not self.first or not self.watch.healthy or not self._sound():
            return
        tensors = self._tensors() | pack_optimiser(self.stepper.optimiser)
        save_state(self.out, self.state.step, SavedState(tensors, self.state))

    def _tensors(self) -> dict[str, Tensor]:
        average = self.average.model if self.average is not None else None
        return tensors_of(self.model, average, self.objective)

    @torch.no_grad()
    def _sound(self) -> bool:
        """Whether the weights after the last step still explain images: the loss that was seen is of those before."""
        indices = self.batches.order.indices(self.state.step)[:SOUND]
        levels, labels = self.batches.store.take(indices)
        nats = -self.model.log_prob_map(levels, labels).float().mean() / self.model.shape.channels
        return not self.watch.astray(float(nats) / log(2))

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue with the tensors of a state."""
        restore(self._tensors(), self.stepper.optimiser, tensors)

    def measure(self) -> float:
        """Seconds of forward and backward on a batch; the weights stay as they are."""
        self.objective.begin(1.0)  # where a step's cost changes on the way, its last one is the dearest
        batch = self.batches.at(self.state.step)

        def action() -> None:
            self.stepper.gradient(batch, self.config.batch)
            if self.stepper.graph is None:
                self.objective.zero_grad(set_to_none=True)

        return seconds_of(action, self.fabric.device)
