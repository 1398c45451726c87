"""Crop, resize, quantise, binarise: the numbers themselves."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, from_arrays
from pixelbayes.data.preparation import Preparation, chosen_size, crop_box
from pixelbayes.data.raw import Facts, Picture
from pixelbayes.errors import UserError
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord, ModelRecord

from .conftest import noise


def test_eight_bit_resize_is_pillows() -> None:
    values = noise(0, 64, 64)
    levels = Preparation(32, 32, 3).apply(Picture(values, 255))
    expected = np.asarray(Image.fromarray(values).resize((32, 32), Image.Resampling.BILINEAR))
    assert (levels == expected.transpose(2, 0, 1)).all()


@pytest.mark.parametrize(
    ("source", "target", "box"),
    [((10, 20), (5, 5), (0, 5, 10, 10)), ((20, 10), (5, 5), (5, 0, 10, 10)), ((9, 9), (3, 2), (0, 1, 9, 6)),
     ((1, 50), (4, 1), (0, 24, 1, 1))],
)  # fmt: skip
def test_the_crop_is_centred_and_has_the_aspect(source, target, box) -> None:
    assert crop_box(*source, target) == box


def test_without_crop_the_whole_image_is_seen() -> None:
    values = np.zeros((4, 8, 1), np.uint8)
    values[:, :2] = 255
    assert Preparation(4, 4, 1, crop=False).apply(Picture(values, 255))[0, 0, 0] > 200
    assert Preparation(4, 4, 1, crop=True).apply(Picture(values, 255)).max() == 0


def test_colour_to_grey_is_pillows() -> None:
    values = noise(3)
    levels = Preparation(12, 12, 1).apply(Picture(values, 255))
    assert (levels[0] == np.asarray(Image.fromarray(values).convert("L"))).all()


def test_two_levels_are_cut_at_half() -> None:
    values = np.array([[[0], [127], [128], [255]]], np.uint8)
    assert Preparation(1, 4, 1, levels=2).apply(Picture(values, 255)).tolist() == [[[0, 0, 1, 1]]]


def test_random_binarisation_follows_brightness_and_repeats() -> None:
    values = np.full((200, 200, 1), 64, np.uint8)
    one = Preparation(200, 200, 1, levels=2, binarise="random", seed=1)
    levels = one.apply(Picture(values, 255))
    assert abs(levels.mean() - 64 / 255) < 0.01
    assert (levels == one.apply(Picture(values, 255))).all()
    other = Preparation(200, 200, 1, levels=2, binarise="random", seed=2).apply(Picture(values, 255))
    assert (levels != other).any()


def test_the_description_is_plain_data_and_makes_the_same_images() -> None:
    data = from_arrays(np.stack([noise(seed) for seed in range(10)]), config=DataConfig(size=7, levels=8))
    stored = json.loads(json.dumps(ModelRecord(data.preparation).to_dict()))
    again = Preparation.of(ModelRecord.from_dict(stored).data, data.shape)
    row = int(data.train.paths[0].partition("[")[2][:-1])
    assert (again.apply(Picture(noise(row), 255)) == data.train.levels[0].numpy()).all()


def test_the_automatic_size() -> None:
    def alike(height: int, width: int) -> list[Facts]:
        return [Facts(height, width, 3, 255)]

    assert chosen_size(alike(28, 20)) == (28, 20)
    assert chosen_size(alike(64, 64)) == (32, 32)
    assert chosen_size(alike(218, 178)) == (32, 26)
    assert chosen_size(alike(1, 500)) == (1, 32)
    assert chosen_size([*alike(300, 200), *alike(40, 80)]) == (32, 32)
    assert chosen_size([*alike(12, 20), *alike(10, 9)]) == (10, 10)


def test_a_models_shape_wins_over_what_was_stored() -> None:
    shape = ImageShape(3, 16, 8, 65_536, "asinh")
    prepared = Preparation.of(DataRecord(height=4, width=4, channels=1, signal="linear"), shape)
    assert prepared.shape == shape


@pytest.mark.parametrize("filter_", ["bilinea", [], 5])
def test_a_filter_that_is_none_is_refused(filter_: object) -> None:
    with pytest.raises(UserError):
        Preparation.of(ModelRecord.from_dict({"data": {"resize": filter_}}).data, ImageShape(1, 8, 8))
