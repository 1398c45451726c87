"""Weights of the PyTorch port of PixelCNN++: the same numbers come out, and what is something else is refused."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import pixelbayes as pb

GOLDEN = Path(__file__).parent / "golden" / "pixelcnn_pp_1x4x2_rgb_8x12.safetensors"
"""Computed once with the port, from random weights: 1 resnet, 4 filters, 2 mixtures, two images of 3x8x12."""


def state() -> dict[str, Tensor]:
    """The golden file's state dict under the port's own names."""
    tensors = load_file(GOLDEN)
    return {
        name.removeprefix("weights."): value for name, value in tensors.items() if name.startswith("weights.")
    }


def compare(file: Path) -> None:
    """Parameters to 1e-4 and the loss to 1e-3 relative."""
    values = load_file(file)
    with safe_open(file, framework="pt") as opened:
        config = json.loads(opened.metadata()["config"])
    model = pb.import_weights(file, (config["height"], config["width"]))
    network = model.config.network
    assert (network.resnets, network.filters) == (config["nr_resnet"], config["nr_filters"])
    assert model.config.distribution.mixtures == config["nr_logistic_mix"]
    with torch.no_grad():
        found = model.pixel_parameters(values["levels"])
        torch.testing.assert_close(found, values["parameters"], rtol=0, atol=1e-4)
        if "nll_nats" in values:
            loss = -model.log_prob(values["levels"])
            torch.testing.assert_close(loss, values["nll_nats"].double(), rtol=1e-3, atol=0)


def test_the_golden_values_come_out() -> None:
    compare(GOLDEN)


@pytest.mark.parametrize("name", ["pixelcnn_pp_rgb", "pixelcnn_pp_grey"])
def test_the_reference_values_come_out(name: str, shared: Path) -> None:
    compare(shared / "reference" / f"{name}.safetensors")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights, "epoch": 3},
        lambda weights: {f"module.{name}": value for name, value in weights.items()},
        lambda weights: {
            "optimizer": {},
            "model": {f"_orig_mod.{name}": value for name, value in weights.items()},
        },
        lambda weights: {
            name.replace("weight_g", "parametrizations.weight.original0").replace(
                "weight_v", "parametrizations.weight.original1"
            ): value
            for name, value in weights.items()
        },
    ],
    ids=[
        "plain",
        "with an epoch",
        "data parallel",
        "compiled, with an optimiser",
        "newer weight normalisation",
    ],
)
def test_a_pth_file_in_its_usual_wrappings(wrap, tmp_path: Path) -> None:
    torch.save(wrap(state()), tmp_path / "port.pth")
    model = pb.import_weights(tmp_path / "port.pth", (8, 12))
    values = load_file(GOLDEN)
    with torch.no_grad():
        torch.testing.assert_close(
            model.pixel_parameters(values["levels"]), values["parameters"], rtol=0, atol=1e-4
        )


def test_an_imported_model_is_a_model_like_any_other(tmp_path: Path) -> None:
    model = pb.load(pb.save(pb.import_weights(GOLDEN, (8, 12)), tmp_path))
    assert not len(model.classes)
    images = pb.generate(model, count=1)
    assert images.shape == (1, 3, 8, 12)
    assert model.log_prob(images).shape == (1,)


def without(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value for name, value in weights.items() if name != "up_layers.1.ul_stream.0.conv_out.conv.bias"
    }


def conditional(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"embedding.weight": torch.zeros(4, 8)}


def narrower(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"up_layers.0.u_stream.0.conv_input.conv.weight_v": torch.zeros(3, 8, 2, 3)}


FIRST = "u_init.conv.weight_v"

REFUSED = {
    "another network": ({"layer1.weight": torch.zeros(2, 2)}, "it has no up_layers.0.u_stream.0.conv_input"),
    "a tensor less": (without(state()), "it has no up_layers.1.ul_stream.0.conv_out.conv.bias"),
    "a conditional one": (conditional(state()), "1 tensor(s) that an unconditional PixelCNN++ has not"),
    "another width": (narrower(state()), "which does not fit"),
    "five channels": (
        state() | {"u_init.conv.weight_v": torch.zeros(4, 6, 2, 3)},
        "no PixelCNN++ of 1 or 3 channels",
    ),
    "a list": ([1, 2, 3], "holds no state dict"),
    "a number": (state() | {FIRST: torch.tensor(1.0)}, f"{FIRST} is (), and not of 4 dimension(s)"),
    "a vector": (
        state() | {"nin_out.lin_a.weight_v": torch.zeros(20)},
        "is (20,), and not of 2 dimension(s)",
    ),
    "a matrix as a bias": (
        state() | {"u_init.conv.bias": torch.zeros(2, 2)},
        "is (2, 2), and not of 1 dimension(s)",
    ),
    "a sparse tensor": (
        state() | {FIRST: state()[FIRST].to_sparse()},
        f"{FIRST} is no dense tensor of real numbers",
    ),
    "a tensor without numbers": (
        state() | {FIRST: state()[FIRST].to("meta")},
        f"{FIRST} is no dense tensor of real numbers",
    ),
    "no tensors": ({"epoch": 3}, "is not a checkpoint of the PixelCNN++ port"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_something_else_is_refused_with_what_was_missing(name: str, tmp_path: Path) -> None:
    content, wanted = REFUSED[name]
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(pb.UserError) as caught:
        pb.import_weights(tmp_path / "file.pth")
    assert wanted in str(caught.value)
    assert "file.pth" in str(caught.value)
    assert "\n" not in str(caught.value)


class Trap:
    """Unpickled, it would write a file."""

    def __init__(self, told: Path):
        self.told = told

    def __reduce__(self):
        return Path.write_text, (self.told, "executed")


def test_code_in_a_file_is_never_executed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    torch.save({"state_dict": state(), "trap": Trap(told)}, tmp_path / "trap.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap(told), protocol=2))
    for name in ("trap.pth", "bare.pth"):
        with pytest.raises(pb.UserError, match=rf"{name} cannot be read as weights alone"):
            pb.import_weights(tmp_path / name)
    assert not told.exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"cut.{suffix}"
    if suffix == "pth":
        torch.save(state(), path)
    else:
        save_file(state(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(pb.UserError, match=r"cut\..* cannot be read as weights alone") as caught:
        pb.import_weights(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_of_the_older_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save(state(), path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    assert pb.import_weights(path, (8, 12)).config.network.filters == 4
    for kept in range(0, len(whole), len(whole) // 150):
        path.write_bytes(whole[:kept])
        with pytest.raises(pb.UserError, match=r"cut\.pth cannot be read as weights alone") as caught:
            pb.import_weights(path)
        assert "\n" not in str(caught.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(pb.UserError, match="there is no file"):
            pb.import_weights(path)


def test_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.pth").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(pb.UserError, match="cannot be read as weights alone"):
        pb.import_weights(tmp_path / "photo.pth")


def test_the_size_is_chosen_on_the_command_line(tmp_path: Path) -> None:
    from pixelbayes.cli import main

    words = ["import", str(GOLDEN), "--out", str(tmp_path / "model")]
    assert main([*words, "--size", "8", "12"]) == 0
    compared = pb.load(tmp_path / "model").shape
    assert (compared.height, compared.width) == (8, 12)
    assert main([*words, "--size", "0", "12", "--overwrite"]) == 2
