"""What a walk keeps: a cache for each layer that needs one. Only `scan.py` uses these.

Features lie as `(batch, row, column, channel)`: a block of rows is a channels-last image, which convolutions
like, and the cells that a kernel covers in a row are one contiguous run, so that a convolution at one
pixel is one matrix product.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Span = tuple[int, int]
Project = Callable[[Tensor, Tensor, Span, Span], tuple[Tensor, Tensor]]
"""(image, features, rows, columns) of some cells -> their keys and values, `(b, c, h, w)` each."""
Past = tuple[Tensor, Tensor, Tensor | None]
"""Keys and values `(b, c, n)` of the cells so far, and which of them each cell sees (None: all)."""


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
        """Returns the effective weights `(out, in, rows, columns)`; folded once a walk."""
        ...


@dataclass
class WalkCache:
    """All that one walk over the pixels of a batch keeps, by the layer that it belongs to."""

    rows: dict[Convolution, "RowCache"] = field(default_factory=dict)
    coarse: dict[Hashable, "CoarseCache"] = field(default_factory=dict)
    attended: dict[Hashable, "KVCache"] = field(default_factory=dict)
    enlarged: dict[Hashable, "Enlarged"] = field(default_factory=dict)
    folded: dict[Convolution, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Matrices `(in, out)` and biases of 1x1 convolutions."""
    constants: dict[Hashable, Any] = field(default_factory=dict)
    of_row: dict[Hashable, tuple[Span, Any]] = field(default_factory=dict)
    """What was computed for a whole row, and for which."""
    along_row: dict[Hashable, tuple[Span, tuple[Tensor, ...]]] = field(default_factory=dict)
    """The same for features, of each of the row's pixels `(b, c, 1, 1)`."""


def multiply(x: Tensor, matrix: Tensor, added: Tensor) -> Tensor:
    """A 1x1 convolution of one pixel `(b, c, 1, 1)` by `matrix` `(c, out)`, plus `added`, which broadcasts."""
    product = torch.addmm(added, x.flatten(1), matrix)
    return product.view(x.shape[0], -1, 1, 1)


