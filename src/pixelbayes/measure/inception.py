"""The network of the Frechet Inception distance: Inception-v3 of 2015-12-05, for weights that the user has.

Its layers are those of pytorch-fid's port (M. Seitzer), so that a state dict of `pt_inception-2015-12-05` fills it:
average pools do not count their padding, and the last block takes a maximum (both differ from torchvision's network,
whose weights are others, too). Names and shapes of all 566 tensors are checked; 25 of them are known by a digest, so
that a file with other numbers is never called FID.
"""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from ..errors import UserError

SIDE = 299  # pixels, to which images are resized
FINGERPRINT = "inception_fingerprint.json"
Size = int | tuple[int, int]


class Line(NamedTuple):
    """A kernel of one row or one column, padded so that the size stays."""

    kernel: tuple[int, int]
    padding: tuple[int, int]


class Convolution(nn.Module):
    """A convolution, normalisation with the statistics of the training, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


def _mean_of_neighbours(x: Tensor) -> Tensor:
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class MixedA(nn.Module):
    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_mean_of_neighbours(x))], 1)


class MixedB(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, max_pool2d(x, 3, 2)], 1)


class MixedC(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        row, column = Line((1, 7), (0, 3)), Line((7, 1), (3, 0))
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1 = Convolution(inputs, width, 1)
        self.branch7x7_2 = Convolution(width, width, row.kernel, padding=row.padding)
        self.branch7x7_3 = Convolution(width, 192, column.kernel, padding=column.padding)
        self.branch7x7dbl_1 = Convolution(inputs, width, 1)
        self.branch7x7dbl_2 = Convolution(width, width, column.kernel, padding=column.padding)
        self.branch7x7dbl_3 = Convolution(width, width, row.kernel, padding=row.padding)
        self.branch7x7dbl_4 = Convolution(width, width, column.kernel, padding=column.padding)
        self.branch7x7dbl_5 = Convolution(width, 192, row.kernel, padding=row.padding)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_mean_of_neighbours(x))], 1)


class MixedD(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(inputs, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(inputs, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat(
            [self.branch3x3_2(self.branch3x3_1(x)), self.branch7x7x3_4(seven), max_pool2d(x, 3, 2)], 1
        )


class MixedE(nn.Module):
    """`maximum`: the pool of the last block, which takes the maximum and not the mean."""

    def __init__(self, inputs: int, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = max_pool2d(x, 3, stride=1, padding=1) if self.maximum else _mean_of_neighbours(x)
        return torch.cat(
            [
                self.branch1x1(x),
                self.branch3x3_2a(three),
                self.branch3x3_2b(three),
                self.branch3x3dbl_3a(double),
                self.branch3x3dbl_3b(double),
                self.branch_pool(pooled),
            ],
            1,
        )


class InceptionV3(nn.Module):
    """Images (n, 3, 299, 299) in [-1, 1] -> features (n, 2048) of the last pool, or (n, 192) of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = MixedA(192, 32), MixedA(256, 64), MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b, self.Mixed_6c = MixedC(768, 128), MixedC(768, 160)
        self.Mixed_6d, self.Mixed_6e = MixedC(768, 160), MixedC(768, 192)
        self.Mixed_7a = MixedD(768)
        self.Mixed_7b, self.Mixed_7c = MixedE(1280, maximum=False), MixedE(2048, maximum=True)
        self.fc = nn.Linear(2048, 1008)  # of the file, and not used

    def forward(self, x: Tensor, dims: int = 2048) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, 2)))
        x = max_pool2d(x, 3, 2)
        if dims == 192:
            return x.mean((2, 3))
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x.mean((2, 3))


def as_seen(unit: Tensor) -> Tensor:
    """Images (n, 1 or 3, H, W) in [0, 1] -> what the network sees, (n, 3, 299, 299) in [-1, 1]."""
    colour = unit.expand(-1, 3, -1, -1)
    return interpolate(colour, (SIDE, SIDE), mode="bilinear", align_corners=False) * 2 - 1


def load_inception(path: str | Path, device: "torch.device | str" = "cpu") -> tuple[InceptionV3, bool]:
    """The network with the weights of a file (.pth, .safetensors), and whether they are the published ones.

    Raises UserError, with the reason, for a file that is not of this network.
    """
    path = Path(path)
    tensors = _tensors(path)
    with torch.device("meta"):
        network = InceptionV3()
    expected = network.state_dict()
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    _compare(path, expected, tensors, counters)
    network = network.to_empty(device=device)
    filled = {name: tensors.get(name, torch.zeros((), dtype=torch.int64)) for name in expected}
    network.load_state_dict(filled)
    return network.eval().requires_grad_(False), not differing(tensors)


def _tensors(path: Path) -> dict[str, Tensor]:
    """The state dict of a file; nothing in it is executed."""
    if not path.is_file():
        raise UserError(f"there is no file {path} with the weights of Inception")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file may fail in any way
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, SafetensorError):
            reason = f"it is no whole safetensors file: {reason}"
        raise UserError(f"{path} holds no state dict of Inception: {reason[:160]}") from None
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise UserError(f"{path} holds no state dict (names and tensors), but {type(loaded).__name__}")
    return dict(loaded)


def _compare(path: Path, expected: dict[str, Tensor], tensors: dict[str, Tensor], free: set[str]) -> None:
    """UserError unless names and shapes are those of the table; those in `free` may be missing."""
    missing = sorted(expected.keys() - tensors.keys() - free)
    foreign = sorted(tensors.keys() - expected.keys())
    other = sorted(
        name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape
    )
    reasons = [f"it misses {len(missing)} tensors, such as {missing[0]}"] if missing else []
    reasons += [f"it has {len(foreign)} others, such as {foreign[0]}"] if foreign else []
    if other:
        name = other[0]
        shapes = f"{tuple(tensors[name].shape)} and not {tuple(expected[name].shape)}"
        reasons.append(f"{len(other)} have other shapes: {name} is {shapes}")
    if reasons:
        raise UserError(f"{path} is not the Inception-v3 of 2015-12-05 (pytorch-fid): {'; '.join(reasons)}")
    broken = [n for n, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise UserError(f"{path}: {len(broken)} tensors are not finite, such as {broken[0]}")


def differing(tensors: dict[str, Tensor]) -> list[str]:
    """Of the 25 tensors whose digests are known, those that are not the published ones."""
    known: dict[str, str] = json.loads((files(__package__) / FINGERPRINT).read_text(encoding="utf-8"))
    return [name for name, mark in known.items() if digest(tensors[name]) != mark]


def digest(tensor: Tensor) -> str:
    """A short text that another number would change."""
    return hashlib.blake2b(tensor.float().contiguous().numpy().tobytes(), digest_size=12).hexdigest()
