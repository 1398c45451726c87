"""Images for a model: prepared as in training, in input order, refused where they do not fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset, open_images, save_image
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord


@pytest.fixture
def trained(write_images):
    """What a model of 8x8 RGB images in two classes knows about its data."""
    return open_dataset(write_images({"cat": 10, "dog": 10}, "training"), DataConfig(size=8))


def open_for(trained, source, **more):
    return open_images(source, trained.shape, trained.preparation, trained.classes, **more)


def test_a_single_image_a_pattern_and_a_list(trained, write_images) -> None:
    root = write_images({"": 4}, "new")
    one = open_for(trained, root / "02.png")
    assert one.levels.shape == (1, 3, 8, 8)
    assert one.labels.tolist() == [-1]
    assert open_for(trained, f"{root}/*.png").paths == [str(root / f"{row:02d}.png") for row in range(4)]
    backwards = [root / "03.png", str(root / "01.png")]
    assert open_for(trained, backwards).paths == [str(path) for path in backwards]


def test_folders_named_like_the_classes_are_labels(trained, write_images) -> None:
    images = open_for(trained, write_images({"dog": 2, "cat": 1}, "new"))
    assert images.labels.tolist() == [0, 1, 1]
    assert images.paths == ["cat/00.png", "dog/00.png", "dog/01.png"]


def test_other_folders_are_unknown_or_refused(trained, write_images) -> None:
    images = open_for(trained, write_images({"owl": 1, "bee": 1}, "others"))
    assert images.labels.tolist() == [-1, -1]
    assert any("unknown" in notice for notice in images.notices)
    with pytest.raises(UserError, match=r"'owl' of owl/00\.png is outside the classes"):
        open_for(trained, write_images({"owl": 1, "cat": 1}, "mixed"))


def test_a_split_by_name_is_that_of_the_training(trained) -> None:
    images = open_for(trained, trained.preparation.source, split="validation")
    assert images.paths == trained.validation.paths
    assert (images.levels == trained.validation.levels).all()
    assert (images.labels == trained.validation.labels).all()
    with pytest.raises(UserError, match="unknown split"):
        open_for(trained, trained.preparation.source, split="test")


def test_grey_for_a_model_of_colour_is_refused_and_colour_for_a_grey_one_is_converted(
    trained, write_images
) -> None:
    grey = write_images({"cat": 2, "dog": 2}, "grey", channels=1)
    with pytest.raises(UserError, match="is grey"):
        open_for(trained, grey)
    grey_model = open_dataset(grey)
    for more in ({}, {"split": "train"}):
        images = open_for(grey_model, trained.preparation.source, **more)
        assert images.levels.shape[1:] == (1, 12, 12)
        assert any("in colour and are converted to grey" in notice for notice in images.notices)


def test_some_grey_files_among_colour_are_converted(trained, write_images) -> None:
    root = write_images({"": 2}, "new")
    Image.open(root / "00.png").convert("L").save(root / "00.png")
    images = open_for(trained, root)
    assert (images.levels[0, 0] == images.levels[0, 2]).all()


def test_where_channels_were_asked_for_everything_is_converted(write_images) -> None:
    grey = write_images({"cat": 4, "dog": 4}, "grey", channels=1)
    as_rgb = open_dataset(grey, DataConfig(channels=3))
    assert open_for(as_rgb, grey).shape.channels == 3


def test_sixteen_bits_for_an_eight_bit_model(write_images, tmp_path: Path) -> None:
    model = open_dataset(write_images({"a": 4, "b": 4}, channels=1))
    deep = np.random.default_rng(0).integers(0, 65_536, (12, 12)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match="deeper than the 256 levels"):
        open_for(model, tmp_path / "deep.png")


def test_bad_files_for_a_model(trained, write_images) -> None:
    root = write_images({"": 2}, "new")
    (root / "01.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"01\.png \(empty\)"):
        open_for(trained, root)
    assert open_for(trained, root, skip_bad_images=True).paths == ["00.png"]
    with pytest.raises(UserError, match="no image fits"):
        open_for(trained, str(root / "*.gif"))


def test_digits_written_as_png_are_read_as_the_same_levels(tmp_path: Path) -> None:
    digits = open_dataset("digits")
    for row in range(5):
        save_image(digits.train.levels[row], tmp_path / f"{row}.png", digits.shape)
    images = open_for(digits, tmp_path)
    assert (images.levels == digits.train.levels[:5]).all()


def test_a_model_without_a_description_still_takes_images(write_images) -> None:
    root = write_images({"": 2})
    images = open_images(root, ImageShape(3, 6, 6), DataRecord(), Labels(()))
    assert images.levels.shape == (2, 3, 6, 6)
    assert images.labels.dtype == torch.int64


def test_a_stack_of_images(trained, tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "stack.npy", stack)
    images = open_for(trained, tmp_path / "stack.npy")
    assert (images.levels.permute(0, 2, 3, 1).numpy() == stack).all()
    (tmp_path / "cut.npy").write_bytes((tmp_path / "stack.npy").read_bytes()[:200])
    with pytest.raises(UserError, match=r"cut\.npy"):
        open_for(trained, tmp_path / "cut.npy")


def test_a_sheet_of_samples_beside_generated_images_is_no_image(trained, write_images) -> None:
    images = open_for(trained, write_images({"cat": 2, ".": 1}, "drawn"))
    assert images.paths == ["cat/00.png", "cat/01.png"]
    assert any("beside the class folders" in notice for notice in images.notices)
