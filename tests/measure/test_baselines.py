from io import BytesIO
from math import log

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from pixelbayes.data import ImageSet
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.measure import baselines
from pixelbayes.measure.baselines import contact_sheet, encode_png, histogram_log_prob, png_bits_per_dim


@pytest.fixture(scope="module")
def digits():
    pixels, labels = load_digits(return_X_y=True)
    levels = torch.tensor(pixels).to(torch.uint8).view(-1, 1, 8, 8)
    paths = [str(index) for index in range(len(levels))]
    names = Labels(tuple("0123456789"))
    return ImageSet(levels, torch.tensor(labels), paths, names, ImageShape(1, 8, 8, 17))


def test_the_histogram_is_counted_right():
    train = torch.tensor([0, 0, 2, 1], dtype=torch.uint8).view(4, 1, 1, 1)
    levels = torch.tensor([0, 1, 3], dtype=torch.uint8).view(3, 1, 1, 1)
    nats = histogram_log_prob(train, levels, count=4)
    assert nats.tolist() == pytest.approx([log(3 / 8), log(2 / 8), log(1 / 8)])


def test_the_histogram_of_each_pixel_sums_to_one():
    train = torch.randint(0, 5, [9, 1, 1, 2])
    every = torch.cartesian_prod(torch.arange(5), torch.arange(5)).view(25, 1, 1, 2)
    assert float(histogram_log_prob(train, every, 5).exp().sum()) == pytest.approx(1.0)


def test_the_baselines_of_the_digits(digits):
    found = {row.name: row for row in baselines(digits[:1400], digits[1400:])}
    assert found["uniform"].bits_per_dim == pytest.approx(log(17) / log(2))
    assert found["uniform"].bits_per_dim > found["histogram"].bits_per_dim > found["naive Bayes"].bits_per_dim
    assert 0.75 < found["naive Bayes"].accuracy < 0.95
    assert found["PNG"].bits_per_dim > found["PNG sheet"].bits_per_dim > found["naive Bayes"].bits_per_dim


def test_images_of_unknown_class_have_no_naive_bayes(digits):
    unlabelled = digits[:50]
    unlabelled.labels = torch.full([50], -1)
    assert "naive Bayes" not in {row.name for row in baselines(digits[50:200], unlabelled)}


@pytest.mark.parametrize(("channels", "count"), [(1, 2), (1, 17), (3, 256), (1, 65_536), (3, 65_536)])
def test_png_keeps_every_level(channels, count):
    shape = ImageShape(channels, 5, 4, count)
    levels = torch.randint(0, count, [1, channels, 5, 4]).to(shape.dtype)
    read = np.asarray(Image.open(BytesIO(encode_png(levels[0].numpy(), shape)))).astype(np.float64)
    if channels == 3:
        read = np.stack(np.split(read, 3, 1)) if count > 256 else np.moveaxis(read, -1, 0)
    top = 1 if count == 2 else 255 if count <= 256 else 65_535
    assert np.array_equal(np.round(read * (count - 1) / top).reshape(levels.shape), levels.numpy())
    assert png_bits_per_dim(levels, shape) > 0


def test_a_contact_sheet_holds_the_images_in_order():
    levels = torch.arange(5)[:, None, None, None].expand(5, 1, 2, 2)
    assert contact_sheet(levels)[0, 0, ::2, ::2].tolist() == [[0, 1], [2, 3], [4, 4]]
