"""Weights of the widely used PyTorch port of PixelCNN++, as a model of ours."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .distributions import LogisticMixture
from .errors import UserError, check_path
from .fusion import FusionConfig
from .labels import Labels
from .levels import ImageShape
from .model import AutoregressiveImageModel, build
from .networks import PixelCNNPPConfig
from .records import ModelRecord

REFERENCE_ONLY = {"levels", "parameters", "nll_nats"}  # the other tensors of a file with reference values
SIZES = {1: 28, 3: 32}  # a checkpoint does not say which images it saw: MNIST's size, and CIFAR-10's


def import_weights(file: str | Path, size: tuple[int, int] | None = None) -> AutoregressiveImageModel:
    """An unconditional checkpoint (`.pth` or `.safetensors`) of the port -> a model with its weights.

    The number of resnets, filters, mixtures and channels is read from the tensors. `size` is the height and
    width of images to generate. Raises `UserError`, with what was missing, for a file that is something else.

    Args:
        file: a checkpoint of the port.
        size: (height, width) of images to generate; None: 28 a side for grey ones, 32 for colour.

    Returns:
        The model, in evaluation mode.

    Example:
        pb.import_weights("pcnn_lr_0.00040_nr-resnet5_nr-filters160_889.pth")
    """
    check_path("the checkpoint", file)
    path = Path(file)
    weights = _plain_names(_read(path))
    _check_tensors(weights, path)
    resnets = sum(
        bool(re.fullmatch(r"up_layers\.0\.u_stream\.\d+\.conv_input\.conv\.weight_v", n)) for n in weights
    )
    first, last = weights.get("u_init.conv.weight_v"), weights.get("nin_out.lin_a.weight_v")
    if not resnets or first is None or last is None:
        expected = (
            "up_layers.0.u_stream.0.conv_input.conv.weight_v",
            "u_init.conv.weight_v",
            "nin_out.lin_a.weight_v",
        )
        missing = [name for name in expected if name not in weights]
        raise UserError(f"{path} is not a checkpoint of the PixelCNN++ port: it has no {', '.join(missing)}")
    channels, filters = first.shape[1] - 1, first.shape[0]
    per_mixture = {1: 3, 3: 10}.get(channels)
    if per_mixture is None or len(last) % per_mixture:
        raise UserError(
            f"{path}: {channels} channels with {len(last)} outputs are no PixelCNN++ of 1 or 3 channels"
        )
    height, width = size or (SIZES[channels],) * 2
    model = build(
        ImageShape(channels, height, width),
        Labels(),
        PixelCNNPPConfig(resnets=resnets, filters=filters),
        LogisticMixture(len(last) // per_mixture),
        FusionConfig("none"),
    )
    _fill(model, weights, path)
    model.record = ModelRecord(imported={"file": path.name})
    return model.eval()


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        data = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file makes torch.load raise nearly anything, depending on the place.
    except Exception as error:
        raise UserError(f"{path} cannot be read as weights alone ({_reason(error)})") from error
    while isinstance(data, dict) and not any(isinstance(value, Tensor) for value in data.values()):
        inner = [value for value in data.values() if isinstance(value, dict) and value]
        if not inner:
            break
        data = inner[0]
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise UserError(f"{path} holds no state dict (names and tensors)")
    return {name: value for name, value in data.items() if isinstance(value, Tensor)}


def _reason(error: Exception) -> str:
    """In the user's words: what PyTorch says here advises to execute what the file holds."""
    if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for {named[1]}, and nothing in a file is executed"
    if isinstance(error, SafetensorError | OSError):
        return str(error).splitlines()[0]
    return "it is no checkpoint, or damaged"


def _plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefixes of wrappers, and with the older names of weight normalisation."""
    plain = {}
    for name, value in weights.items():
        name = re.sub(r"^(module\.|_orig_mod\.|weights\.)+", "", name)
        name = name.replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        if name not in REFERENCE_ONLY:
            plain[name] = value
    return plain


def _check_tensors(weights: Mapping[str, Tensor], path: Path) -> None:
    """`UserError` unless those under the port's names are dense and have its number of dimensions."""
    for name, value in weights.items():
        dimensions = _dimensions(name)
        if dimensions is None:
            continue
        if value.is_nested or value.layout != torch.strided or value.is_meta or not value.is_floating_point():
            raise UserError(f"{path}: {name} is no dense tensor of real numbers")
        if not bool(value.isfinite().all()):
            raise UserError(f"{path}: {name} has values that are not finite")
        if value.dim() != dimensions:
            raise UserError(f"{path}: {name} is {tuple(value.shape)}, and not of {dimensions} dimension(s)")


def _dimensions(name: str) -> int | None:
    """How many dimensions the port's tensor of that name has; None for a name that is not of its kind."""
    *_, layer, kind = ("", *name.split("."))
    if kind in ("weight_v", "weight_g") and layer in ("conv", "deconv", "lin_a"):
        return 2 if layer == "lin_a" else 4
    return 1 if kind == "bias" and layer in ("conv", "deconv", "lin_a") else None


def _fill(model: AutoregressiveImageModel, weights: dict[str, Tensor], path: Path) -> None:
    """Each parameter of ours from the port's tensor; every tensor must be there, fit, and be used."""
    left = dict(weights)
    state = model.state_dict()
    for name, target in state.items():
        source = _port_name(name.removeprefix("network."))
        if source not in left:
            raise UserError(
                f"{path} is not an unconditional checkpoint of the PixelCNN++ port: it has no {source}"
            )
        value = left.pop(source)
        if [size for size in value.shape if size != 1] != [size for size in target.shape if size != 1]:
            raise UserError(
                f"{path}: {source} is {tuple(value.shape)}, which does not fit {tuple(target.shape)}"
            )
        if name.endswith("join.weight"):
            value = _contexts_in_our_order(value, target.shape[0])
        target.copy_(value.reshape(target.shape))
    if left:
        raise UserError(
            f"{path} has {len(left)} tensor(s) that an unconditional PixelCNN++ has not, such as {sorted(left)[0]}"
        )


def _contexts_in_our_order(value: Tensor, filters: int) -> Tensor:
    """The port activates both contexts together, `[u, s, -u, -s]`; ours come one after the other."""
    parts = value.split(filters, 1)
    return torch.cat([parts[i] for i in (0, 2, 1, 3)], 1) if len(parts) == 4 else value


def _port_name(name: str) -> str:
    """The port's name for a parameter of our PixelCNN++ network."""
    *path, kind = name.split(".")
    tensor = {"weight": "weight_v", "gain": "weight_g", "bias": "bias"}[kind]
    if path[0] == "head":
        return f"nin_out.lin_a.{tensor}"
    if path[0].startswith("first_"):
        first = {"first_above": "u_init", "first_row": "ul_init.0", "first_left": "ul_init.1"}[path[0]]
        return f"{first}.conv.{tensor}"
    stream = {"above": "u_stream", "left": "ul_stream"}[path[0]]
    depth = path.count("inner")
    part = path[2 + depth :]  # after the stream, its outermost level and `depth` inner ones
    if part[0] == "shrink":
        return f"downsize_{stream}.{depth}.conv.{tensor}"
    if part[0] == "enlarge":
        return f"upsize_{stream}.{1 - depth}.deconv.{tensor}"
    layer = f"up_layers.{depth}" if part[0] == "encode" else f"down_layers.{2 - depth}"
    inside = {"enter": "conv_input.conv", "leave": "conv_out.conv", "join": "nin_skip.lin_a"}[part[2]]
    return f"{layer}.{stream}.{part[1]}.{inside}.{tensor}"
