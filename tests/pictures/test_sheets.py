import numpy as np
import pytest
import torch
from PIL import Image

from pixelbayes.levels import ImageShape
from pixelbayes.pictures import preview, sheet


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("count", [2, 17, 256])
def test_few_levels_are_spread_over_black_to_white(count):
    levels = torch.tensor([0, count - 1], dtype=torch.uint8).view(1, 1, 1, 2)
    assert preview(levels, ImageShape(1, 1, 2, count))[0, 0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_many_levels_are_stretched():
    levels = torch.arange(1000, dtype=torch.int32).view(1, 1, 10, 100)
    shown = preview(levels, ImageShape(1, 10, 100, 65_536))
    assert (shown.min(), shown.max()) == (0, 255)
    assert 100 < shown.mean() < 155


def test_the_signal_map_is_what_is_seen():
    levels = torch.tensor([16_384], dtype=torch.int32).view(1, 1, 1, 1)
    assert preview(levels, ImageShape(1, 1, 1, 65_536, "sqrt"))[0, 0, 0, 0] == 128


def test_images_lie_in_their_rows_enlarged_by_whole_pixels(tmp_path):
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], dtype=torch.uint8)
    levels = colours[:, :, None, None].expand(4, 3, 8, 8)
    sheet(levels, ImageShape(3, 8, 8), tmp_path / "sheet.png", ["first", "second"], "title")
    found = pixels(tmp_path / "sheet.png")
    places = [np.argwhere((found == colour).all(-1)) for colour in colours.numpy()]
    assert [len(place) for place in places[:3]] == [96 * 96] * 3
    assert places[0][:, 0].tolist() == places[1][:, 0].tolist()  # one row
    assert places[0][:, 1].tolist() == places[2][:, 1].tolist()  # one column
    assert places[0][0, 0] < places[2][0, 0]


def test_a_sheet_without_classes_is_nearly_square(tmp_path):
    sheet(torch.zeros(7, 1, 5, 3, dtype=torch.uint8), ImageShape(1, 5, 3, 2), tmp_path / "sheet.png")
    height, width, _ = pixels(tmp_path / "sheet.png").shape
    assert 0.5 < height / width < 2.5


def test_at_most_twenty_classes_are_drawn(tmp_path):
    names = [f"class {index}" for index in range(30)]
    sheet(torch.zeros(30, 1, 8, 8, dtype=torch.uint8), ImageShape(1, 8, 8), tmp_path / "all.png", names)
    sheet(
        torch.zeros(20, 1, 8, 8, dtype=torch.uint8),
        ImageShape(1, 8, 8),
        tmp_path / "few.png",
        names[:20],
        "t",
    )
    assert pixels(tmp_path / "all.png").shape[0] == pixels(tmp_path / "few.png").shape[0]
