"""Hold-out and folds: stratified, seeded, complete, and true to the groups."""

import numpy as np
import pytest

from pixelbayes.data import DataConfig, from_arrays, open_dataset
from pixelbayes.data.splits import assign_folds, hold_out
from pixelbayes.errors import UserError


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4), dtype=np.uint8)


def test_the_share_is_exact_over_all_classes() -> None:
    strata = np.arange(1000) % 7
    mask = hold_out(strata, None, 0.1, seed=0)
    assert mask.sum() == 100
    assert set(np.bincount(strata[mask])) <= {14, 15}


def test_a_class_of_two_is_on_both_sides_and_of_one_in_training() -> None:
    strata = np.array([0] * 50 + [1] * 2 + [2])
    mask = hold_out(strata, None, 0.1, seed=3)
    assert mask[50:52].sum() == 1
    assert not mask[52]


def test_held_out_groups_are_whole() -> None:
    groups = [f"g{row // 5}" for row in range(100)]
    mask = hold_out(np.arange(100) % 2, groups, 0.2, seed=0)
    assert mask.sum() == 20
    assert (mask.reshape(20, 5).all(1) | ~mask.reshape(20, 5).any(1)).all()


def test_folds_cover_everything_once_and_are_even() -> None:
    strata = np.array([0] * 30 + [1] * 11)
    folds = assign_folds(strata, None, 4, seed=0)
    assert sorted(np.bincount(folds)) == [10, 10, 10, 11]
    assert max(np.bincount(folds[strata == 1])) - min(np.bincount(folds[strata == 1])) <= 1


def test_the_validation_sets_of_all_folds_are_the_data() -> None:
    labels = [0, 1] * 9
    seen: list[str] = []
    for fold in range(3):
        data = from_arrays(images(18), labels, config=DataConfig(folds=3, fold=fold))
        assert not set(data.train.paths) & set(data.validation.paths)
        assert data.validation.counts() == [3, 3]
        seen += data.validation.paths
    assert sorted(seen) == sorted(data.train.paths + data.validation.paths)


def test_more_folds_than_groups_is_an_error() -> None:
    with pytest.raises(UserError, match="5 folds need at least as many groups"):
        from_arrays(
            images(20), [0, 1] * 10, groups=[row // 10 for row in range(20)], config=DataConfig(folds=5)
        )


def test_groups_from_a_part_of_the_file_name(write_images) -> None:
    root = write_images({"a": 12, "b": 12})
    data = open_dataset(root, DataConfig(group_by=r"([ab]/.)", validation_share=0.2))
    train = {path[:3] for path in data.train.paths}
    assert train.isdisjoint({path[:3] for path in data.validation.paths})
    for pattern, reason in (
        ("(", "no regular expression"),
        ("a", "needs a group"),
        ("(xyz)", "matches none"),
    ):
        with pytest.raises(UserError, match=reason):
            open_dataset(root, DataConfig(group_by=pattern))


def test_the_name_of_a_class_folder_is_no_part_of_the_file_name(write_images) -> None:
    root = write_images({"not_cat": 12, "cat": 12})
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(path.with_name(f"obj{number // 4}_{number % 4}.png"))
    data = open_dataset(root, DataConfig(group_by=r"([a-z0-9]+)_", validation_share=0.3))
    assert all(data.validation.counts())
    objects = [
        {path.rpartition("/")[2].partition("_")[0] for path in part.paths}
        for part in (data.train, data.validation)
    ]
    assert not objects[0] & objects[1]


def test_a_test_split_needs_no_groups(write_images) -> None:
    root = write_images({f"{split}/{name}": 12 for split in ("train", "test") for name in "ab"})
    for number, path in enumerate(sorted((root / "train").rglob("*.png"))):
        path.rename(path.with_name(f"obj{number // 4}_{number % 4}.png"))
    data = open_dataset(root, DataConfig(group_by=r"(obj\d+)_", validation_share=0.3))
    assert len(data.splits["test"]) == 24
    with pytest.raises(UserError, match="matches none of the paths, such as train"):
        open_dataset(root, DataConfig(group_by=r"(thing\d+)_"))


def test_given_splits_that_share_groups_are_divided_anew(write_images) -> None:
    root = write_images({f"{split}/{name}": 10 for split in ("train", "validation") for name in "ab"})
    data = open_dataset(root, DataConfig(group_by=r"([ab]/.*)"))
    assert any("split anew" in notice for notice in data.notices)
    train = {path.partition("/")[2] for path in data.train.paths}
    assert train.isdisjoint({path.partition("/")[2] for path in data.validation.paths})


def test_groups_that_reach_into_the_test_split_are_told(write_images) -> None:
    root = write_images({f"{split}/{name}": 4 for split in ("train", "test") for name in "ab"})
    data = open_dataset(root, DataConfig(group_by=r"([ab]/.*)"))
    assert any("groups lie in train and in test" in notice for notice in data.notices)


def test_images_of_no_group_are_no_shared_group(write_images) -> None:
    root = write_images({f"{split}/{name}": 4 for split in ("train", "validation") for name in "ab"})
    data = open_dataset(root, DataConfig(group_by=r"(?:train/(a/.*)|validation/.*)"))
    assert not any("split anew" in notice for notice in data.notices)
    assert len(data.train) == 8


@pytest.mark.parametrize("config", [{"folds": 1}, {"folds": 3, "fold": 3}, {"validation_share": 1.0}])
def test_senseless_settings(config) -> None:
    with pytest.raises(UserError):
        DataConfig(**config)
