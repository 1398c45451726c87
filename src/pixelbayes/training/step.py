"""One step of the optimiser, without waiting for the device."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from .graph import GradientGraph


class Stepper:
    """Gradient, clipping and update for one batch.

    `objective` is the module that Fabric wrapped. A step whose loss or gradient is not finite changes
    nothing: the fused optimisers read `found_inf` on the device, so that the host need not wait.
    """

    def __init__(
        self, fabric: Any, objective: Any, optimiser: Optimizer, dims: int, clip: float, accumulate: int
    ) -> None:
        self.fabric = fabric
        self.objective = objective
        self.optimiser = optimiser
        self.dims = dims
        self.clip = clip
        self.accumulate = accumulate
        self.graph: GradientGraph | None = None

    def __call__(self, levels: Tensor, labels: Tensor | None, total: int) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's part [n, C, H, W] of a batch of `total` images.

        Returns the batch's mean nats/dim and whether the step was refused, both on the device, without waiting.
        """
        loss = self.gradient(levels, labels, total)
        if self.fabric.world_size > 1:
            loss = self.fabric.all_reduce(loss, reduce_op="sum")
        parameters = [
            p for group in self.optimiser.param_groups for p in group["params"] if p.grad is not None
        ]
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        refused = ~(loss.isfinite() & norm.isfinite())
        if self.clip:
            clip_grads_with_norm_(parameters, self.clip, norm)
        self.optimiser.found_inf = refused.float()  # type: ignore[attr-defined]
        self.optimiser.step()
        if self.graph is None:
            self.optimiser.zero_grad(set_to_none=True)
        return loss, refused

    def gradient(self, levels: Tensor, labels: Tensor | None, total: int) -> Tensor:
        """Leave the batch's gradient in the parameters; returns this rank's part of the mean nats/dim."""
        if self.graph is not None:
            return self.graph(levels, labels)
        return self.eager(levels, labels, total)

    def eager(self, levels: Tensor, labels: Tensor | None, total: int) -> Tensor:
        """`gradient`, operation by operation."""
        images = levels.split(self.part(len(levels)))
        classes = labels.split(self.part(len(levels))) if labels is not None else [None] * len(images)
        loss = torch.zeros((), device=levels.device)
        for number, (image, label) in enumerate(zip(images, classes, strict=True), 1):
            with self.fabric.no_backward_sync(self.objective, enabled=number < len(images)):
                part = self.objective(image, label).sum() / (total * self.dims)
                # DDP averages over the ranks; each rank's part is already weighted by its own images.
                self.fabric.backward(part * self.fabric.world_size)
            loss += part.detach()
        return loss

    def part(self, images: int) -> int:
        """Images that go through the network at once."""
        return max(1, -(-images // self.accumulate))
