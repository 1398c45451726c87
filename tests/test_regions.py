import pytest
import torch

from pixelbayes.errors import UserError
from pixelbayes.regions import Region, pixel_weights


def cells(text, height=4, width=5):
    return {tuple(place) for place in Region.parse(text).mask(height, width).nonzero().tolist()}


@pytest.mark.parametrize("text", ["0:2,1:3", ":,:", "-2:,:-1", "1:4,0:5", " 2:3 , 4: ", ":-1,-5:5", "0:4,:1"])
def test_a_rectangle_is_what_python_slices_take(text):
    rows, columns = (
        slice(*(int(end) if end.strip() else None for end in part.split(":"))) for part in text.split(",")
    )
    expected = torch.zeros(4, 5)
    expected[rows, columns] = 1
    assert cells(text) == {tuple(place) for place in expected.nonzero().tolist()}
    assert cells((rows, columns)) == cells(text)


@pytest.mark.parametrize(("row", "column"), [(0, 1), (1, 0), (2, 3), (3, 4), (3, 5), (4, 0), (0, 5)])
def test_upto_is_every_pixel_before_in_raster_order(row, column):
    before = {(i, j) for i in range(4) for j in range(5) if i * 5 + j < row * 5 + column}
    assert cells(f"upto:{row},{column}") == before


@pytest.mark.parametrize(
    "text", ["0:5,:", ":,0:6", "-5:,:", ":,-6:-5", "upto:4,1", "upto:5,0", "upto:0,6", "7:9,:", "upto:9,9"]
)
def test_a_region_beyond_the_image_is_refused_not_cut(text):
    with pytest.raises(UserError, match="reaches beyond the image of 4x5"):
        cells(text)


@pytest.mark.parametrize("text", ["2:2,:", "3:1,:", ":,-1:1", "upto:0,0", "4:,:"])
def test_an_empty_region_is_refused(text):
    with pytest.raises(UserError, match="is empty"):
        cells(text)


@pytest.mark.parametrize(
    "given", ["", "0:2", "0:2,1:3,0:1", "a:b,c:d", "0:4:2,:", "upto:3", "upto:-1,0", "1,2", "0:2;1:3", 5, None, (1, 2),
              (slice(0, 4, 2), slice(None))]
)  # fmt: skip
def test_other_words_are_refused_in_one_line(given):
    with pytest.raises(UserError, match="ROWS,COLUMNS") as error:
        pixel_weights([given], 4, 5)
    assert "\n" not in str(error.value)


def test_regions_are_combined_by_their_sum_or_its_mean_over_regions():
    both = pixel_weights(["0:2,:", "1:3,:"], 4, 5)
    assert both[:, 0].tolist() == [1, 2, 1, 0]
    assert torch.equal(pixel_weights(["0:2,:", "1:3,:"], 4, 5, "mean"), both / 2)
    assert torch.equal(pixel_weights([":,:"], 4, 5, "mean"), torch.ones(4, 5).double())


def test_no_regions_and_other_ways_to_combine_are_refused():
    with pytest.raises(UserError, match="no regions"):
        pixel_weights([], 4, 5)
    with pytest.raises(UserError, match=r"unknown way to combine regions 'men': did you mean 'mean'"):
        pixel_weights([":,:"], 4, 5, "men")
