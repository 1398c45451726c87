"""hub: from local files, whole and as a stream."""

import builtins
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset
from pixelbayes.errors import UserError

from ..conftest import noise


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """20 training and 4 test images as parquet files, with class names in their notes."""
    library = pytest.importorskip("datasets", reason="the extra 'hub' is not installed")
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "hub_cache")
    features = library.Features({"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog"])})
    folder = tmp_path / "set"
    folder.mkdir()
    for split, count, first in (("train", 20, 0), ("test", 4, 100)):
        images = [Image.fromarray(noise(first + row)) for row in range(count)]
        rows = library.Dataset.from_dict(
            {"image": images, "label": [row % 2 for row in range(count)]}, features
        )
        rows.to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
        rows.save_to_disk(str(tmp_path / "disk" / split))
    return folder


def check(data) -> None:
    assert data.classes.names == ("cat", "dog")
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 2, 4)
    for images, first in ((data.train, 0), (data.validation, 0), (data.test, 100)):
        for path, levels, label in zip(images.paths, images.levels, images.labels, strict=True):
            row = int(path.rpartition("/")[2])
            assert (levels.permute(1, 2, 0).numpy() == noise(first + row)).all()
            assert label == row % 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_folder_of_parquet_files(root: Path, stream: bool) -> None:
    check(open_dataset(f"hub:{root}", DataConfig(stream=stream)))


def test_a_single_parquet_file_and_a_saved_set(root: Path) -> None:
    one = open_dataset(f"hub:{root / 'train-00000-of-00001.parquet'}")
    assert set(one.splits) == {"train", "validation"}
    saved = open_dataset(f"hub:{root.parent / 'disk' / 'train'}", DataConfig(validation_share=0))
    assert saved.train.labels.tolist() == [0, 1] * 10


def test_splits_in_folders_stay_apart(root: Path) -> None:
    for split in ("train", "test"):
        folder = root.parent / "folders" / split
        folder.mkdir(parents=True)
        (root / f"{split}-00000-of-00001.parquet").rename(folder / "0000.parquet")
    check(open_dataset(f"hub:{root.parent / 'folders'}"))


def test_a_folder_without_such_files(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra 'hub' is not installed")
    with pytest.raises(UserError, match="no parquet files"):
        open_dataset(f"hub:{tmp_path}")
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "train.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(UserError, match="cannot be loaded"):
        open_dataset(f"hub:{tmp_path}")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest, **named):
        if name == "datasets":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'datasets>=3\.0'"):
        open_dataset(f"hub:{tmp_path}")
