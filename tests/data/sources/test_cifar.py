"""CIFAR batches, and pickles that would build something else."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from pixelbayes.data import DataConfig, open_dataset
from pixelbayes.data.sources.cifar import read_plain
from pixelbayes.errors import UserError


def write_batch(path: Path, count: int, key: bytes, classes: int) -> np.ndarray:
    """As the authors wrote them: a protocol 2 pickle of Python 2 with keys of bytes."""
    data = np.random.default_rng(count).integers(0, 256, (count, 3072), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {b"data": data, key: [row % classes for row in range(count)], b"batch_label": b"x"}
    path.write_bytes(pickle.dumps(content, protocol=3))
    return data


def write_cifar10(root: Path) -> dict[str, np.ndarray]:
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    return {
        name: write_batch(root / "cifar-10-batches-py" / name, 20 + place, b"labels", 10)
        for place, name in enumerate(names)
    }


def test_batches_in_order_and_channels_first(tmp_path: Path) -> None:
    written = write_cifar10(tmp_path)
    data = open_dataset("cifar10", DataConfig(root=str(tmp_path), validation_share=0))
    train = np.concatenate([written[f"data_batch_{number}"] for number in range(1, 6)]).reshape(-1, 3, 32, 32)
    assert (data.train.levels.numpy() == train).all()
    assert data.train.labels[:12].tolist() == [*range(10), 0, 1]
    assert data.classes.names[0] == "airplane"
    assert "data_batch_1 has the right format, but is not the authors' file" in data.notices[0]


def test_cifar100_uses_the_fine_labels(tmp_path: Path) -> None:
    for name, count in (("train", 200), ("test", 100)):
        write_batch(tmp_path / "cifar-100-python" / name, count, b"fine_labels", 100)
    data = open_dataset("cifar100", DataConfig(root=str(tmp_path)))
    assert len(data.classes) == 100
    assert data.classes.names[99] == "worm"


def test_the_official_batches(shared: Path, tmp_path: Path) -> None:
    """The authors' own bytes, of which one batch is put together here; Python 2 wrote them."""
    import csv
    import gzip
    import runpy

    from PIL import Image

    rebuild = runpy.run_path(str(shared / "data" / "rebuild_cifar10.py"))
    source = shared / "data" / "cifar10"
    with Image.open(source / "test_batch.webp") as opened:
        mosaic = np.asarray(opened.convert("RGB"))
    pixels = mosaic.reshape(100, 32, 100, 32, 3).transpose(0, 2, 1, 3, 4).reshape(10_000, 32, 32, 3)
    with gzip.open(source / "test_batch.csv.gz", "rt", newline="") as table:
        rows = list(csv.DictReader(table))
    labels = [int(row["label"]) for row in rows]
    content = rebuild["official_pickle"](
        "test_batch", pixels, labels, [row["filename"].encode() for row in rows]
    )
    (tmp_path / "test_batch").write_bytes(content)
    batch = read_plain(tmp_path / "test_batch")
    assert (batch["data"].reshape(-1, 3, 32, 32) == pixels.transpose(0, 3, 1, 2)).all()
    assert batch["labels"] == labels


def batch_of(images: int) -> bytes:
    """As Python 3 writes it for Python 2: bytes as text with their encoding."""
    data = np.random.default_rng(images).integers(0, 256, (images, 3072), dtype=np.uint8)
    return pickle.dumps({b"data": data, b"fine_labels": [0] * images}, protocol=2 if images else 3)


def test_a_split_without_images_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "train").write_bytes(batch_of(0))
    (tmp_path / "test").write_bytes(batch_of(3))
    with pytest.raises(UserError, match=r"cifar100 has no training images \(found: test\)"):
        open_dataset("cifar100", DataConfig(root=str(tmp_path)))


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


class ArrayTrap:
    def __reduce__(self):
        return np.ndarray, ((1 << 40,), "O")


@pytest.mark.parametrize(
    "content", [Trap(), {"data": Trap()}, {"data": np.array([None, Trap()])}, {"data": ArrayTrap()}]
)
def test_a_pickle_that_builds_anything_else_is_refused(tmp_path: Path, monkeypatch, content: object) -> None:
    write_cifar10(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="data_batch_3 is refused"):
        open_dataset("cifar10", DataConfig(root=str(tmp_path)))
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 5000])
def test_truncated_batches(tmp_path: Path, kept: int) -> None:
    write_cifar10(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="test_batch"):
        open_dataset("cifar10", DataConfig(root=str(tmp_path)))


def test_batches_of_another_set_and_missing_ones(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    config = DataConfig(root=str(tmp_path))
    write_batch(folder / "data_batch_2", 20, b"fine_labels", 100)
    with pytest.raises(UserError, match="data_batch_2 is of another set"):
        open_dataset("cifar10", config)
    write_batch(folder / "data_batch_2", 20, b"labels", 11)
    with pytest.raises(UserError, match=r"labels outside 0\.\.9"):
        open_dataset("cifar10", config)
    (folder / "data_batch_2").unlink()
    with pytest.raises(UserError, match="data_batch_2 not found"):
        open_dataset("cifar10", config)
