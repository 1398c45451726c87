"""Muon beside Adam: the same recipe trained with each, for equal minutes.

    python -m benchmarks.muon DATA --recipe cpen455-hybrid --minutes 5 [--rate 1] [--out FOLDER]

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) moves a matrix by the semi-orthogonal one next to
its averaged gradient. Kernels are matrices of outputs by the rest; gains, biases, the label's own weights and what an
objective learns stay with Adam. `torch.optim.Muon` takes matrices alone, and is not in every release that we support.
`--rate` multiplies the recipe's learning rate for the matrices.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

import pixelbayes as pb
from pixelbayes.fusion import label_parameters
from pixelbayes.training.step import make_optimiser
from pixelbayes.training_config import TrainingConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
STEPS = 5


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T of a matrix [m, n], singular values near 1.

    >>> values = torch.linalg.svdvals(orthogonalised(torch.eye(3, 4) + 0.3))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    a, b, c = NEWTON_SCHULZ
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(Optimizer):
    """Nesterov momentum, orthogonalised, scaled so that a step's root mean square is 0.2 of the rate (Liu et al. 2025);
    groups with `adam` set are Adam's. A step whose `found_inf` is set changes nothing."""

    def __init__(self, groups: list[dict], lr: float, momentum: float = 0.95, betas=(0.9, 0.999)) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "adam": False})
        rest = [group for group in self.param_groups if group["adam"]]
        self.adam = Adam([{"params": group["params"]} for group in rest], lr=lr, betas=betas)
        self.rest = rest
        self.found_inf = torch.zeros(())

    @torch.no_grad()
    def step(self, closure=None):
        if self.found_inf.item():
            return
        for mine, theirs in zip(self.rest, self.adam.param_groups, strict=True):
            theirs["lr"] = mine["lr"]
        self.adam.step()
        for group in self.param_groups:
            for parameter in group["params"] if not group["adam"] else ():
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["momentum"])

    def _move(self, parameter: Tensor, rate: float, momentum: float) -> None:
        state = self.state[parameter]
        mean = state.setdefault("momentum", torch.zeros_like(parameter))
        mean.lerp_(parameter.grad, 1 - momentum)
        ahead = parameter.grad.lerp(mean, momentum).flatten(1)
        scale = 0.2 * max(ahead.shape) ** 0.5
        parameter.add_(orthogonalised(ahead).view_as(parameter), alpha=-rate * scale)


def muon(rate: float):
    """A maker of optimisers in the place of `make_optimiser`: Muon at `rate` times the recipe's learning rate."""

    def make(
        module: nn.Module, config: TrainingConfig, own: Sequence[nn.Parameter] = (), own_rate: float = 1.0
    ) -> Optimizer:
        labels = label_parameters(module) if config.label_rate != 1 else []
        apart = {id(parameter) for parameter in labels}
        others = [p for p in module.parameters() if p.requires_grad and id(p) not in apart]
        kernels = [p for p in others if p.dim() > 1 and p[0].numel() > 1]
        inside = {id(parameter) for parameter in kernels}
        rest = [parameter for parameter in others if id(parameter) not in inside]
        groups = [
            {"params": kernels, "factor": rate},
            {"params": rest, "factor": 1.0, "adam": True},
            {"params": labels, "factor": config.label_rate, "adam": True},
            {"params": list(own), "factor": own_rate, "adam": True},
        ]
        return Muon([group for group in groups if group["params"]], config.learning_rate, betas=config.betas)

    return make


def main() -> None:
    options = arguments()
    makers = {"adam": make_optimiser, "muon": muon(options.rate)}
    settings = {"data": {"root": options.root}} if options.root else {}
    for name in options.optimisers:
        with patch("pixelbayes.training.prepare.make_optimiser", makers[name]):
            model = pb.train(
                options.data,
                recipe=options.recipe,
                out=Path(options.out) / name,
                minutes=options.minutes,
                max_steps=options.max_steps,
                seed=options.seed,
                **settings,
            )
        metrics = pb.evaluate(model, split="validation")
        print(f"{name}: {metrics.bits_per_dim:.4f} bits/dim, accuracy {metrics.accuracy:.4f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--recipe", default="cpen455-hybrid")
    parser.add_argument("--root")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--optimisers", nargs="+", default=["adam", "muon"], choices=["adam", "muon"])
    parser.add_argument("--out", default="runs/muon")
    return parser.parse_args()


if __name__ == "__main__":
    main()
