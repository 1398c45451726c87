"""Sets that use few of their 256 levels, and runs on black-and-white pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelbayes as pb
from pixelbayes.data import DataConfig
from pixelbayes.data.arrays import from_arrays
from pixelbayes.distributions import LogisticMixture
from pixelbayes.networks import PixelCNNPPConfig, PixelSNAILConfig
from pixelbayes.planning import fewer_levels
from pixelbayes.training import TrainingConfig

NETWORKS = {
    "pixelcnn_pp": PixelCNNPPConfig(resnets=1, filters=8, scales=1, dropout=0.0),
    "pixelsnail": PixelSNAILConfig(blocks=1, resnets=1, filters=8),
}
TINY = {"network.filters": 4, "network.resnets": 1, "network.scales": 1, "training.batch": 4}


def pictures(values: list[int], count: int = 20, size: int = 4) -> np.ndarray:
    """Random pictures of these values, all of which occur."""
    chosen = np.random.default_rng(0).choice(values, (count, size, size))
    chosen[:, 0, 0], chosen[0].flat[: len(values)] = values[0], values
    return chosen.astype(np.uint8)


@pytest.mark.parametrize(
    ("values", "from_array", "levels"),
    [
        ([0, 255], False, 2),
        ([0, 85, 170, 255], False, 4),
        ([0, 16, 32, 48, 255], False, 17),
        ([0, 1], True, 2),
        ([0, 3, 16], True, 17),
        ([0, 3, 16], False, None),
        ([0, 3, 200], True, None),
        ([255], True, None),
        ([0], False, None),
        (list(range(0, 256, 2)), True, None),
    ],
)
def test_as_many_levels_as_occur(values: list[int], from_array: bool, levels: int | None) -> None:
    size = 12 if len(values) > 16 else 4
    found = fewer_levels(from_arrays(pictures(values, size=size)), from_array)
    assert (found.levels if found is not None else None) == levels


def test_the_plan_says_which_levels_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for row, picture in enumerate(pictures([0, 255])):
            Image.fromarray(picture).convert("1").save(tmp_path / "set" / name / f"{row}.png")
    monkeypatch.chdir(tmp_path)
    for data, levels in ((tmp_path / "set", 2), (pictures([0, 255]), 2), (pictures([0, 7]), 8)):
        model = pb.train(data, max_steps=1, device="cpu", **TINY)
        assert model.shape.levels == levels
        assert f"{model.shape.levels} levels instead of 256" in capsys.readouterr().out
    forced = pb.train(pictures([0, 255]), max_steps=1, device="cpu", **TINY, **{"data.levels": 256})
    assert forced.shape.levels == 256


@pytest.mark.parametrize(
    ("network", "channels", "values"),
    [
        ("pixelcnn_pp", 1, [0, 255]),
        ("pixelcnn_pp", 3, [0]),
        ("pixelsnail", 3, [0, 255]),
        ("pixelsnail", 1, [255]),
    ],
)
def test_black_and_white_in_256_levels_is_learned(
    network: str, channels: int, values: list[int], tmp_path: Path
) -> None:
    """A fast rate drives the scales to their bounds within few steps: no step is skipped, and the ends are learned."""
    images = np.repeat(pictures(values, 40)[..., None], channels, 3)
    recipe = pb.Recipe(
        name="own",
        network=NETWORKS[network],
        distribution=LogisticMixture(2),
        data=DataConfig(levels=256),
        training=TrainingConfig(learning_rate=0.05, batch=8, epochs=20.0, sample_every=0),
    )
    model = pb.train(images, recipe=recipe, max_steps=70, device="cpu", out=tmp_path)
    told = model.record.training
    assert not told.skipped_steps
    assert told.validation["validation_bits_per_dim"] < 1.5
