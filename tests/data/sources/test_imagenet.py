"""Down-sampled ImageNet: batches in the order of their numbers, labels from 1."""

from pathlib import Path

import numpy as np
import pytest

from pixelbayes.data import DataConfig, open_dataset
from pixelbayes.errors import UserError


def write(path: Path, seed: int, labels: list[int], side: int = 32) -> np.ndarray:
    data = np.random.default_rng(seed).integers(0, 256, (len(labels), 3 * side**2), dtype=np.uint8)
    np.savez(path, data=data, labels=np.array(labels), mean=np.zeros(3 * side**2))
    return data


def test_ten_batches(tmp_path: Path) -> None:
    written = [
        write(tmp_path / f"train_data_batch_{number}.npz", number, [1, 1000]) for number in range(1, 11)
    ]
    held_out = write(tmp_path / "val_data.npz", 99, [1000, 1, 1])
    data = open_dataset("imagenet32", DataConfig(root=str(tmp_path)))
    assert (data.train.levels.numpy() == np.concatenate(written).reshape(-1, 3, 32, 32)).all()
    assert (data.validation.levels.numpy() == held_out.reshape(-1, 3, 32, 32)).all()
    assert data.train.labels.tolist() == [0, 1] * 10
    assert data.validation.labels.tolist() == [1, 0, 0]
    assert data.classes.names == ("1", "1000")


def test_a_held_out_share_crosses_the_batches(tmp_path: Path) -> None:
    written = np.concatenate(
        [write(tmp_path / f"train_data_batch_{number}.npz", number, [1, 2] * 5, 64) for number in (1, 2)]
    ).reshape(-1, 3, 64, 64)
    data = open_dataset("imagenet64", DataConfig(root=str(tmp_path), validation_share=0.2))
    for images in (data.train, data.validation):
        for path, levels in zip(images.paths, images.levels, strict=True):
            _, batch, row = path.split("/")
            assert (written[(int(batch[-1]) - 1) * 10 + int(row)] == levels.numpy()).all()
    assert len(data.validation) == 4


def test_wrong_batches(tmp_path: Path) -> None:
    config = DataConfig(root=str(tmp_path))
    path = tmp_path / "train_data_batch_1.npz"
    with pytest.raises(UserError, match="not found"):
        open_dataset("imagenet32", config)
    write(path, 0, [0, 1])
    with pytest.raises(UserError, match="from 1 to 1000"):
        open_dataset("imagenet32", config)
    write(path, 0, [1, 2], side=64)
    with pytest.raises(UserError, match=r"train_data_batch_1\.npz holds .* another set"):
        open_dataset("imagenet32", config)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"train_data_batch_1\.npz: the array 'labels' cannot be read"):
        open_dataset("imagenet32", config)
    np.savez(path, images=np.zeros(3))
    with pytest.raises(UserError, match=r"the array 'labels' cannot be read"):
        open_dataset("imagenet32", config)
