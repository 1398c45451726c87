"""One step of the optimiser, without waiting for the device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from ..objectives import Batch, Losses

Gradient = Callable[[Tensor, Tensor | None], Tensor]


class Stepper:
    """Gradient, clipping and update for one batch.

    `objective` is the module that Fabric wrapped, and `parts` are the names of what it tells. A step whose loss or
    gradient is not finite changes nothing: the fused optimisers read `found_inf` on the device, so that the host need
    not wait.
    """

    def __init__(
        self,
        fabric: Any,
        objective: Any,
        optimiser: Optimizer,
        clip: float = 0.0,
        accumulate: int = 1,
        parts: Sequence[str] = ("likelihood",),
    ) -> None:
        self.fabric = fabric
        self.objective = objective
        self.optimiser = optimiser
        self.clip = clip
        self.accumulate = accumulate
        self.parts = tuple(parts)
        self.graph: GradientGraph | None = None

    def __call__(self, batch: Batch, total: int) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's part of a batch of `total` images.

        Returns the batch's mean of each of `parts` (nan where the objective did not tell it) and whether the step was
        refused, both on the device, without waiting.
        """
        means = self.gradient(batch, total)
        if self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="sum")
        parameters = [
            p for group in self.optimiser.param_groups for p in group["params"] if p.grad is not None
        ]
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        refused = ~(means[0].isfinite() & norm.isfinite())
        if self.clip:
            clip_grads_with_norm_(parameters, self.clip, norm)
        self.optimiser.found_inf = refused.float()  # type: ignore[attr-defined]
        self.optimiser.step()
        if self.graph is None:
            self.optimiser.zero_grad(set_to_none=True)
        return means[1:], refused

    def gradient(self, batch: Batch, total: int) -> Tensor:
        """Leave the batch's gradient in the parameters; returns this rank's part of the means of the total and of each
        of `parts`, [1 + parts]."""
        if self.graph is not None:
            return self.graph(batch.levels, batch.labels)
        return self.eager(batch, total)

    def eager(self, batch: Batch, total: int) -> Tensor:
        """`gradient`, operation by operation."""
        pieces = batch.split(self.part(len(batch.levels)))
        means = torch.zeros(1 + len(self.parts), device=batch.levels.device)
        for number, piece in enumerate(pieces, 1):
            with self.fabric.no_backward_sync(self.objective, enabled=number < len(pieces)):
                losses = Losses(*self.objective(piece))
                loss = _part_of_mean(losses.total, len(piece.levels), total)
                # DDP averages over the ranks; each rank's part is already weighted by its own images.
                self.fabric.backward(loss * self.fabric.world_size)
            means += self._told(loss, losses.parts, len(piece.levels), total)
        return means

    def _told(self, loss: Tensor, parts: Mapping[str, Tensor], images: int, total: int) -> Tensor:
        missing = loss.new_full((), torch.nan)
        told = [
            _part_of_mean(parts[name], images, total) if name in parts else missing for name in self.parts
        ]
        return torch.stack([value.detach().float() for value in (loss, *told)])

    def part(self, images: int) -> int:
        """Images that go through the network at once."""
        return max(1, -(-images // self.accumulate))


def _part_of_mean(value: Tensor, images: int, total: int) -> Tensor:
    """What `images` of a batch of `total` add to its mean: `value` is one for each of them, or their mean."""
    return (value.sum() if value.dim() else value * images) / total


class GradientGraph:
    """`gradient(levels, labels)` as one static program on a CUDA device, so that small networks are not launch-bound:
    captured once for the shape of `levels` and replayed.

    The gradients that it leaves in `module`'s parameters are the graph's own memory: do not set them to None.
    """

    def __init__(self, gradient: Gradient, module: nn.Module, levels: Tensor, labels: Tensor | None) -> None:
        self.levels = levels.clone()
        self.labels = labels.clone() if labels is not None else None
        self.graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                module.zero_grad(set_to_none=True)
                gradient(self.levels, self.labels)
        torch.cuda.current_stream().wait_stream(stream)
        # Without a gradient at capture, the backward pass writes afresh at each replay instead of adding.
        module.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.loss = gradient(self.levels, self.labels)

    def __call__(self, levels: Tensor, labels: Tensor | None) -> Tensor:
        """The loss of this batch, which has the captured shape; the gradients lie in the parameters."""
        self.levels.copy_(levels)
        if self.labels is not None and labels is not None:
            self.labels.copy_(labels)
        self.graph.replay()
        return self.loss.clone()
