"""A run: its parts, and what one step, one state and one look at the clock are."""

import time
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import views
from ..data import Augment, ImageSet
from ..distributed import agree, is_first, my_part
from ..model import AutoregressiveImageModel
from ..objectives import Batch, Objective
from ..training_config import TrainingConfig
from .batches import Batches
from .budget import Budget, Clock
from .guard import Guard
from .journal import Journal
from .optimise import EMA, decay_of, learning_rate, set_rate
from .order import Order
from .own_files import products_of
from .pacing import Moment
from .run_state import RunState
from .seeds import derive, generator
from .speed import seconds_of
from .state_files import SavedState, pack, pack_optimiser, put, save_state, unpack, unpack_optimiser
from .step import Stepper
from .validation import ValidationPlan
from .watch import LossWatch

SOUND = 16  # images on which weights are tried before they are saved
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
    order: Order
    augment: Augment | None
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

    def step(self) -> None:
        """One step of the optimiser."""
        step = self.state.step
        self.objective.begin(self.progress)
        batch = self.batch(step)
        if not self.alone:
            torch.manual_seed(derive(self.state.seed, "rank", self.fabric.global_rank, step))
        set_rate(self.stepper.optimiser, self.rate)
        losses, refused = self.stepper(batch, self.config.batch)
        self._average()
        self.watch.add(step, losses, refused)
        self.state.step += 1

    def batch(self, step: int) -> Batch:
        """This rank's part of a step's batch. The noise of augmentation and dropout is seeded for the step."""
        indices = self.order.indices(step)
        mine = my_part(self.fabric, len(indices))
        torch.manual_seed(derive(self.state.seed, "step", step))
        coming = None if self.batches.resident else self.order.indices(step + 1)
        strong, group = self.objective.strong, self.model.config.fusion.views
        if self.augment is None and strong is None and group == "none":
            return Batch(*self.batches.take(indices[mine], None if coming is None else coming[mine]))
        # The whole batch is augmented on every rank, so that the images do not depend on how many there are.
        levels, labels = self.batches.take(indices, coming)
        levels = self.augment(levels) if self.augment is not None else levels
        copies = strong(levels, generator(self.state.seed, "strong", step)) if strong is not None else None
        shown = None
        if group != "none":
            shown = views.draw(levels, group, generator(self.state.seed, "views", step))
            levels = views.each_under(levels, group, shown)
            copies = views.each_under(copies, group, shown) if copies is not None else None
        others = (None if part is None else part[mine] for part in (labels, copies, shown))
        return Batch(levels[mine], *others)

    def _average(self) -> None:
        if self.average is None:
            return
        total = self.budget.total_steps(self.state.step, self.progress)
        fixed = self.config.ema_decay
        decay = fixed if fixed is not None else decay_of(self.config.ema, total)
        self.state.mass = self.average.update(decay, self.state.mass)

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
        if self.alone:
            self.guard.check()

    def save(self) -> None:
        """Write the state, unless the weights have gone astray: the last good one stays."""
        self.saved_at = time.monotonic()
        if not self.first or not self.watch.healthy or not self._sound():
            return
        tensors = pack("model", self.model) | pack_optimiser(self.stepper.optimiser)
        tensors |= {f"objective.{name}": value for name, value in self.objective.own_state().items()}
        if self.average is not None:
            tensors |= pack("average", self.average.model)
        save_state(self.out, self.state.step, SavedState(tensors, self.state))

    @torch.no_grad()
    def _sound(self) -> bool:
        """Whether the weights after the last step still explain images: the loss that was seen is of those before."""
        indices = self.order.indices(self.state.step)[:SOUND]
        levels, labels = self.batches.take(indices)
        nats = -self.model.log_prob_map(levels, labels).float().mean() / self.model.shape.channels
        return not self.watch.astray(float(nats) / log(2))

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue with the tensors of a state."""
        unpack("model", self.model, tensors)
        put("objective", self.objective.own_state(), tensors)
        unpack_optimiser(self.stepper.optimiser, tensors)
        if self.average is not None:
            unpack("average", self.average.model, tensors)

    def measure(self) -> float:
        """Seconds of forward and backward on a batch; the weights stay as they are."""
        self.objective.begin(1.0)  # where a step's cost changes on the way, its last one is the dearest
        batch = self.batch(self.state.step)

        def action() -> None:
            self.stepper.gradient(batch, self.config.batch)
            if self.stepper.graph is None:
                self.objective.zero_grad(set_to_none=True)

        return seconds_of(action, self.fabric.device)

    def note_product(self, name: str) -> None:
        """List a file, by its name below the folder, that is about to be written: it belongs to the run."""
        products_of(self.out).note([name])
