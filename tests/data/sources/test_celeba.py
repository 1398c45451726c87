"""CelebA from a folder and from a zip; its classes, splits and people."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset
from pixelbayes.errors import UserError

NAMES = [f"{number:06d}.jpg" for number in (*range(1, 21), 162_771, 182_638)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """22 small pictures with the attributes Male (even numbers) and Smiling (multiples of three)."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    lines = []
    for name in NAMES:
        number = int(name[:6])
        values = np.random.default_rng(number).integers(0, 256, (54, 44, 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / "img_align_celeba" / name)
        lines.append(f"{name} {1 if number % 2 == 0 else -1:2d} {1 if number % 3 == 0 else -1:2d}")
    (folder / "list_attr_celeba.txt").write_text(f"{len(NAMES)}\nMale Smiling\n" + "\n".join(lines) + "\n")
    (folder / "identity_CelebA.txt").write_text("".join(f"{name} {int(name[:6]) // 4}\n" for name in NAMES))
    return folder


def config(root: Path, **more) -> DataConfig:
    return DataConfig(root=str(root), attributes="Male,Smiling", **more)


def test_combinations_and_the_authors_division(root: Path) -> None:
    data = open_dataset("celeba", config(root, validation_share=0))
    assert data.classes.names == (
        "not_Male+not_Smiling",
        "not_Male+Smiling",
        "Male+not_Smiling",
        "Male+Smiling",
    )
    assert {name: images.paths[0] for name, images in data.splits.items()} == {
        "train": "000001.jpg", "validation": "162771.jpg", "test": "182638.jpg",
    }  # fmt: skip
    assert data.train.labels[:6].tolist() == [0, 2, 1, 2, 0, 3]
    assert (data.shape.height, data.shape.width) == (32, 32)


def test_one_attribute_or_none(root: Path) -> None:
    one = open_dataset("celeba", DataConfig(root=str(root), attributes="Smiling"))
    assert one.classes.names == ("not_Smiling", "Smiling")
    assert len(open_dataset("celeba", DataConfig(root=str(root))).classes) == 0


def test_a_zip_gives_the_same_as_the_folder(root: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for table in root.glob("*.txt"):
        (packed / table.name).write_text(table.read_text())
    with zipfile.ZipFile(packed / "img_align_celeba.zip", "w") as archive:
        for name in NAMES:
            archive.write(root / "img_align_celeba" / name, f"img_align_celeba/{name}")
    folder, zipped = open_dataset("celeba", config(root)), open_dataset("celeba", config(packed))
    assert (folder.train.levels == zipped.train.levels).all()
    assert (folder.train.labels == zipped.train.labels).all()
    content = (packed / "img_align_celeba.zip").read_bytes()
    (packed / "img_align_celeba.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"img_align_celeba\.zip is no zip file, or truncated"):
        open_dataset("celeba", config(packed))


def test_the_partition_file_wins(root: Path) -> None:
    rows = [f"{name} {row % 3}" for row, name in enumerate(NAMES)]
    (root / "list_eval_partition.txt").write_text("\n".join(rows))
    data = open_dataset("celeba", config(root))
    assert data.validation.paths == NAMES[1::3]
    assert data.test.paths == NAMES[2::3]


def test_people_stay_together(root: Path) -> None:
    data = open_dataset("celeba", config(root, group_by="identity", folds=3))
    train = {int(path[:6]) // 4 for path in data.train.paths}
    assert train.isdisjoint({int(path[:6]) // 4 for path in data.validation.paths})


def test_what_is_wrong_is_said(root: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'Smiling'"):
        open_dataset("celeba", DataConfig(root=str(root), attributes="Smilin"))
    table = root / "list_attr_celeba.txt"
    table.write_text("\n".join(table.read_text().splitlines()[:12]))
    with pytest.raises(UserError, match="is truncated: 10 rows of 22"):
        open_dataset("celeba", config(root))
    table.write_text("nothing of the kind")
    with pytest.raises(UserError, match="is no attribute file"):
        open_dataset("celeba", config(root))
    table.unlink()
    with pytest.raises(UserError, match=r"list_attr_celeba\.txt not found"):
        open_dataset("celeba", config(root))


def test_the_real_sample(shared: Path) -> None:
    data = open_dataset("celeba", DataConfig(root=str(shared / "data"), attributes="Male,Smiling", size=8))
    assert len(data.train) + len(data.validation) == 3500
    male = [a + b for a, b in zip(data.train.counts(), data.validation.counts(), strict=True)]
    assert male[2] + male[3] == 1457
    assert male[1] + male[3] == 1679
