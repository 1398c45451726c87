"""A generated image read back is the same image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import open_images, save_image
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("levels", [2, 4, 8, 17, 256, 257, 4096, 65_536])
def test_written_and_read_back(tmp_path: Path, levels: int, channels: int) -> None:
    shape = ImageShape(channels, 5, 7, levels)
    image = np.random.default_rng(levels).integers(0, levels, (channels, 5, 7))
    save_image(image, tmp_path / "image.png", shape)
    back = open_images(tmp_path / "image.png", shape, DataRecord(), Labels(()))
    assert back.levels.dtype == shape.dtype
    assert (back.levels[0].numpy() == image).all()


def test_it_is_rounded_not_cut(tmp_path: Path) -> None:
    save_image(np.array([[[8]]]), tmp_path / "x.png", ImageShape(1, 1, 1, 17))
    assert np.asarray(Image.open(tmp_path / "x.png")).item() == round(8 * 255 / 16)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not 1x2x2"):
        save_image(np.zeros((1, 2, 3)), tmp_path / "x.png", ImageShape(1, 2, 2))
