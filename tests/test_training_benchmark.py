"""`python -m benchmarks.training`: the figures that its JSON file promises."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks import training


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict:
    path: Path = tmp_path_factory.mktemp("benchmark") / "figures.json"
    case = "--resnets 1 --filters 8 --mixtures 2 --batch 2 --size 8 --repeats 1 --precision float32"
    with pytest.MonkeyPatch.context() as patch:  # the real product takes seconds on a busy machine
        patch.setattr(training, "matrix_rate", lambda device, kind: 3e9)
        training.main([*case.split(), "--json", str(path)])
    return json.loads(path.read_text(encoding="utf-8"))


def test_speed_and_memory_are_given_for_the_forward_pass_and_for_training(result: dict) -> None:
    for part in ("forward", "training"):
        assert result[part]["images_per_second"] > 0
        assert result[part]["peak_memory_bytes"] > 1e7  # the libraries alone are larger


def test_the_limit_is_what_the_matrix_rate_allows(result: dict) -> None:
    flop = result["limit"]["flop_per_image"]
    assert flop > 1e6
    assert result["limit"]["forward"] == pytest.approx(3e9 / flop)
    assert result["limit"]["training"] == pytest.approx(1e9 / flop)


def test_the_convolutions_of_the_forward_pass_are_timed(result: dict) -> None:
    assert result["forward"]["convolutions_seconds"] > 0


def test_only_convolutions_are_timed() -> None:
    x = torch.randn(1, 2, 6, 6)
    assert training.convolutions_seconds(lambda: (x @ x).exp()) == 0
    assert training.convolutions_seconds(lambda: torch.nn.functional.conv2d(x, x[:, :, :2, :2])) > 0