class RowCache:
    """What one convolution was shown: the rows of the present glimpse and as many above as it reaches."""

    def __init__(self, layer: Convolution, x: Tensor, width: int):
        self.top, self.left, right = layer.reach
        self.stride, self.bias, self.width = layer.stride, layer.bias, width
        self.kernel = layer.kernel().detach().contiguous(memory_format=torch.channels_last)
        self.span: Span = (0, 0)
        self.prepared = -1
        self.canvas = x.new_zeros(x.shape[0], self.top, self.left + width + right, x.shape[1])
        self.seen: Tensor | None = None  # the canvas that `cells` and `windows` are views of
        here = self.kernel[:, :, self.top, : self.left + 1]  # what the kernel covers in the pixel's own row
        self.matrix = here.permute(2, 1, 0).flatten(0, 1).contiguous()
        self.kernel_above = self.kernel[:, :, : self.top].contiguous(memory_format=torch.channels_last)
        self.shape = (x.shape[0], len(self.kernel), 1, 1)  # of the convolution at a pixel

    def rows(self, x: Tensor, span: Span) -> Tensor:
        """Whole rows `(b, c, h, w)` -> the convolution there (at the coarse rows among them, if strided)."""
        self._advance(span)
        self.canvas[:, self.top :, self.left : self.left + self.width] = x.permute(0, 2, 3, 1)
        skip = span[0] % self.stride
        if span[1] - span[0] <= skip:
            return x[:, :, :0]
        return F.conv2d(self.canvas[:, skip:].permute(0, 3, 1, 2), self.kernel, self.bias, self.stride)

    def pixel(self, x: Tensor, row: int, column: int) -> Tensor:
        """One pixel `(b, c, 1, 1)` -> the convolution there (nothing between the steps of a stride)."""
        if self.prepared != row:
            self._prepare(row)
        self.cells[column].copy_(x)
        if self.stride > 1 and (row % self.stride or column % self.stride):
            return x[:, :, :0]
        product = torch.addmm(self.above[column // self.stride], self.windows[column], self.matrix)
        return product.view(self.shape)

    def _advance(self, span: Span) -> None:
        """Make room for the rows of `span`, keeping the rows above that the kernel reaches."""
        if span == self.span:
            return
        if span[0] != self.span[1]:
            raise ValueError(f"a walk goes forward: rows {span} cannot follow rows {self.span}")
        rows_above = self.canvas[:, self.canvas.shape[1] - self.top :]
        batch, _, width, channels = rows_above.shape
        rows = self.top + span[1] - span[0]
        if self.canvas.shape[1] == rows:  # the same room again: what is not written anew is never read
            self.canvas[:, : self.top] = rows_above.clone() if rows < 2 * self.top else rows_above
        else:
            canvas = self.canvas.new_zeros(batch, rows, width, channels)
            canvas[:, : self.top] = rows_above
            self.canvas = canvas
        self.span = span

    def _prepare(self, row: int) -> None:
        """Before the first pixel of a row: all that the rows above contribute, and its cells as views."""
        self._advance((row, row + 1))
        if self.seen is not self.canvas:  # from row to row it is the same
            self._view_cells()
        self.above = self._contribution_of_rows_above() if row % self.stride == 0 else []
        self.prepared = row

    def _view_cells(self) -> None:
        """The row's cells `(b, c, 1, 1)`, and what the kernel covers of the row at each `(b, cells * c)`."""
        here = self.canvas[:, self.top]
        batch, _, channels = here.shape
        self.cells = here[:, self.left : self.left + self.width, :, None, None].unbind(1)
        run = (self.width, batch, (self.left + 1) * channels)
        self.windows = here.as_strided(run, (channels, here.stride(0), 1)).unbind(0)
        self.seen = self.canvas

    def _contribution_of_rows_above(self) -> Any:
        if self.top == 0:
            return [self.bias if self.bias is not None else self.kernel.new_zeros(())] * self.width
        rows_above = self.canvas[:, : self.top].permute(0, 3, 1, 2)
        added = F.conv2d(rows_above, self.kernel_above, self.bias, (1, self.stride))
        return added.permute(3, 0, 1, 2).flatten(2).contiguous().unbind(0)


class Enlarged:
    """The kernel of an enlarging convolution, folded once and cut by the parity of rows and columns."""

    def __init__(self, layer: Any):
        self.kernel, self.bias, self.crop = layer.kernel().detach(), layer.bias, layer.crop
        self.parts = [[self.kernel[:, :, i, j].contiguous() for j in (0, 1)] for i in (0, 1)]

    def pixel(self, x: Tensor, row: int, column: int) -> Tensor:
        """The coarse cell `(b, c, 1, 1)` above one fine pixel -> that pixel."""
        return multiply(x, self.parts[row % 2][column % 2], self.bias)

    def rows(self, x: Tensor, rows: Span, columns: Span) -> Tensor:
        """The coarse rows above some fine rows -> those fine rows."""
        grown = F.conv_transpose2d(x, self.kernel, self.bias, stride=2, output_padding=(0, self.crop))
        first = rows[0] % 2
        return grown[:, :, first : first + rows[1] - rows[0], self.crop : self.crop + columns[1]]


class CoarseCache:
    """The newest rows of a coarser level's output, and the row above them."""

    def __init__(self) -> None:
        self.start = 0
        self.value: Tensor | list[Tensor] = []
        self.stop = 0

    def write(self, x: Tensor, rows: Span, columns: Span, pixel: bool) -> None:
        if not pixel:
            before = self._as_tensor() if rows[0] else x
            last = before.shape[2] - (self.stop - rows[0])  # the same rows may be looked at again
            above = [before[:, :, last - 1 : last]] if rows[0] else []
            self.start, self.stop = rows[0] - len(above), rows[1]
            self.value = torch.cat([*above, x], 2)
        elif isinstance(self.value, list) and self.start == rows[0] and len(self.value) >= columns[0]:
            self.value[columns[0] :] = [x]
        else:
            self.start, self.value = rows[0], [x]
        self.stop = rows[1]

    def read(self, rows: Span, columns: Span, pixel: bool) -> Tensor:
        if isinstance(self.value, list) and pixel:
            return self.value[columns[0]]
        value = self._as_tensor()[:, :, rows[0] - self.start : rows[1] - self.start]
        return value[:, :, :, columns[0] : columns[1]] if pixel else value

    def _as_tensor(self) -> Tensor:
        return torch.cat(self.value, 3) if isinstance(self.value, list) else self.value


class KVCache:
    """Keys and values of every cell so far, in raster order.

    They depend on a cell's own value, which is chosen after the look at it: a pixel's are made when the next
    one is looked at.
    """

    def __init__(self, size: tuple[int, int]):
        self.height, self.width = size
        self.stores: tuple[Tensor, ...] = ()
        self.pending: tuple[Span, Span, Tensor] | None = None

    def rows(self, image: Tensor, x: Tensor, rows: Span, project: Project) -> Past:
        self._settle(image, project)
        columns = (0, self.width)
        self._write(*project(image[:, :, rows[0] : rows[1]], x, rows, columns), rows[0] * self.width)
        stop = rows[1] * self.width
        order = torch.arange(stop, device=x.device)
        keys, values = (store[:, :, :stop] for store in self.stores)
        return keys, values, order[None, :] < order[rows[0] * self.width :, None]

    def pixel(self, image: Tensor, x: Tensor, rows: Span, columns: Span, project: Project) -> Past:
        if self.pending and self.pending[:2] != (rows, columns):
            self._settle(image, project)
        if not self.stores:
            keys, values = project(image[:, :, :1, :1], x, (0, 1), (0, 1))
            self.stores = self._rooms(keys, values)
        self.pending = (rows, columns, x)
        cell = rows[0] * self.width + columns[0]
        keys, values = (store[:, :, :cell] for store in self.stores)
        return keys, values, None

    def _settle(self, image: Tensor, project: Project) -> None:
        if self.pending:
            rows, columns, x = self.pending
            own = image[:, :, rows[0] : rows[1], columns[0] : columns[1]]
            self._write(*project(own, x, rows, columns), rows[0] * self.width + columns[0])
            self.pending = None

    def _write(self, keys: Tensor, values: Tensor, start: int) -> None:
        if not self.stores:
            self.stores = self._rooms(keys, values)
        for store, new in zip(self.stores, (keys, values), strict=True):
            cells = new.flatten(2)
            store[:, :, start : start + cells.shape[2]] = cells

    def _rooms(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.height * self.width
        return tuple(x.new_zeros(x.shape[0], x.shape[1], cells) for x in (keys, values))  # type: ignore[return-value]
