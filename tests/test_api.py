"""The Python side: models from recipes without data, training on arrays, parts of other people."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelbayes as pb
from pixelbayes.extensions import import_extensions


def test_every_public_name_is_there() -> None:
    for name in pb.__all__:
        assert getattr(pb, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tran'"):
        _ = pb.tran


def test_create_knows_shape_and_classes_without_data() -> None:
    model = pb.create("cpen455-small", network={"filters": 4}, mixtures=2)
    assert model.shape == pb.ImageShape(3, 32, 32, 256)
    assert model.classes.names == ("burger", "panda", "koala", "pizza")
    assert model.config.distribution.mixtures == 2


def test_create_takes_other_classes() -> None:
    model = pb.create("digits", classes=["odd", "even"], filters=4)
    assert model.classes.names == ("odd", "even")
    assert pb.create("digits", classes=(), filters=4).log_prob(
        torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    ).shape == (1,)


def test_create_needs_a_shape() -> None:
    with pytest.raises(pb.UserError, match=r"data\.size"):
        pb.create("digits", **{"data.size": None})


def test_training_on_arrays(tmp_path: Path) -> None:
    images = np.arange(40 * 36, dtype=np.uint8).reshape(40, 6, 6) % 4
    labels = ["left", "right"] * 20
    model = pb.train(
        images, labels, recipe="digits", size=6, levels=4, filters=4, batch=8, max_steps=1, device="cpu",
        out=tmp_path / "run",
    )  # fmt: skip
    assert model.classes.names == ("left", "right")
    assert model.shape == pb.ImageShape(1, 6, 6, 4)
    assert pb.load(tmp_path / "run").classes == model.classes


PARTS = """
from dataclasses import dataclass
from pixelbayes.fusion import STRATEGIES, Act, Strategy
from pixelbayes.networks import CONFIGS, PixelCNNPPConfig

STRATEGIES.register("her_strategy")(Strategy((Act("head", "scale_shift"),)))

@CONFIGS.register("her_network")
@dataclass(frozen=True)
class Flat(PixelCNNPPConfig):
    scales: int = 1
"""


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pixelbayes", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_parts_of_other_people_are_loaded_only_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "her_parts.py").write_text(PARTS)
    chosen = ["--network", "her_network", "--fusion.strategy", "her_strategy", "--network.filters", "4"]
    small = ["--recipe", "digits", "--max-steps", "1", "--device", "cpu", "--out", "mine"]
    without = run("train", "digits", *small, *chosen, folder=tmp_path)
    assert without.returncode == 2
    assert "unknown network 'her_network'" in without.stderr
    trained = run("train", "digits", "--import", "her_parts", *small, *chosen, folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["imports"] == ["her_parts"]
    refused = run("generate", "mine", "--per-class", "1", folder=tmp_path)
    assert refused.returncode == 2
    assert "--import her_parts" in refused.stderr
    drawn = run("generate", "mine", "--import", "her_parts", "--per-class", "1", folder=tmp_path)
    assert drawn.returncode == 0, drawn.stderr


def test_a_module_of_other_people_is_loaded_only_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "her_parts.py").write_text("loaded = True\n")
    (tmp_path / "broken_parts.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere", *__import__("sys").path])
    assert import_extensions(["her_parts"]) == ("her_parts",)
    with pytest.raises(pb.UserError, match="broken_parts: ZeroDivisionError"):
        import_extensions(["broken_parts"])
