"""Images and labels as users have them -> tensors that a model computes with, checked."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
import torch
from torch import Tensor

from .errors import UserError
from .labels import UNKNOWN, Labels
from .levels import ImageShape

Images = Tensor | np.ndarray
"""Integer levels `(n, C, H, W)`."""

LabelsLike = Tensor | np.ndarray | Sequence[int] | Sequence[str]
"""A class for each image, by index or by name."""

COMPUTABLE = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.int64,
}
"""Types that torch stores, but hardly computes with -> the one to use."""


def images_of(given: Images, shape: ImageShape) -> Tensor:
    """Levels `(n, C, H, W)` of images in any of the layouts `(n, H, W)`, NCHW and NHWC, for a model of `shape`.

    Raises UserError as `as_levels` and `check_levels` do.
    """
    levels = as_levels(given)
    if levels.dim() == 3 and shape.channels == 1:
        levels = levels[:, None]
    elif levels.dim() == 4 and levels.shape[1] != shape.channels and levels.shape[3] == shape.channels:
        levels = levels.permute(0, 3, 1, 2)
    check_levels(levels, shape)
    return levels


def check_levels(levels: Tensor, shape: ImageShape) -> None:
    """`UserError` unless these are integer levels `(n, C, H, W)` of any size, of such images as `shape` says."""
    if levels.dim() != 4 or levels.is_floating_point() or levels.is_complex():
        raise UserError(
            f"images must be integer levels (n, {shape.channels}, height, width),"
            f" not {levels.dtype} {tuple(levels.shape)}"
        )
    if levels.shape[1] != shape.channels:
        raise UserError(f"the model knows images of {shape.channels} channel(s), not {levels.shape[1]}")
    if 0 in levels.shape[1:]:
        raise UserError(f"images must have a height and a width of 1 or more, not {tuple(levels.shape)}")
    if levels.numel() and (int(levels.max()) >= shape.levels or int(levels.min()) < 0):
        raise UserError(
            f"levels must lie in 0..{shape.levels - 1}, not {int(levels.min())}..{int(levels.max())}"
        )


def label_indices(labels: LabelsLike | None, classes: Labels, count: int) -> Tensor | None:
    """The class `(count,)` of each image; None for a model without classes.

    A tensor holds indices, as this library gives them; lists and arrays are read by the rule of `Labels.index`.
    Raises UserError for missing, unknown and foreign labels.
    """
    if not classes:
        if labels is not None:
            raise UserError("this model has no classes: it takes no labels")
        return None
    if labels is None:
        raise UserError(f"this model needs a label for each image (classes: {', '.join(classes)})")
    label = _whole(labels) if isinstance(labels, Tensor) else as_indices(labels, classes)
    if label.shape != (count,):
        raise UserError(f"{count} images need {count} labels, not {tuple(label.shape)}")
    if count and not (int(label.min()) >= 0 and int(label.max()) < len(classes)):
        raise UserError(f"labels must lie in 0..{len(classes) - 1} (unknown ones have no likelihood)")
    return label


def require_model(model: object) -> None:
    """`UserError` for what is no model, such as the path of one."""
    if not hasattr(model, "log_prob"):
        hint = f": load it with pb.load({str(model)!r})" if isinstance(model, str | PathLike) else ""
        raise UserError(f"a model is needed, not {model!r}{hint}")


def as_levels(images: Images) -> Tensor:
    """An integer array or tensor as a tensor of a type that torch computes with; `UserError` for what is no array."""
    if not isinstance(images, Tensor):
        if not isinstance(images, list | tuple) and not hasattr(images, "__array__"):
            raise UserError(
                f"images must be an array or a tensor of integer levels, not {type(images).__name__}"
            )
        try:  # a tensor shares memory that it may write to, in the machine's own order
            values = np.asarray(images)
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
            images = torch.as_tensor(np.require(values, requirements=["C", "W"]))
        except (TypeError, ValueError) as error:
            raise UserError(f"images must be an array of integer levels ({error})") from error
    return images.to(COMPUTABLE.get(images.dtype, images.dtype))


def as_indices(labels: LabelsLike | int | str, classes: Labels) -> Tensor:
    """Names and numbers -> int64 indices of the same shape, each by the rule of `Labels.index`; -1, None, '' and NaN,
    which say 'unknown', -> -1. Raises UserError for anything else.

    >>> as_indices(["dog", "cat"], Labels(("cat", "dog"))), as_indices([1, 10], Labels(("1", "2", "10")))
    (tensor([1, 0]), tensor([0, 2]))
    """
    try:
        given = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    except (TypeError, ValueError) as error:
        raise UserError(f"labels must be whole numbers or names ({error})") from error
    if given.dtype.kind not in "biufUSO":
        raise UserError(f"labels must be whole numbers or names, not {given.dtype} values")
    words = [plain_label(each) for each in given.flat]
    table = {word: _index_of(word, classes) for word in set(words)}
    indices = np.array([table[word] for word in words], np.int64)
    return torch.from_numpy(indices.reshape(given.shape))


def one_each(labels: LabelsLike, name: str = "the labels") -> LabelsLike:
    """`[N]` labels, also from a column `[N, 1]` and from rows of 0 and 1 with a single 1, `[N, K]`. UserError for other
    rows.

    >>> one_each([[0, 1, 0], [1, 0, 0]])
    array([1, 0])
    """
    try:
        values = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: the labels differ in length; one for each image is needed") from error
    if values.ndim < 2:
        return labels
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim == 2 and values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all():
        if (values.sum(axis=1) == 1).all():
            return values.argmax(axis=1)
        raise UserError(
            f"{name}: labels of shape {values.shape}, where a row has no 1, or several: one class each"
        )
    raise UserError(f"{name}: labels of shape {values.shape}; one for each image is needed")


def _whole(labels: Tensor) -> Tensor:
    """A tensor of indices as int64."""
    if labels.dtype == torch.bool or labels.is_complex():
        raise UserError(f"labels must be whole numbers or names, not {labels.dtype} values")
    if labels.is_floating_point() and bool((labels != labels.floor()).any()):
        raise UserError("labels must be whole numbers or names, not fractions")
    return labels.long()


def plain_label(label: object) -> str | int:
    """A label as a text or a whole number: '' where it says 'unknown' (None, NaN, pandas' NA).

    Raises UserError for what is neither.
    """
    if isinstance(label, np.generic):
        label = label.item()
    if label is None or type(label).__name__ in ("NAType", "NaTType") or label != label:
        return ""
    if isinstance(label, bytes):
        try:
            return label.decode()
        except UnicodeDecodeError as error:
            raise UserError(f"the label {label!r} is not UTF-8") from error
    if isinstance(label, bool):
        return str(label)
    if isinstance(label, float) and label.is_integer():
        return int(label)
    if not isinstance(label, str | int):
        raise UserError(f"labels must be whole numbers or names, not {label!r}")
    return label


def _index_of(label: str | int, classes: Labels) -> int:
    if label in ("", UNKNOWN) and str(label) not in classes.names:
        return UNKNOWN
    if label in ("True", "False") and label not in classes.names:
        return classes.index(int(label == "True"))
    return classes.index(label)
