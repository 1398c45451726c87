"""The base of the layers that a walk calls at every pixel."""

from typing import Any

from torch import nn


class Layer(nn.Module):
    """A module without hooks: calling it is calling `forward`, and its parts are found at once.

    Registering a hook, or pruning, raises RuntimeError.

    A walk makes some twenty calls a pixel, and the machinery of hooks and of looking up a part in `nn.Module`
    costs more than many a layer's work.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.__call__ = cls.forward  # type: ignore[method-assign]

    def _refuse_hook(self, *_: Any, **__: Any) -> Any:
        """Raises RuntimeError: a hook would never be called (pruning needs one, too)."""
        raise RuntimeError(
            f"a {type(self).__name__} is called without hooks, so that one would never run: register it on the model"
        )

    register_forward_hook = register_forward_pre_hook = _refuse_hook
    register_full_backward_hook = register_full_backward_pre_hook = register_backward_hook = _refuse_hook

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        if name.endswith("_orig"):  # of torch's pruning, before it takes anything apart
            self._refuse_hook()
        super().register_parameter(name, param)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self._modules:  # where else only `__getattr__` would find it
            self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        if name in self._modules:
            self.__dict__.pop(name, None)
        super().__delattr__(name)
