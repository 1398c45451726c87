"""Inception's loader: the table of names and shapes, made-up weights, other networks' files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pixelbayes.errors import UserError
from pixelbayes.levels import ImageShape
from pixelbayes.measure.features import inception_features
from pixelbayes.measure.inception import InceptionV3, as_seen, differing, load_inception


@pytest.fixture(scope="module")
def made_up() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {name: value.clone() for name, value in InceptionV3().state_dict().items()}


@pytest.fixture(scope="module")
def file(made_up: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("weights") / "made-up.safetensors"
    save_file(made_up, place)
    return place


def test_names_and_shapes_are_those_of_the_published_file(made_up: dict[str, Tensor], shared: Path) -> None:
    table = json.loads((shared / "data/fid/inception_2015_12_05_state_dict_shapes.json").read_text())
    assert {name: list(value.shape) for name, value in made_up.items()} == {
        name: row["shape"] for name, row in table.items()
    }
    assert {name: str(value.dtype) for name, value in made_up.items()} == {
        name: f"torch.{row['dtype']}" for name, row in table.items()
    }


def test_the_published_tensors_are_known(made_up: dict[str, Tensor], shared: Path) -> None:
    real = dict(np.load(shared / "data/fid/inception_2015_12_05_partial.npz"))
    telling = [name for name, value in real.items() if len(np.unique(value)) > 1]  # the others are all one
    assert len(real) == 25
    assert sorted(differing(made_up)) == sorted(telling)
    filled = made_up | {name: torch.from_numpy(value) for name, value in real.items()}
    assert differing(filled) == []
    name = "Conv2d_1a_3x3.conv.weight"
    filled[name] = filled[name] * (1 + 1e-6)
    assert differing(filled) == [name]


def test_made_up_weights_give_features_but_never_fid(file: Path) -> None:
    levels = torch.randint(17, (2, 1, 8, 8), dtype=torch.uint8)
    for dims in (2048, 192):
        look = inception_features(file, ImageShape(1, 8, 8, 17), dims)
        assert look(levels).shape == (2, dims)
        assert "not FID" in look.name
    with pytest.raises(UserError, match="2048 or 192"):
        inception_features(file, ImageShape(1, 8, 8, 17), 64)


def test_features_of_192_are_the_mean_of_the_second_pool(file: Path) -> None:
    network, published = load_inception(file)
    assert not published
    seen = as_seen(torch.rand(1, 3, 32, 32))
    assert seen.shape == (1, 3, 299, 299)
    assert seen.abs().max() <= 1
    with torch.no_grad():
        x = nn.Sequential(
            network.Conv2d_1a_3x3, network.Conv2d_2a_3x3, network.Conv2d_2b_3x3, nn.MaxPool2d(3, 2)
        )(seen)
        x = nn.Sequential(network.Conv2d_3b_1x1, network.Conv2d_4a_3x3, nn.MaxPool2d(3, 2))(x)
        assert torch.allclose(network(seen, 192), x.mean((2, 3)), atol=1e-6)


def damaged(made_up: dict[str, Tensor], how: str) -> dict[str, Tensor]:
    tensors = dict(made_up)
    if how == "torchvision":
        tensors |= {"AuxLogits.fc.weight": torch.zeros(1000, 768), "fc.weight": torch.zeros(1000, 2048)}
    elif how == "missing":
        del tensors["Mixed_7c.branch_pool.conv.weight"]
    elif how == "infinite":
        tensors["fc.bias"] = torch.full((1008,), torch.inf)
    return tensors


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ("torchvision", r"1 others, such as AuxLogits.fc.weight; .*fc.weight is \(1000, 2048\)"),
        ("missing", "misses 1 tensors, such as Mixed_7c.branch_pool.conv.weight"),
        ("infinite", "not finite, such as fc.bias"),
    ],
)
def test_another_networks_file_is_refused_with_the_reason(
    how: str, wanted: str, made_up: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(damaged(made_up, how), tmp_path / "other.pth")
    with pytest.raises(UserError, match=wanted):
        load_inception(tmp_path / "other.pth")


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    for name in ("cut.pth", "cut.safetensors"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 cut off")
        with pytest.raises(UserError, match="holds no state dict"):
            load_inception(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="list"):
        load_inception(tmp_path / "list.pth")
    with pytest.raises(UserError, match="there is no file"):
        load_inception(tmp_path / "none.pth")
