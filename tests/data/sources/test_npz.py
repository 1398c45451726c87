"""A .npz file of labelled images, under the names that people give its arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch

import pixelbayes as pb
from pixelbayes.data import DataConfig, open_dataset, open_images
from pixelbayes.data.sources.npz import roles
from pixelbayes.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 3, 5, 4), dtype=np.uint8)
LABELS = np.arange(12) % 3
WHOLE = DataConfig(validation_share=0)


def saved(path: Path, *unnamed: np.ndarray, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, *unnamed, **arrays)
    return path


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("x", "y"), ("data", "target"), ("X", "Y"), ("train_images", "train_labels"),
              ("x_train", "y_train"), ("images_train", "labels.train"), ()]
)  # fmt: skip
@pytest.mark.parametrize("form", ["row", "column", "one-hot", "names", "bytes"])
def test_images_and_labels_by_any_name(tmp_path: Path, names: tuple[str, ...], form: str) -> None:
    words = np.array(["ant", "bee", "cow"])[LABELS]
    labels = {
        "row": LABELS, "column": LABELS[:, None], "one-hot": np.eye(3)[LABELS], "names": words,
        "bytes": words.astype("S"),
    }[form]  # fmt: skip
    images = PIXELS.transpose(0, 2, 3, 1)
    named = dict(zip(names, (images, labels), strict=False))
    path = saved(tmp_path / "a.npz", **named) if names else saved(tmp_path / "a.npz", images, labels)
    data = open_dataset(path, WHOLE)
    assert (data.train.levels.numpy() == PIXELS).all()
    assert data.train.labels.tolist() == LABELS.tolist()
    assert data.classes.names == (("ant", "bee", "cow") if form in ("names", "bytes") else ("0", "1", "2"))


def test_splits_groups_and_names_of_classes(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.npz",
        train_images=PIXELS[:8], train_labels=LABELS[:8], val_images=PIXELS[8:10], val_labels=LABELS[8:10],
        test_images=PIXELS[10:], test_labels=LABELS[10:], class_names=np.array(["ant", "bee", "cow"]),
        notes=np.zeros(3),
    )  # fmt: skip
    data = open_dataset(path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 2, 2]
    assert (data.test.levels.numpy() == PIXELS[10:]).all()
    assert data.classes.names == ("ant", "bee", "cow")
    assert data.test.labels.tolist() == LABELS[10:].tolist()
    assert any("not read of" in line and "notes" in line for line in data.notices)
    patients = np.repeat([7, 8, 9, 10], 3)
    path = saved(tmp_path / "b.npz", images=PIXELS, kind=LABELS, patient=patients)
    data = open_dataset(path, DataConfig(validation_share=0.25, group_by="patient", label_column="kind"))
    rows = [
        [int(name.partition("[")[2][:-1]) for name in part.paths] for part in (data.train, data.validation)
    ]
    assert not set(patients[rows[0]]) & set(patients[rows[1]])
    assert (data.train.labels.numpy() == LABELS[rows[0]]).all()


def test_values_as_everywhere(tmp_path: Path) -> None:
    data = open_dataset(saved(tmp_path / "a.npz", x=PIXELS / 255, y=LABELS), WHOLE)
    assert (data.train.levels.numpy() == PIXELS).all()
    assert any("[0, 1]" in line for line in data.notices)
    np.save(tmp_path / "a.npy", PIXELS[:, 0] / 255)
    for name in ("a.npz", "a.npy"):
        data = open_dataset(tmp_path / name, DataConfig(validation_share=0, white=1, channels=1))
        assert data.shape.levels == 256
    alone = open_dataset(saved(tmp_path / "b.npz", anything=PIXELS[:, 0]), WHOLE)
    assert alone.shape.channels == 1
    assert not len(alone.classes)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"a": PIXELS, "b": LABELS}, r"no array of images; its arrays are a, b: call them images and labels"),
        ({"images": PIXELS, "x": PIXELS}, "images, x could all be its images"),
        ({"images": PIXELS, "train_images": PIXELS}, "which are to be trained on"),
        ({"images": PIXELS, "test_labels": LABELS}, r"labels without images \(test\)"),
        ({"images": PIXELS, "labels": LABELS[:5]}, "5 labels for 12 images"),
        ({"images": PIXELS, "labels": np.eye(3)[LABELS] * 0}, "one class each"),
        ({"images": PIXELS, "labels": LABELS.astype(object)}, "Python objects"),
        ({"images": PIXELS[0, 0], "labels": LABELS}, "accepted are"),
        ({"images": PIXELS, "labels": LABELS, "classes": LABELS}, "class names are a row of texts"),
    ],
)
def test_files_that_do_not_say_what_they_hold(
    tmp_path: Path, arrays: dict[str, np.ndarray], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        open_dataset(saved(tmp_path / "a.npz", **arrays))


def test_damaged_files_and_names_that_are_not_there(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", images=PIXELS, labels=LABELS)
    for setting in ("label_column", "group_by"):
        with pytest.raises(UserError, match=rf"no array 'kind' \({setting}\); there are images, labels"):
            open_dataset(path, DataConfig(**{setting: "kind"}))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match=r"a\.npz is no \.npz file, or truncated"):
        open_dataset(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="empty"):
        open_dataset(path)


def test_every_role_once() -> None:
    assert roles(["train_images_test", "images_of_cats", "index"]) == {}
    assert roles(["dev_x", "eval_x"])["eval_x"].split == "test"


def test_the_questions_to_a_model_take_it(tmp_path: Path) -> None:
    model = pb.load("digits")
    drawn = pb.generate(model, labels=[3, 1, 4], seed=0)
    path = saved(tmp_path / "drawn.npz", images=drawn[:, 0].numpy(), labels=np.array([3, 1, 4]))
    read = open_images(path, model.shape, model.record.data, model.classes)
    assert torch.equal(read.levels[:], drawn)
    assert read.labels.tolist() == [3, 1, 4]
    answers, wanted = pb.classify(model, path), pb.classify(model, drawn)
    assert torch.equal(answers.log_likelihoods, wanted.log_likelihoods)
    assert torch.equal(pb.log_prob(model, path), pb.log_prob(model, drawn, [3, 1, 4]))


@pytest.mark.parametrize("key", ["class_names", "target_names", "label_names"])
def test_the_classes_of_a_file_are_counted_as_it_says(tmp_path: Path, key: str) -> None:
    model = pb.create("digits", classes=("ant", "bee", "cow"), filters=4)
    images = np.random.default_rng(1).integers(0, 17, (12, 8, 8), dtype=np.uint8)
    path = saved(tmp_path / "a.npz", images=images, labels=LABELS, **{key: np.array(["cow", "bee", "ant"])})
    read = open_images(path, model.shape, model.record.data, model.classes)
    assert read.labels.tolist() == (2 - LABELS).tolist()


def test_splits_of_other_data_keep_the_depth_of_the_model(tmp_path: Path) -> None:
    model = pb.load("digits")
    labels = np.array([3, 1, 4, 1])
    drawn = pb.generate(model, labels=labels, seed=0)[:, 0].numpy()
    whole = saved(tmp_path / "whole.npz", images=drawn, labels=labels)
    parts = {"val_images": drawn, "val_labels": labels, "test_images": drawn[:0], "test_labels": labels[:0]}
    wanted = pb.evaluate(model, whole, progress=False)
    for more in (
        {},
        {"train_images": drawn // 2, "train_labels": labels},
    ):  # to be judged alone, or to train on
        found = pb.evaluate(model, saved(tmp_path / "parts.npz", **parts, **more), progress=False)
        assert (found.images, found.bits_per_dim) == (wanted.images, wanted.bits_per_dim)


def test_a_column_that_is_named_is_taken_or_missed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", images=PIXELS, image_label=LABELS, y_true=LABELS)
    assert len(open_dataset(path, DataConfig(validation_share=0, label_column="image_label")).classes) == 3
    with pytest.raises(UserError, match="no array 'true'"):
        open_dataset(path, DataConfig(label_column="true"))
    alone = saved(tmp_path / "b.npz", images=np.zeros((32, 30, 3), np.uint8))
    with pytest.raises(UserError, match=r"one image in colour: save images\[None\]"):
        open_dataset(alone)


def test_settings_of_the_training_do_not_hinder_other_files(tmp_path: Path) -> None:
    fine = saved(tmp_path / "a.npz", images=PIXELS, fine=LABELS)
    other = saved(tmp_path / "b.npz", images=PIXELS, labels=LABELS)
    words = {"recipe": "digits", "filters": 2, "max_steps": 1, "device": "cpu", "training.sample_every": 0.0}
    model = pb.train(
        fine, out=tmp_path / "run", levels=256, channels=3, **words, **{"data.label_column": "fine"}
    )
    assert pb.evaluate(model, other, progress=False).labelled == 12
