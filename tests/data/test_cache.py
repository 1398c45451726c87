"""The second start: instant, and true to the files."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, image_set, open_dataset, opening

from .conftest import noise


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXELBAYES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one each time that images are really decoded."""
    counted: list[int] = []
    real = opening.assemble

    def counting(*arguments, **named):
        counted.append(1)
        return real(*arguments, **named)

    monkeypatch.setattr(opening, "assemble", counting)
    return counted


def test_the_second_start_reads_the_copy(place: Path, builds, write_images) -> None:
    root = write_images({"a": 6, "b": 6})
    first, second = open_dataset(root), open_dataset(root)
    assert len(builds) == 1
    assert (first.train.levels == second.train.levels).all()
    assert (first.train.labels == second.train.labels).all()
    assert first.train.paths == second.train.paths
    assert (first.shape, first.classes, first.preparation) == (
        second.shape,
        second.classes,
        second.preparation,
    )
    assert first.notices == second.notices


def test_any_change_rebuilds_it_and_the_old_copy_goes(place: Path, builds, write_images) -> None:
    root = write_images({"a": 4, "b": 4})
    open_dataset(root)
    Image.fromarray(noise(99)).save(root / "a" / "new.png")
    assert len(open_dataset(root, DataConfig()).train) == 7
    os.utime(root / "a" / "00.png", (1, 1))
    open_dataset(root)
    (root / "b" / "00.png").unlink()
    open_dataset(root)
    assert len(builds) == 4
    assert len(list(place.iterdir())) == 1


def test_other_settings_are_another_copy(place: Path, builds, write_images) -> None:
    root = write_images({"a": 4, "b": 4})
    assert open_dataset(root).shape.height == 12
    assert open_dataset(root, DataConfig(size=6)).shape.height == 6
    open_dataset(root)
    assert len(builds) == 2


@pytest.mark.parametrize("victim", ["train.npy", "train.labels.npy", "dataset.json"])
@pytest.mark.parametrize("length", [0, 100])
def test_a_broken_copy_is_built_anew(place: Path, builds, write_images, victim: str, length: int) -> None:
    root = write_images({"a": 4, "b": 4})
    whole = open_dataset(root)
    path = next(place.iterdir()) / victim
    path.write_bytes(path.read_bytes()[:length])
    assert (open_dataset(root).train.levels == whole.train.levels).all()
    open_dataset(root)
    assert len(builds) == 2


def test_where_nothing_can_be_written_a_note_is_enough(tmp_path, monkeypatch, write_images, capsys) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PIXELBAYES_CACHE", str(tmp_path / "file"))
    assert len(open_dataset(write_images({"a": 4, "b": 4})).train) == 6
    assert "not kept for the next start" in capsys.readouterr().err


@pytest.mark.parametrize("skip", [False, True])
def test_a_large_set_is_decoded_into_its_copy(place: Path, monkeypatch, write_images, skip: bool) -> None:
    root = write_images({"a": 6, "b": 6})
    if skip:
        (root / "a" / "07.png").write_bytes(b"")
    config = DataConfig(validation_share=0.25, skip_bad_images=skip)
    small = open_dataset(root, config)
    shutil.rmtree(place)
    monkeypatch.setattr(image_set, "IN_MEMORY", 100)
    first, second = open_dataset(root, config), open_dataset(root, config)
    assert (first.train.levels == small.train.levels).all()
    second.train.levels[0] = 0  # copy on write: the file stays
    assert (open_dataset(root, config).train.levels == small.train.levels).all()
    assert (np.load(next(place.glob("*/train.npy"))) == small.train.levels.numpy()).all()
    assert not list(place.glob(".new-*"))


def test_bad_images_leave_nothing_behind(place: Path, monkeypatch, write_images) -> None:
    monkeypatch.setattr(image_set, "IN_MEMORY", 100)
    root = write_images({"a": 6, "b": 6})
    (root / "a" / "00.png").write_bytes(b"")
    with pytest.raises(Exception, match="cannot be read"):
        open_dataset(root)
    assert not list(place.iterdir())
