"""The two ways of looking at an image: the whole at once, or a glimpse of some cells with a memory.

Every layer is written once and asks its scan what it needs. A `WholeImage` answers from the tensor at
hand, and gradients flow. A `Glimpse` shows some whole rows, or one pixel; it remembers what layers were
shown before, so that a walk over the pixels computes nothing twice. The memory belongs to the request,
not to the model. Glimpses go forward in raster order; the same rows or pixel may be looked at again.
"""

from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from .convolve import convolve
from .meeting import meet
from .memory import Attended, Enlarged, Past, Project, Recalled, RowWindow, Span, multiply

T = TypeVar("T")


class Convolution(Protocol):
    """What a scan needs to know of a convolution."""

    @property
    def reach(self) -> tuple[int, int, int]:
        """Rows above, columns to the left, columns to the right that the kernel covers."""

    @property
    def stride(self) -> int: ...

    @property
    def bias(self) -> Tensor | None: ...

    def kernel(self) -> Tensor:
        """The effective weights `(out, in, rows, columns)`; folded once a walk."""
        ...


class WholeImage:
    """The surroundings are the padded tensor. Nothing is stored."""

    def cells(self, image: Tensor) -> tuple[Span, Span]:
        """The rows and the columns under this scan."""
        return (0, image.shape[2]), (0, image.shape[3])

    def convolve(self, layer: Convolution, x: Tensor) -> Tensor:
        """The causal convolution of features `(b, c, h, w)`."""
        if layer.reach == (0, 0, 0) and layer.stride == 1:
            return self.valid(layer, x)
        return convolve(x, layer.kernel(), layer.bias, layer.reach, layer.stride)

    def valid(self, layer: Convolution, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """A convolution without padding, of cells `(b, c, h, w)` that have been gathered already; added to `onto`."""
        return convolve_cells(layer, x, onto)

    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        """Coarse features -> features of twice the size, cropped to the size of `like`."""
        crop = layer.crop
        grown = F.conv_transpose2d(x, layer.kernel(), layer.bias, stride=2, output_padding=(0, layer.crop))
        return grown[:, :, : like.shape[2], crop : crop + like.shape[3]]

    def rows(self, key: Hashable, compute: Callable[["Scan"], T]) -> T:
        """What depends on whole rows: computed once a row, with a scan of the whole row."""
        return compute(self)

    def over_row(self, key: Hashable, compute: Callable[["Scan"], Tensor]) -> Tensor:
        """Features that depend on whole rows only: computed once a row, narrowed to this scan."""
        return compute(self)

    def constant(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What is the same for every cell (what a label contributes, say)."""
        return compute()

    def meet(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Two features, one of which a label may have reached and the other not, with the same number of rows."""
        return meet(a, b)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Their sum."""
        return torch.add(*meet(a, b))

    def past(self, key: Hashable, image: Tensor, x: Tensor, project: "Project") -> "Past":
        """Keys and values of every cell before those under this scan, made by `project` from the image at a
        cell (its own value, too) and the features there."""
        rows, columns = self.cells(image)
        keys, values = project(image, x, rows, columns)
        order = torch.arange(keys.shape[2] * keys.shape[3], device=x.device)
        return keys.flatten(2), values.flatten(2), order[None, :] < order[:, None]

    def coarser(self) -> "WholeImage":
        """The same cells at half the resolution."""
        return self

    def recall(self, key: Hashable, compute: Callable[[], tuple[Tensor, T]]) -> tuple[Tensor, T | None]:
        """The output of a coarser level, computed when this scan shows something new to it."""
        return compute()


class Glimpse:
    """Some whole rows, or one pixel, of an image whose earlier cells were looked at with the same memory."""

    def __init__(
        self,
        size: tuple[int, int],
        rows: Span,
        columns: Span | None = None,
        memory: dict[Any, Any] | None = None,
        shown: tuple[Span, Span] | None = None,
    ):
        self.size, self.span = size, rows
        self.columns = columns or (0, size[1])
        self.memory: dict[Any, Any] = {} if memory is None else memory
        self.pixel = columns is not None
        self.new = self.span[1] > self.span[0] and self.columns[1] > self.columns[0]
        self.shown = shown or (self.span, self.columns)

    def cells(self, image: Tensor) -> tuple[Span, Span]:
        return self.span, self.columns

    def convolve(self, layer: Convolution, x: Tensor) -> Tensor:
        if layer.reach == (0, 0, 0) and layer.stride == 1:
            return self.valid(layer, x)
        window = self.memory.get(layer)
        if window is None:
            window = self.memory[layer] = RowWindow(layer, x, self.size[1])
        return window.pixel(x, self.span[0], self.columns[0]) if self.pixel else window.rows(x, self.span)

    def valid(self, layer: Convolution, x: Tensor, onto: Tensor | None = None) -> Tensor:
        if not self.pixel:
            return convolve_cells(layer, x, onto)
        matrix, bias = self.constant(("folded", layer), lambda: folded(layer))
        if onto is None:
            return multiply(x, matrix, bias)
        return multiply(x, matrix, onto.flatten(1) if layer.bias is None else onto.flatten(1) + bias)

    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        slot = self.memory.get(layer)
        if slot is None:
            slot = self.memory[layer] = Enlarged(layer)
        return (
            slot.pixel(x, self.span[0], self.columns[0])
            if self.pixel
            else slot.rows(x, self.span, self.columns)
        )

    def rows(self, key: Hashable, compute: Callable[["Scan"], T]) -> T:
        if not self.pixel:
            return compute(self)
        return self._once_a_row(("rows", key), lambda: compute(self._whole_rows()))

    def over_row(self, key: Hashable, compute: Callable[["Scan"], Tensor]) -> Tensor:
        if not self.pixel:
            return compute(self)
        return self._once_a_row(("over", key), lambda: split_columns(compute(self._whole_rows())))[
            self.columns[0]
        ]

    def _whole_rows(self) -> "Glimpse":
        return Glimpse(self.size, self.span, None, self.memory)

    def _once_a_row(self, key: Hashable, compute: Callable[[], T]) -> T:
        kept = self.memory.get(key)
        if kept is None or kept[0] != self.span:
            kept = self.memory[key] = (self.span, compute())
        return kept[1]

    def constant(self, key: Hashable, compute: Callable[[], T]) -> T:
        name = ("constant", key)
        if name not in self.memory:
            self.memory[name] = compute()
        return self.memory[name]

    def meet(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a, b  # a walk is of one class for each image

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def past(self, key: Hashable, image: Tensor, x: Tensor, project: "Project") -> "Past":
        slot = self.memory.get(("past", key))
        if slot is None:
            slot = self.memory["past", key] = Attended(self.size)
        if self.pixel:
            return slot.pixel(image, x, self.span, self.columns, project)
        return slot.rows(image, x, self.span, project)

    def coarser(self) -> "Glimpse":
        (height, width), (r0, r1), (c0, c1) = self.size, self.span, self.columns
        size, bottom, right = ((height + 1) // 2, (width + 1) // 2), (r1 + 1) // 2, (c1 + 1) // 2
        shown = (r0 // 2, bottom), (c0 // 2, right)
        new_rows, new_columns = ((r0 + 1) // 2, bottom), ((c0 + 1) // 2, right)
        return Glimpse(size, new_rows, new_columns if self.pixel else None, self.memory, shown)

    def recall(self, key: Hashable, compute: Callable[[], tuple[Tensor, T]]) -> tuple[Tensor, T | None]:
        slot = self.memory.setdefault(("recall", key), Recalled())
        features = None
        if self.new:
            x, features = compute()
            slot.write(x, self.span, self.columns, self.pixel)
        return slot.read(*self.shown, self.pixel), features


def convolve_cells(layer: Convolution, x: Tensor, onto: Tensor | None) -> Tensor:
    """A convolution without padding of many cells `(b, c, h, w)`, added to `onto` if there is one."""
    y = F.conv2d(x.contiguous(memory_format=torch.channels_last), layer.kernel(), layer.bias)
    if onto is None:
        return y
    return y.add_(onto) if len(y) == len(onto) else torch.add(*meet(y, onto))


def folded(layer: Convolution) -> tuple[Tensor, Tensor]:
    """A kernel as a matrix `(in, out)` for the cells it covers, and its bias or zero."""
    kernel = layer.kernel()
    return kernel.flatten(1).t().contiguous(), kernel.new_zeros(()) if layer.bias is None else layer.bias


def split_columns(x: Tensor) -> tuple[Tensor, ...]:
    """Features of one row `(b, c, 1, w)` -> those of each pixel, `w` times `(b, c, 1, 1)`."""
    return x.permute(3, 0, 1, 2).contiguous().unsqueeze(4).unbind(0)


Scan = WholeImage | Glimpse
