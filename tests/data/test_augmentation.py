"""Augmentation keeps levels integers, in range, and repeats with its generator."""

import pytest
import torch

from pixelbayes.data import Augment, AugmentConfig, cuts_nothing
from pixelbayes.errors import UserError
from pixelbayes.levels import ImageShape

ALONE = [
    {"flip": True},
    {"shift": 2},
    {"rotate": 10.0},
    {"jitter": 0.3},
    {"crop": 0.3},
    {"noise": 0.1},
    {"mask": 3},
    {"swap": 3},
]
SHAPES = [
    ImageShape(3, 12, 9, 256),
    ImageShape(1, 8, 8, 17),
    ImageShape(1, 8, 8, 65_536),
    ImageShape(3, 7, 8, 65_536),
]


def batch(shape: ImageShape, count: int = 6) -> torch.Tensor:
    size = (count, shape.channels, shape.height, shape.width)
    return torch.randint(shape.levels, size, generator=torch.Generator().manual_seed(0)).to(shape.dtype)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("settings", ALONE, ids=lambda settings: next(iter(settings)))
def test_each_alone(settings, shape: ImageShape) -> None:
    levels = batch(shape)
    augment = Augment(AugmentConfig(**settings), shape)
    state = torch.get_rng_state()
    result = augment(levels, seeded())
    assert (torch.get_rng_state() == state).all()
    assert result.shape == levels.shape
    assert result.dtype == levels.dtype
    assert int(result.min()) >= 0
    assert int(result.max()) < shape.levels
    assert (result != levels).any()
    assert (result == augment(levels, seeded())).all()
    others = [augment(levels, seeded(seed)) for seed in range(1, 4)]
    assert any((result != other).any() for other in others)


def test_a_flip_is_exact_and_for_half_of_the_images() -> None:
    shape = ImageShape(1, 6, 6, 65_536)
    levels = batch(shape, 64)
    result = Augment(AugmentConfig(flip=True), shape)(levels, seeded())
    flipped = (result == levels.flip(-1)).flatten(1).all(1)
    same = (result == levels).flatten(1).all(1)
    assert (flipped ^ same).all()
    assert 16 < int(flipped.sum()) < 48


def test_a_shift_moves_an_image_as_it_is_and_repeats_its_edge() -> None:
    shape = ImageShape(3, 7, 10, 65_536)
    levels = batch(shape, 640)
    result = Augment(AugmentConfig(shift=2), shape)(levels, seeded())
    padded = torch.nn.functional.pad(levels.float(), (2, 2, 2, 2), mode="replicate").to(levels.dtype)
    windows = padded.unfold(2, 7, 1).unfold(3, 10, 1)  # [B, C, 5, 5, 7, 10]
    found = (windows == result[:, :, None, None]).flatten(4).all(4).all(1).flatten(1)
    assert found.any(1).all()
    assert found.any(0).all()  # every one of the 25 moves occurs


def test_swapped_patches_keep_every_value() -> None:
    shape = ImageShape(3, 7, 10, 256)
    levels = batch(shape)
    result = Augment(AugmentConfig(swap=3), shape)(levels, seeded())
    changed = (result != levels).any(1).flatten(1).sum(1)
    assert (result.flatten(2).sort().values == levels.flatten(2).sort().values).all()
    assert (changed <= 18).all()


def test_a_mask_is_a_square_of_zeros() -> None:
    shape = ImageShape(1, 10, 10, 256)
    levels = torch.full((8, 1, 10, 10), 200, dtype=torch.uint8)
    result = Augment(AugmentConfig(mask=4), shape)(levels, seeded())
    assert ((result == 0).flatten(1).sum(1) == 16).all()


def test_nothing_is_done_when_everything_is_off() -> None:
    shape = SHAPES[0]
    levels = batch(shape)
    assert Augment(AugmentConfig(), shape)(levels, seeded()) is levels


def test_one_generator_goes_on() -> None:
    shape = SHAPES[0]
    augment = Augment(AugmentConfig(noise=0.1), shape)
    generator = seeded()
    first, second = augment(batch(shape), generator), augment(batch(shape), generator)
    assert (first != second).any()


@pytest.mark.parametrize("size", [(1, 3), (1, 1), (9, 7)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    shape = ImageShape(3, *size)
    swap = int(size != (1, 1))
    config = AugmentConfig(flip=True, rotate=10, jitter=0.2, crop=0.2, noise=0.1, mask=1, swap=swap)
    result = Augment(config, shape)(batch(shape, 1), seeded())
    assert result.shape == (1, 3, *size)


def test_one_patch_alone_cannot_be_swapped() -> None:
    with pytest.raises(UserError, match="only one patch"):
        Augment(AugmentConfig(swap=4), ImageShape(1, 5, 7))


def test_a_function_of_your_own() -> None:
    shape = SHAPES[0]
    levels = batch(shape)
    result = Augment(AugmentConfig(custom="torch:fliplr"), shape)(levels, seeded())
    assert (result == levels.flip(1)).all()
    for name, reason in (
        ("nomodule", "module:function"),
        ("no_such:thing", "cannot be loaded"),
        ("math:pi", "no function"),
    ):
        with pytest.raises(UserError, match=reason):
            Augment(AugmentConfig(custom=name), shape)
    with pytest.raises(UserError, match="returned"):
        Augment(AugmentConfig(custom="torch:sqrt"), shape)(levels, seeded())
    with pytest.raises(UserError, match="os:system failed: TypeError"):
        Augment(AugmentConfig(custom="os:system"), shape)(levels, seeded())


@pytest.mark.parametrize("settings", [{"rotate": -1.0}, {"crop": 1.0}, {"mask": -2}, {"shift": -1}])
def test_senseless_settings(settings) -> None:
    with pytest.raises(UserError):
        AugmentConfig(**settings)


@pytest.mark.parametrize("settings", [{"swap": 9}, {"shift": 9}])
def test_a_patch_larger_than_the_image(settings) -> None:
    with pytest.raises(UserError, match="larger than the image"):
        Augment(AugmentConfig(**settings), ImageShape(1, 8, 8))


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (28, 28)])
def test_what_crop_changes_nothing(size) -> None:
    shape, side = ImageShape(1, *size, 17), max(size)
    images = (torch.arange(size[0] * size[1]).view(1, 1, *size) % 17).repeat(500, 1, 1, 1)
    half_a_pixel = 1 - (1 - 0.5 / side) ** 2
    for crop in (0.98 * half_a_pixel, 1.3 * half_a_pixel):
        same = torch.equal(Augment(AugmentConfig(crop=crop), shape)(images, seeded()), images)
        assert same == cuts_nothing(crop, shape)
    assert not cuts_nothing(0.0, shape)
