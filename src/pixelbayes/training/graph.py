"""Forward and backward as one static program on a CUDA device, so that small networks are not launch-bound."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Gradient = Callable[[Tensor, Tensor | None], Tensor]


class GradientGraph:
    """`gradient(levels, labels)`, captured once for the shape of `levels` and replayed.

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
