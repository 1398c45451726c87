"""The base of the layers that a walk calls at every pixel."""

from typing import Any

from torch import nn


class Layer(nn.Module):
    """A module without hooks: calling it is calling `forward`.

    A walk makes some twenty calls a pixel, and the machinery of hooks costs more than many a layer's work.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)
