"""Levels that are decoded when they are asked for are those that are decoded at once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelbayes.data import decode_all, open_images
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord

SHAPE = ImageShape(1, 4, 5, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 6, 7, 3), dtype=np.uint8)
    for row, each in enumerate(pixels):
        (tmp_path / "ab"[row % 2]).mkdir(exist_ok=True)
        Image.fromarray(each).save(tmp_path / "ab"[row % 2] / f"{row:02d}.png")
    return tmp_path


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_all, "BLOCK", 4)


def opened(source: object, late: bool, **more: bool):
    return open_images(source, SHAPE, DataRecord(), Labels(("a", "b")), lazy=late, **more)  # type: ignore[arg-type]


def test_files_are_decoded_when_asked_for_and_alike(folder: Path) -> None:
    late, now = opened(folder, True), opened(folder, False)
    assert isinstance(late.levels, decode_all.LazyLevels)
    assert (late.paths, late.labels.tolist()) == (now.paths, now.labels.tolist())
    assert late.levels.shape == now.levels.shape
    for index in (slice(0, 5), slice(11, 20), slice(3, 3), torch.tensor([7, 2, 7])):
        assert torch.equal(late.levels[index], now.levels[index])
    assert torch.equal(late[4:6].levels, now[4:6].levels)


def test_a_stack_is_cut_from_its_file(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.random.default_rng(0).integers(0, 256, (9, 4, 5), dtype=np.uint8))
    late, now = opened(tmp_path / "stack.npy", True), opened(tmp_path / "stack.npy", False)
    assert isinstance(late.levels, decode_all.LazyLevels)
    assert torch.equal(late.levels[2:7], now.levels[2:7])


def test_what_cannot_be_read_is_named_or_told(folder: Path) -> None:
    damaged = folder / "a" / "04.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    row = opened(folder, True).paths.index("a/04.png")
    with pytest.raises(UserError, match=r"a/04\.png"):
        opened(folder, True).levels[:]
    images = opened(folder, True, skip_bad_images=True)
    assert not images.levels[row : row + 1].any()
    assert list(images.levels.unreadable) == [row]  # type: ignore[attr-defined]


def test_few_images_are_read_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_all, "BLOCK", 100)
    assert isinstance(opened(folder, True).levels, torch.Tensor)
