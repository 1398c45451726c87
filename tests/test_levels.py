import numpy as np
import pytest
import torch

from pixelbayes.errors import UserError
from pixelbayes.levels import SIGNALS, ImageShape, from_values, storage_dtype, to_signal, to_values

COUNTS = (2, 4, 8, 17, 256, 65_536)


@pytest.mark.parametrize("count", COUNTS)
def test_levels_written_to_a_file_come_back(count: int) -> None:
    levels = np.arange(count)
    values = to_values(levels, count)
    maximum = 255 if count <= 256 else 65_535
    assert (values.min(), values.max()) == (0, maximum)
    assert values.dtype == (np.uint8 if count <= 256 else np.uint16)
    assert np.array_equal(from_values(values, count, maximum), levels)


@pytest.mark.parametrize("count", COUNTS)
def test_levels_also_come_back_from_sixteen_bits(count: int) -> None:
    values = to_values(np.arange(count), count, 65_535)
    assert values.dtype == np.uint16
    assert np.array_equal(from_values(values, count, 65_535), np.arange(count))


def test_values_are_rounded_to_the_nearest_level() -> None:
    assert from_values(np.array([0, 7, 8, 23, 24, 255]), 17).tolist() == [0, 0, 1, 1, 2, 16]
    assert from_values(np.array([127, 128]), 2).tolist() == [0, 1]
    assert np.array_equal(from_values(np.arange(256), 256), np.arange(256))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("signal", SIGNALS)
def test_the_signal_runs_from_minus_one_to_one_without_standing_still(signal: str, count: int) -> None:
    seen = to_signal(torch.arange(count), count, signal, torch.float64)
    assert float(seen[0]) == pytest.approx(-1)
    assert float(seen[-1]) == pytest.approx(1)
    assert (seen.diff() > 0).all()


def test_the_linear_signal_is_that_of_the_papers() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    torch.testing.assert_close(to_signal(levels, 256), levels.float() / 127.5 - 1, rtol=0, atol=1e-6)


def test_dark_levels_are_spread_out_by_the_other_maps() -> None:
    dark = torch.tensor([655])
    shown = {name: float(to_signal(dark, 65_536, name)) for name in SIGNALS}
    assert shown["linear"] < shown["sqrt"] < shown["asinh"] < 0


def test_a_shape_knows_what_is_stored_and_what_knowing_nothing_costs() -> None:
    shape = ImageShape(3, 4, 5, 17)
    assert (shape.dims, shape.dtype) == (60, torch.uint8)
    assert shape.uniform_bits == pytest.approx(np.log2(17))
    assert str(shape) == "3x4x5, 17 levels"
    assert storage_dtype(257) == torch.int32


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((2, 4, 4), "1 or 3 channels, not 2"),
        ((1, 0, 4), "at least one pixel, not 0x4"),
        ((1, 4, 4, 1), "between 2 and 65536, not 1"),
        ((1, 4, 4, 65_537), "between 2 and 65536"),
        ((1, 4, 4, 256, "asin"), "did you mean 'asinh'"),
    ],
)
def test_impossible_shapes_are_refused(values: tuple, wanted: str) -> None:
    with pytest.raises(UserError, match=wanted):
        ImageShape(*values)


def test_an_unknown_map_is_refused() -> None:
    with pytest.raises(UserError, match="unknown signal map 'log'"):
        to_signal(torch.tensor([1]), 4, "log")
