"""Levels that are decoded when they are asked for: sets of any number of images in bounded memory."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from .decode_all import BLOCK, fill_from_array
from .preparation import Preparation
from .raw import BadImageError, BadImagesError, Pictures, Selected, threads


class LazyLevels:
    """Levels `[N, C, H, W]` of pictures, decoded when they are indexed, with whatever the decoder raises then.

    What cannot be read raises BadImagesError, naming it, unless `skip_bad`: then it is all zeros, and `unreadable`
    tells its row and what is wrong with it.
    """

    def __init__(
        self, pictures: Pictures, names: Sequence[str], preparation: Preparation, skip_bad: bool
    ) -> None:
        self.pictures, self.names, self.preparation, self.skip_bad = pictures, names, preparation, skip_bad
        self.unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> torch.Size:
        return torch.Size([len(self), self.preparation.channels, *self.preparation.size])

    @cached_property
    def _pool(self):  # type: ignore[no-untyped-def]
        return threads()

    def __getitem__(self, index: "slice | Tensor") -> Tensor:
        rows = torch.arange(len(self))[index].reshape(-1).numpy()
        kind = np.uint8 if self.preparation.levels <= 256 else np.int32
        out = np.zeros((len(rows), *self.shape[1:]), kind)
        if not fill_from_array(Selected(self.pictures, rows), self.preparation, out):
            self._decode(rows, out)
        return torch.from_numpy(out)

    def _decode(self, rows: np.ndarray, out: np.ndarray) -> None:
        bad: list[tuple[str, str]] = []
        for place, (row, found) in enumerate(
            zip(rows.tolist(), self._pool.map(self._read, rows.tolist()), strict=True)
        ):
            if isinstance(found, BadImageError):
                self.unreadable[row] = str(found)
                bad.append((self.names[row], str(found)))
            else:
                out[place] = found
        if bad and not self.skip_bad:
            raise BadImagesError(bad)

    def _read(self, row: int) -> np.ndarray | BadImageError:
        try:
            return self.preparation.apply(self.pictures.read(row))
        except BadImageError as error:
            return error


def too_many_to_decode_at_once(pictures: Pictures) -> bool:
    """Whether pictures are better decoded when asked for. Few are decoded before the work, so that every unreadable
    file is named at once; a stream can only be read in its order."""
    return len(pictures) > BLOCK and not pictures.sequential
