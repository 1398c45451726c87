"""Muon: matrices move by the semi-orthogonal matrix next to their averaged gradient.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon), scaled as by Liu et al. 2025 ("Muon is scalable for LLM
training"). `torch.optim.Muon` takes matrices alone, no kernels, and is not in every release of PyTorch that we support.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
SCALE = 0.2  # the root mean square of a step, as a multiple of the learning rate: about that of Adam's steps


class Muon(AdamW):
    """Muon for the groups that say `orthogonal`, AdamW for the others; the same learning rate serves both.

    A kernel [outputs, ...] is the matrix of its outputs by all the rest. Its one moment is the averaged gradient
    (`momentum`); Nesterov's step ahead of it is orthogonalised. Weight decay is decoupled. A step whose `found_inf` is
    set changes nothing, and the host does not wait for it.
    """

    found_inf: Tensor

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        whole = [{"orthogonal": False, **group} for group in groups]
        super().__init__(whole, lr=lr, betas=betas, weight_decay=0.0, fused=True)
        self.found_inf = torch.zeros((), device=self.param_groups[0]["params"][0].device)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["orthogonal"]]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            for parameter in group["params"] if group["orthogonal"] else ():
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["weight_decay"])

    def _move(self, parameter: Tensor, rate: float, decay: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(
                (), device=parameter.device
            )  # AdamW looks for one when a state is loaded
            state["momentum"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        mean, refused = state["momentum"], self.found_inf.bool()
        assert parameter.grad is not None
        state["step"] += 1 - self.found_inf
        gradient = parameter.grad.masked_fill(refused, 0.0)
        moved = mean.lerp(gradient, 1 - MOMENTUM)
        mean.copy_(torch.where(refused, mean, moved))
        step = orthogonalised(gradient.lerp(moved, MOMENTUM).flatten(1)).view_as(parameter)
        length = SCALE * max(parameter.shape[0], parameter[0].numel()) ** 0.5
        changed = parameter * (1 - rate * decay) - rate * length * step
        parameter.copy_(torch.where(refused, parameter, changed))


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T of a matrix [m, n]: singular values near 1.

    >>> values = torch.linalg.svdvals(orthogonalised(torch.eye(3, 4) + 0.3))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    a, b, c = NEWTON_SCHULZ
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
