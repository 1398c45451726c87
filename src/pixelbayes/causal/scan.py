"""The two ways of looking at an image: the whole at once, or a glimpse of some cells with a cache.

Every layer is written once and asks its scan what it needs. A `WholeImage` answers from the tensor at
hand, and gradients flow. A `Glimpse` shows some whole rows, or one pixel; its cache holds what layers were
shown before, so that a walk over the pixels computes nothing twice. The cache belongs to the request,
not to the model. Glimpses go forward in raster order; the same rows or pixel may be looked at again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolve import convolve
from .meeting import meet, widen
from .memory import (
    CoarseCache,
    Convolution,
    Enlarged,
    KVCache,
    Past,
    Project,
    RowCache,
    Span,
    WalkCache,
    multiply,
)

T = TypeVar("T")


class Scan(ABC):
    """What a layer can ask about the cells that it is to compute, and about what surrounds them.

    A `key` is whatever asks (a layer, as a rule): each key has a place of its own in a walk's cache.
    """

    @abstractmethod
    def cells(self, image: Tensor) -> tuple[Span, Span]:
        """Returns the rows and the columns under this scan, of an image `(b, c, H, W)`."""

    @abstractmethod
    def convolve(self, layer: Convolution, x: Tensor) -> Tensor:
        """Returns the causal convolution of features `(b, c, h, w)` of the cells under this scan."""

    @abstractmethod
    def valid(self, layer: Convolution, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """Returns a convolution without padding, of cells `(b, c, h, w)` that have been gathered already.

        It is added to `onto` `(b, out, h, w)`, if given, which is not to be used afterwards.
        """

    def parameters(self, layer: Convolution, x: Tensor) -> Tensor:
        """Returns a 1x1 convolution of cells to what a distribution reads."""
        return self.valid(layer, x)

    @abstractmethod
    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        """Returns coarse features `(b, c, h/2, w/2)` at twice the size, cropped to the size of `like`."""

    @abstractmethod
    def rows(self, key: Hashable, compute: Callable[["Scan"], T]) -> T:
        """Returns what depends on whole rows alone: computed once a row, with a scan of the whole row."""

    @abstractmethod
    def over_row(self, key: Hashable, compute: Callable[["Scan"], Tensor]) -> Tensor:
        """Returns features `(b, c, h, w)` that depend on whole rows alone: computed once a row, cut to this scan."""

    @abstractmethod
    def constant(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Returns what is the same for every cell (what a label contributes, say): computed once a walk."""

    @abstractmethod
    def meet(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Returns two features, one of which a label may have reached, with the same number of rows."""

    @abstractmethod
    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Returns the sum of two such features."""

    @abstractmethod
    def drop(self, dropout: nn.Dropout2d, x: Tensor) -> Tensor:
        """Returns features with some channels dropped in training: the same ones under every class of an image."""

    @abstractmethod
    def past(self, key: Hashable, image: Tensor, x: Tensor, project: Project) -> Past:
        """Returns keys and values of the cells up to those under this scan, and who sees whom.

        `project` makes them from the image at a cell (its own value, too) and the features `x` there.
        """

    @abstractmethod
    def coarser(self) -> "Scan":
        """Returns the scan of the same cells at half the resolution; a glimpse of it may show nothing new."""

    @abstractmethod
    def recall(self, key: Hashable, compute: Callable[[], tuple[Tensor, T]]) -> tuple[Tensor, T | None]:
        """Returns the output of a coarser level, and its features (None where this scan shows it nothing new).

        `compute` makes both, and is called only where there is something new to compute.
        """


class WholeImage(Scan):
    """All cells at once: their surroundings are the padded tensor, and nothing is kept.

    `images`: how many there are, where labels hold several classes of each (`causal.meeting`).
    """

    def __init__(self, images: int | None = None):
        self.images = images

    def cells(self, image: Tensor) -> tuple[Span, Span]:
        return (0, image.shape[2]), (0, image.shape[3])

    def convolve(self, layer: Convolution, x: Tensor) -> Tensor:
        if layer.reach == (0, 0, 0) and layer.stride == 1:
            return self.valid(layer, x)
        return convolve(x, layer.kernel(), layer.bias, layer.reach, layer.stride)

    def valid(self, layer: Convolution, x: Tensor, onto: Tensor | None = None) -> Tensor:
        return convolve_cells(layer, x, onto)

    def parameters(self, layer: Convolution, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return self.valid(layer, x)
        # Channels first, as distributions read them: to turn them would cost more than the product.
        y = torch.matmul(layer.kernel().flatten(1), x.flatten(2)).unflatten(2, x.shape[2:])
        return y if layer.bias is None else y.add_(layer.bias[:, None, None])

    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        crop = layer.crop
        grown = F.conv_transpose2d(x, layer.kernel(), layer.bias, stride=2, output_padding=(0, layer.crop))
        return grown[:, :, : like.shape[2], crop : crop + like.shape[3]]

    def rows(self, key: Hashable, compute: Callable[[Scan], T]) -> T:
        return compute(self)

    def over_row(self, key: Hashable, compute: Callable[[Scan], Tensor]) -> Tensor:
        return compute(self)

    def constant(self, key: Hashable, compute: Callable[[], T]) -> T:
        return compute()

    def meet(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return meet(a, b)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.add(*meet(a, b))

    def drop(self, dropout: nn.Dropout2d, x: Tensor) -> Tensor:
        if not dropout.training or self.images in (None, len(x)):
            return dropout(x)
        # Else the noise, of many nats, would be taken for evidence for one class or another.
        mask = dropout(x.new_ones(self.images, x.shape[1], 1, 1))
        return x * widen(mask, len(x))

    def past(self, key: Hashable, image: Tensor, x: Tensor, project: Project) -> Past:
        rows, columns = self.cells(image)
        keys, values = project(image, x, rows, columns)
        order = torch.arange(keys.shape[2] * keys.shape[3], device=x.device)
        return keys.flatten(2), values.flatten(2), order[None, :] < order[:, None]

    def coarser(self) -> "WholeImage":
        return self

    def recall(self, key: Hashable, compute: Callable[[], tuple[Tensor, T]]) -> tuple[Tensor, T | None]:
        return compute()


class Glimpse(Scan):
    """Some whole rows (`columns` None), or one pixel, of an image whose earlier cells were looked at with the same
    cache.

    `size` is that of the image, (height, width). `to_read` are the rows and columns that a coarser level's output is
    wanted for, where they are not those that are new to it.
    """

    def __init__(
        self,
        size: tuple[int, int],
        rows: Span,
        columns: Span | None = None,
        cache: WalkCache | None = None,
        to_read: tuple[Span, Span] | None = None,
    ):
        self.size, self.span = size, rows
        self.columns = columns or (0, size[1])
        self.cache = WalkCache() if cache is None else cache
        self.pixel = columns is not None
        self.new = self.span[1] > self.span[0] and self.columns[1] > self.columns[0]
        self.to_read = to_read or (self.span, self.columns)

    def cells(self, image: Tensor) -> tuple[Span, Span]:
        return self.span, self.columns

    def convolve(self, layer: Convolution, x: Tensor) -> Tensor:
        if layer.reach == (0, 0, 0) and layer.stride == 1:
            return self.valid(layer, x)
        cache = self.cache.rows.get(layer)
        if cache is None:
            cache = self.cache.rows[layer] = RowCache(layer, x, self.size[1])
        return cache.pixel(x, self.span[0], self.columns[0]) if self.pixel else cache.rows(x, self.span)

    def valid(self, layer: Convolution, x: Tensor, onto: Tensor | None = None) -> Tensor:
        if not self.pixel:
            return convolve_cells(layer, x, onto)
        matrix_and_bias = self.cache.folded.get(layer)
        if matrix_and_bias is None:
            matrix_and_bias = self.cache.folded[layer] = folded(layer)
        matrix, bias = matrix_and_bias
        if onto is None:
            return multiply(x, matrix, bias)
        return multiply(x, matrix, onto.flatten(1) if layer.bias is None else onto.flatten(1) + bias)

    def enlarge(self, layer: Any, x: Tensor, like: Tensor) -> Tensor:
        kernel = self.cache.enlarged.get(layer)
        if kernel is None:
            kernel = self.cache.enlarged[layer] = Enlarged(layer)
        if self.pixel:
            return kernel.pixel(x, self.span[0], self.columns[0])
        return kernel.rows(x, self.span, self.columns)

    def rows(self, key: Hashable, compute: Callable[[Scan], T]) -> T:
        if not self.pixel:
            return compute(self)
        entry = self.cache.of_row.get(key)
        if entry is None or entry[0] != self.span:
            entry = self.cache.of_row[key] = self.span, compute(self._whole_rows())
        return entry[1]

    def over_row(self, key: Hashable, compute: Callable[[Scan], Tensor]) -> Tensor:
        if not self.pixel:
            return compute(self)
        entry = self.cache.along_row.get(key)
        if entry is None or entry[0] != self.span:
            entry = self.cache.along_row[key] = self.span, split_columns(compute(self._whole_rows()))
        return entry[1][self.columns[0]]

    def _whole_rows(self) -> "Glimpse":
        return Glimpse(self.size, self.span, None, self.cache)

    def constant(self, key: Hashable, compute: Callable[[], T]) -> T:
        constants = self.cache.constants
        if key not in constants:
            constants[key] = compute()
        return constants[key]

    def meet(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a, b  # a walk is of one class for each image

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def drop(self, dropout: nn.Dropout2d, x: Tensor) -> Tensor:
        return dropout(x)

    def past(self, key: Hashable, image: Tensor, x: Tensor, project: Project) -> Past:
        cache = self.cache.attended.get(key)
        if cache is None:
            cache = self.cache.attended[key] = KVCache(self.size)
        if self.pixel:
            return cache.pixel(image, x, self.span, self.columns, project)
        return cache.rows(image, x, self.span, project)

    def coarser(self) -> "Glimpse":
        (height, width), (r0, r1), (c0, c1) = self.size, self.span, self.columns
        size, bottom, right = ((height + 1) // 2, (width + 1) // 2), (r1 + 1) // 2, (c1 + 1) // 2
        to_read = (r0 // 2, bottom), (c0 // 2, right)
        new_rows, new_columns = ((r0 + 1) // 2, bottom), ((c0 + 1) // 2, right)
        return Glimpse(size, new_rows, new_columns if self.pixel else None, self.cache, to_read)

    def recall(self, key: Hashable, compute: Callable[[], tuple[Tensor, T]]) -> tuple[Tensor, T | None]:
        cache = self.cache.coarse.get(key)
        if cache is None:
            cache = self.cache.coarse[key] = CoarseCache()
        features = None
        if self.new:
            x, features = compute()
            cache.write(x, self.span, self.columns, self.pixel)
        return cache.read(*self.to_read, self.pixel), features


def convolve_cells(layer: Convolution, x: Tensor, onto: Tensor | None) -> Tensor:
    """Returns a convolution without padding of many cells `(b, c, h, w)`, added to `onto` if there is one."""
    y = F.conv2d(x.contiguous(memory_format=torch.channels_last), layer.kernel(), layer.bias)
    if onto is None:
        return y
    return y.add_(onto) if len(y) == len(onto) else torch.add(*meet(y, onto))


def folded(layer: Convolution) -> tuple[Tensor, Tensor]:
    """Returns a kernel as a matrix `(in, out)` for the cells it covers, and its bias or zero."""
    kernel = layer.kernel()
    return kernel.flatten(1).t().contiguous(), kernel.new_zeros(()) if layer.bias is None else layer.bias


def split_columns(x: Tensor) -> tuple[Tensor, ...]:
    """Returns the features of one row `(b, c, 1, w)` as those of each pixel, `w` times `(b, c, 1, 1)`."""
    return x.permute(3, 0, 1, 2).contiguous().unsqueeze(4).unbind(0)
