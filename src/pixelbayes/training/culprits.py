"""Which images stand behind a loss that is not finite."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..data import ImageSet
from ..model import AutoregressiveImageModel, evaluating
from .batches import Batches

MOST_NAMES = 8


def name_some(paths: list[str]) -> str:
    """A few of the names, and how many there are.

    >>> name_some(["a.png", "b.png"])
    'a.png, b.png'
    """
    more = f", ... ({len(paths)} in all)" if len(paths) > MOST_NAMES else ""
    return ", ".join(paths[:MOST_NAMES]) + more


def culprits_of(
    model: AutoregressiveImageModel, batches: Batches, indices: Callable[[int], Tensor], images: ImageSet
) -> Callable[[int], str]:
    """The function that names the images of a step whose likelihood is not finite; all of its images where each is.

    `indices(step)` are the images of a step.
    """

    @torch.no_grad()
    def name(step: int) -> str:
        chosen = indices(step)
        with evaluating(model):
            nats = model.log_prob_map(*batches.take(chosen)).float().flatten(1).sum(1).cpu()
        lost = ~nats.isfinite()
        return name_some([images.paths[index] for index in (chosen[lost] if lost.any() else chosen).tolist()])

    return name
