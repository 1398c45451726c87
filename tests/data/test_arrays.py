"""Data sets from arrays and tensors."""

import numpy as np
import pytest
import torch

from pixelbayes.data import DataConfig, from_arrays
from pixelbayes.data.stacks import channels_last
from pixelbayes.errors import UserError
from pixelbayes.levels import ImageShape


def random(*shape: int, top: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape)


def everything(data) -> np.ndarray:
    """All images in the order given."""
    rows = [int(path.partition("[")[2][:-1]) for path in data.train.paths]
    assert rows == sorted(rows)
    return data.train.levels.numpy()


ALL = DataConfig(validation_share=0)


def test_open_labels_are_unknown_and_negative_ones_refused() -> None:
    images = np.zeros((6, 4, 4), np.uint8)
    config = DataConfig(validation_share=0)
    for labels in ([None, "a", "b"] * 2, np.array([np.nan, "a", "b"] * 2, object), ["-1", "a", "b"] * 2):
        data = from_arrays(images, labels, config=config)
        assert data.classes.names == ("a", "b")
        assert data.train.labels.tolist() == [-1, 0, 1] * 2
    assert from_arrays(images, [np.nan, 0.0, 1.0] * 2, config=config).train.labels.tolist() == [-1, 0, 1] * 2
    with pytest.raises(UserError, match="label -2 is outside"):
        from_arrays(images, [-2, 0, 1] * 2, config=config)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16])
@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 1), (6, 1, 5, 4), (6, 5, 4, 3), (6, 3, 5, 4)])
def test_layouts_and_types(shape: tuple[int, ...], kind: type) -> None:
    values = random(*shape, top=65_536 if kind is np.uint16 else 256).astype(kind)
    data = from_arrays(values, [0, 1, 2] * 2, config=ALL)
    channels = 3 if 3 in shape else 1
    first = values[:, None] if values.ndim == 3 else values
    first = first if first.shape[1] == channels and shape[1] == channels else np.moveaxis(first, -1, 1)
    expected = first if values.ndim == 4 else values[:, None]
    assert data.shape.channels == channels
    assert data.shape.levels == (65_536 if kind is np.uint16 else 256)
    assert (everything(data) == expected.reshape(6, channels, 5, 4)).all()


def test_one_image_in_colour_is_no_stack_of_grey_ones() -> None:
    model = ImageShape(1, 8, 8)
    for shape in ((8, 8, 3), (16, 12, 3)):
        with pytest.raises(UserError, match=r"is that of one image in colour: give images\[None\]"):
            channels_last(np.zeros(shape, np.uint8), "x", shape=model)
    with pytest.raises(UserError, match="one image in colour"):
        channels_last(np.zeros((3, 9, 9), np.uint8), "x", True, ImageShape(3, 8, 8))
    assert channels_last(np.zeros((3, 9, 9), np.uint8), "x", shape=model).shape == (3, 9, 9, 1)
    assert channels_last(np.zeros((5, 8, 3), np.uint8), "x", shape=ImageShape(1, 8, 3)).shape == (5, 8, 3, 1)


def test_a_tensor_is_channels_first() -> None:
    values = torch.from_numpy(random(4, 3, 3, 3).astype(np.uint8))
    assert (everything(from_arrays(values, config=ALL)) == values.numpy()).all()


def test_levels_below_256() -> None:
    values = random(8, 4, 4, top=17)
    assert (
        everything(from_arrays(values, config=DataConfig(levels=17, validation_share=0)))[:, 0] == values
    ).all()
    data = from_arrays(values, maximum=16, config=ALL)
    assert data.shape.levels == 17
    assert from_arrays(values > 8, config=ALL).shape.levels == 2


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16])
@pytest.mark.parametrize(("levels", "highest"), [(16, 16), (16, 31), (2, 2), (256, 300), (1000, 1500)])
def test_levels_that_are_miscounted_are_refused(kind: type, levels: int, highest: int) -> None:
    values = np.full((4, 3, 3), highest).astype(np.int64 if highest > 255 else kind)
    with pytest.raises(UserError, match=f"highest value is {highest},.* set levels to {highest + 1}"):
        from_arrays(values, config=DataConfig(levels=levels))


@pytest.mark.parametrize(
    ("highest", "maximum", "levels", "notices"),
    [
        (255, None, 8, ["arrays: the values are taken as 8-bit (0 to 255) and become 8 levels"]),
        (255, None, 128, ["arrays: the values are taken as 8-bit (0 to 255) and become 128 levels"]),
        (
            60_000,
            None,
            1024,
            ["arrays: the values are taken as 16-bit (0 to 65,535) and become 1,024 levels"],
        ),
        (20, 255, 16, []),  # on purpose
        (15, None, 16, []),
        (255, None, 256, []),
        (255, None, None, []),
    ],
)
def test_what_values_are_taken_for_is_said(highest, maximum, levels, notices) -> None:
    values = np.full((4, 3, 3), highest)
    data = from_arrays(values, validation=values, maximum=maximum, config=DataConfig(levels=levels))
    assert [notice for notice in data.notices if "taken as" in notice] == notices


def test_small_sizes_stay_and_large_ones_are_shrunk_as_those_of_folders() -> None:
    assert from_arrays(random(3, 30, 20)).shape.height == 30
    assert from_arrays(random(3, 50, 40)).shape.height == 32
    assert from_arrays(random(3, 50, 40), config=DataConfig(size=(50, 40))).shape.height == 50
    assert from_arrays(random(3, 50, 40), config=DataConfig(size=(25, 20))).shape.width == 20


def test_names_validation_and_test() -> None:
    data = from_arrays(
        random(6, 4, 4),
        ["dog", "cat"] * 3,
        validation=(random(2, 4, 4), ["cat", "dog"]),
        test=random(3, 4, 4),
    )
    assert data.classes.names == ("cat", "dog")
    assert data.validation.labels.tolist() == [0, 1]
    assert data.test.labels.tolist() == [-1, -1, -1]
    named = from_arrays(random(6, 4, 4), [0, 1] * 3, class_names=["x", "y"], config=ALL)
    assert named.classes.names == ("x", "y")
    assert named.train.labels.tolist() == [0, 1] * 3


@pytest.mark.parametrize(
    ("images", "labels", "reason"),
    [
        (np.full((3, 4, 4), 0.3), None, "integers are needed"),
        (np.zeros((3, 4), np.uint8), None, "accepted are N,H,W"),
        (np.zeros((3, 4, 4, 2), np.uint8), None, "accepted are N,H,W"),
        (np.zeros((0, 4, 4), np.uint8), None, "no images"),
        (np.full((3, 4, 4), 70_000), None, "accepted are 0 to 65535"),
        (np.full((3, 4, 4), -1), None, "values from -1"),
        (np.zeros((3, 4, 4), np.uint8), [0, 1], "2 labels for 3 images"),
        (np.zeros((3, 4, 4), np.uint8), [[0, 2], [1, 1], [1, 0]], "one for each image"),
        (np.zeros((3, 4, 4), np.uint8), [0.5, 1, 0], "whole numbers"),
    ],
)
def test_what_cannot_be_images_or_labels(images, labels, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        from_arrays(images, labels)


def test_deeper_than_asked_for_and_labels_outside() -> None:
    with pytest.raises(UserError, match="deeper than the 256 levels"):
        from_arrays(random(4, 3, 3, top=60_000), config=DataConfig(levels=256))
    with pytest.raises(UserError, match="outside the classes"):
        from_arrays(random(4, 3, 3), [0, 1, 2, 5], class_names=["a", "b", "c"])
