"""A device without float64, as Apple's is: tensors that say they lie on it, and refuse the type."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from pixelbayes.model import AutoregressiveImageModel

MPS = torch.device("mps")


class OnMps(torch.Tensor):
    """A tensor of the CPU that says that it lies on the other device; what is made of it does so, too."""

    @classmethod
    def __torch_function__(
        cls, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if getattr(func, "__self__", None) is torch.Tensor.device:
            return MPS
        if func in (torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.item):
            return func(args[0].as_subclass(torch.Tensor), *args[1:], **kwargs)
        if func is torch.Tensor.copy_ and not isinstance(args[0], OnMps):
            return func(args[0], args[1].as_subclass(torch.Tensor))
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*map(_without_device, args), **{k: _without_device(v) for k, v in kwargs.items()})
        return _on_mps(result, func)


def _without_device(value: Any) -> Any:
    return torch.device("cpu") if value == MPS and isinstance(value, torch.device) else value


def _on_mps(result: Any, func: Callable) -> Any:
    if isinstance(result, torch.Tensor):
        assert result.dtype != torch.float64, f"{func} makes float64 on a device that has none"
        return result if isinstance(result, OnMps) else result.as_subclass(OnMps)
    return type(result)(_on_mps(each, func) for each in result) if type(result) in (tuple, list) else result


class Moves(TorchFunctionMode):
    """What is moved to the device, or made there, lies on it."""

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        moved = MPS in [each for each in (*args, *kwargs.values()) if isinstance(each, torch.device)]
        result = func(*map(_without_device, args), **{k: _without_device(v) for k, v in kwargs.items()})
        return _on_mps(result, func) if moved else result


@contextmanager
def fake_mps(model: AutoregressiveImageModel) -> Iterator[None]:
    """The model lies on such a device."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "device", MPS)
        with Moves():
            yield
