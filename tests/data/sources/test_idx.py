"""MNIST and its relatives: plain and .gz, truncated, foreign, missing."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from pixelbayes.data import DataConfig, open_dataset, open_images
from pixelbayes.data.sources.idx import CONTENT, SETS
from pixelbayes.data.sources.standard import checksum_notice
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord


def write_idx(folder: Path, prefix: str, count: int, packed: bool, side: int = 28) -> np.ndarray:
    pixels = np.random.default_rng(count).integers(0, 256, (count, side, side), dtype=np.uint8)
    labels = np.arange(count, dtype=np.uint8) % 10
    contents = {
        "images-idx3": struct.pack(">4i", 2051, count, side, side) + pixels.tobytes(),
        "labels-idx1": struct.pack(">2i", 2049, count) + labels.tobytes(),
    }
    for kind, content in contents.items():
        path = folder / f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
    return pixels


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gz(tmp_path: Path, packed: bool) -> None:
    write_idx(tmp_path, "train", 40, packed)
    test = write_idx(tmp_path, "t10k", 20, packed)
    data = open_dataset("kmnist", DataConfig(root=str(tmp_path)))
    assert {name: len(images) for name, images in data.splits.items()} == {
        "train": 30,
        "validation": 10,
        "test": 20,
    }
    assert data.classes.names[1] == "ki"
    assert (data.test.levels[:, 0].numpy() == test).all()
    assert data.test.labels.tolist() == [row % 10 for row in range(20)]
    assert any("holds 40 of kmnist's 60,000 images" in notice for notice in data.notices)


def test_no_images_at_all(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", 0, False)
    with pytest.raises(UserError, match="holds no images"):
        open_dataset("mnist", DataConfig(root=str(tmp_path)))


def test_no_more_is_unpacked_than_the_header_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path, "train", 4, True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    header = struct.pack(">4i", 2051, 4, 28, 28)
    path.write_bytes(gzip.compress(header + bytes(1 << 24)))
    read = gzip.GzipFile.read
    asked: list[int] = []
    monkeypatch.setattr(gzip.GzipFile, "read", lambda file, most=-1: asked.append(most) or read(file, most))
    with pytest.raises(UserError, match="too long: more bytes of data than the 3,136 expected"):
        open_dataset("mnist", DataConfig(root=str(tmp_path)))
    assert max(asked) == 16 + 3136 + 1
    assert min(asked) > 0
    path.write_bytes(gzip.compress(struct.pack(">4I", 2051, 2**31, 28, 28) + bytes(99)))
    with pytest.raises(UserError, match="says that it holds 2,147,483,648 images"):
        open_dataset("mnist", DataConfig(root=str(tmp_path)))


def test_files_of_another_set_are_known_by_what_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path, "train", 20, False)
    content = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(CONTENT["fashion_mnist"], "train-images", digest)
    for packed in (False, True):
        if packed:
            (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
            (tmp_path / "train-images-idx3-ubyte").unlink()
        with pytest.raises(UserError, match="is of fashion_mnist, not of mnist"):
            open_dataset("mnist", DataConfig(root=str(tmp_path)))
        assert len(open_dataset("fashion_mnist", DataConfig(root=str(tmp_path))).train) > 0


def test_a_grouping_that_the_set_has_not_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", 20, False)
    with pytest.raises(UserError, match="nothing to be grouped by"):
        open_dataset("mnist", DataConfig(root=str(tmp_path), group_by="writer"))


def test_two_levels(tmp_path: Path) -> None:
    pixels = write_idx(tmp_path, "train", 20, False)
    data = open_dataset("mnist", DataConfig(root=str(tmp_path), levels=2, validation_share=0))
    assert (data.train.levels[:, 0].numpy() == (pixels >= 128)).all()


def spoiled(folder: Path, name: str, change) -> Path:
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-5], "is truncated"),
        ("train-images-idx3-ubyte", lambda content: content[:10], "is truncated"),
        ("train-images-idx3-ubyte", lambda content: b"PK" + content[2:], "no idx3 file"),
        ("train-images-idx3-ubyte", lambda content: content + b"x", "is too long"),
        ("train-labels-idx1-ubyte", lambda content: content[:-1] + b"\x63", "label 99"),
        ("train-labels-idx1-ubyte", lambda _: struct.pack(">2i", 2049, 2) + b"\0\0", "but train-labels"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, change, reason: str) -> None:
    write_idx(tmp_path, "train", 10, packed=False)
    spoiled(tmp_path, name, change)
    with pytest.raises(UserError, match=reason) as caught:
        open_dataset("mnist", DataConfig(root=str(tmp_path)))
    assert name in str(caught.value)


def test_a_truncated_gz_another_size_and_a_missing_file(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", 10, packed=True)
    config = DataConfig(root=str(tmp_path))
    spoiled(tmp_path, "train-images-idx3-ubyte.gz", lambda content: content[: len(content) // 2])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz is truncated"):
        open_dataset("mnist", config)
    write_idx(tmp_path, "train", 10, packed=True, side=32)
    with pytest.raises(UserError, match="32x32, not 28x28"):
        open_dataset("mnist", config)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="train-labels-idx1-ubyte"):
        open_dataset("mnist", config)
    with pytest.raises(UserError, match="not found in"):
        open_dataset("mnist", DataConfig(root=str(tmp_path / "elsewhere")))


def test_a_part_of_the_test_set_for_a_model(shared: Path) -> None:
    root = str(shared / "data" / "ood" / "kmnist")
    digits = Labels(tuple("0123456789"))
    images = open_images("kmnist", ImageShape(1, 28, 28), DataRecord(), digits, root=root)
    assert len(images) == 3000
    assert set(images.labels.tolist()) == {-1}
    own = Labels(("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"))
    counted = open_images("kmnist", ImageShape(1, 28, 28), DataRecord(), own, root=root)
    assert counted.counts() == [308, 324, 285, 308, 314, 277, 315, 305, 298, 266]


def test_recompressed_files_are_told(shared: Path) -> None:
    folder = shared / "data" / "fashion_mnist"
    told = [
        line for path in sorted(folder.iterdir()) for line in checksum_notice(path, SETS["fashion_mnist"].md5)
    ]
    assert [line.split()[0] for line in told] == ["train-images-idx3-ubyte.gz"]


def test_the_complete_test_set_of_mnist_is_the_official_one(shared: Path, tmp_path: Path) -> None:
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (tmp_path / name).symlink_to(shared / "data" / "mnist" / name)
    digits = Labels(tuple("0123456789"))
    images = open_images("mnist", ImageShape(1, 28, 28), DataRecord(), digits, root=str(tmp_path))
    assert images.counts() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.notices == ()
