"""Images and labels as users have them become checked tensors, and what fits no model is refused in one line."""

import numpy as np
import pytest
import torch

import pixelbayes as pb
from pixelbayes.inputs import as_levels, check_levels, images_of, label_indices
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape

COLOUR = ImageShape(3, 4, 5, levels=8)
CLASSES = Labels(("cat", "dog"))


def test_colours_may_come_last_and_a_grey_image_needs_no_channel() -> None:
    first = torch.randint(8, (2, 3, 4, 5))
    assert torch.equal(images_of(first.permute(0, 2, 3, 1).numpy(), COLOUR), first)
    grey = torch.randint(8, (2, 4, 5))
    assert torch.equal(images_of(grey, ImageShape(1, 4, 5, levels=8)), grey[:, None])


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (torch.zeros(2, 3, 4, 5), "must be integer levels"),
        (torch.zeros(3, 4, 5, dtype=torch.uint8), "must be integer levels"),
        (torch.zeros(2, 2, 4, 5, dtype=torch.uint8), "3 channel"),
        (torch.zeros(2, 3, 0, 5, dtype=torch.uint8), "a height and a width"),
        (torch.full((2, 3, 4, 5), 8), r"must lie in 0\.\.7, not 8\.\.8"),
        (torch.full((2, 3, 4, 5), -1), r"not -1\.\.-1"),
    ],
)
def test_levels_that_no_such_image_has_are_refused(levels: torch.Tensor, words: str) -> None:
    with pytest.raises(pb.UserError, match=words):
        check_levels(levels, COLOUR)


def test_types_that_torch_hardly_computes_with_are_widened() -> None:
    assert as_levels(np.array([1, 65535], np.uint16)).tolist() == [1, 65535]
    assert as_levels(np.array([True, False])).dtype == torch.uint8


def test_a_label_for_each_image() -> None:
    assert label_indices(["dog", "cat"], CLASSES, 2).tolist() == [1, 0]
    assert label_indices(None, Labels(()), 2) is None
    for labels, words in ((None, "needs a label"), (["dog"], "need 2 labels"), ([0, -1], r"0\.\.1")):
        with pytest.raises(pb.UserError, match=words):
            label_indices(labels, CLASSES, 2)
    with pytest.raises(pb.UserError, match="takes no labels"):
        label_indices([0, 1], Labels(()), 2)
