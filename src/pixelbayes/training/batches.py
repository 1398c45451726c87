"""The training images by index: on the device whole, or gathered from a memory map one step ahead."""

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

DEVICE_SHARE = 0.3  # of a device's free memory that the images may take


class Batches:
    """Integer levels [N, C, H, W] and labels [N] of a training set, ready to be indexed.

    The whole set lies on the device as integers where it fits. A larger one stays where it is (a memory map
    that ranks share), and the coming batch is gathered while the present one is computed.
    """

    def __init__(self, levels: Tensor, labels: Tensor | None, device: torch.device) -> None:
        self.device = device
        self.resident = device.type == "cpu" or fits(levels, device)
        self.levels = levels.to(device) if self.resident else levels
        self.labels = labels.to(device) if labels is not None else None
        self._reader = None if self.resident else ThreadPoolExecutor(1, "pixelbayes-batches")
        self._ahead: tuple[Tensor, Future[Tensor]] | None = None

    def __len__(self) -> int:
        return len(self.levels)

    def close(self) -> None:
        """End the reader, if there is one."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def take(self, indices: Tensor, coming: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The images and labels at `indices` [n], on the device; `coming` are those asked for next."""
        images = self._resident(indices) if self.resident else self._gathered(indices, coming)
        labels = self.labels[indices.to(self.device)] if self.labels is not None else None
        return images, labels

    def _resident(self, indices: Tensor) -> Tensor:
        return self.levels[indices.to(self.device, non_blocking=True)]

    def _gathered(self, indices: Tensor, coming: Tensor | None) -> Tensor:
        if self._ahead is not None and torch.equal(self._ahead[0], indices):
            images = self._ahead[1].result()
        else:
            images = self._read(indices)
        if coming is not None and self._reader is not None:
            self._ahead = coming, self._reader.submit(self._read, coming)
        return images.to(self.device, non_blocking=True)

    def _read(self, indices: Tensor) -> Tensor:
        images = self.levels[indices]
        return images.pin_memory() if self.device.type == "cuda" else images


def fits(levels: Tensor, device: torch.device) -> bool:
    """Whether the images may lie on the device whole."""
    if device.type != "cuda":
        return levels.nbytes < 2**32
    free, _ = torch.cuda.mem_get_info(device)
    return levels.nbytes < DEVICE_SHARE * free
