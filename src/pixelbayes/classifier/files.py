"""The classifier beside a model: `features.safetensors`, weights and a line of JSON about them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..errors import UserError
from ..files import write_tensors
from ..levels import ImageShape
from ..plain import from_plain
from .fitting import Classifier
from .network import ResidualNetwork

FEATURES_FILE = "features.safetensors"
KIND = "pixelbayes classifier 1"


def save_classifier(classifier: Classifier, path: str | Path) -> None:
    """Write the file, whole or not at all. Raises UserError where that cannot be done."""
    about = {
        "shape": asdict(classifier.shape),
        "classes": list(classifier.classes),
        "data": classifier.data,
        "seconds": classifier.seconds,
        "epochs": classifier.epochs,
    }
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in classifier.network.state_dict().items()
    }
    write_tensors(Path(path), tensors, {"kind": KIND, "about": json.dumps(about)})


def load_classifier(path: str | Path, device: "torch.device | str" = "cpu") -> Classifier:
    """The classifier in a file. Raises UserError for a file that holds none."""
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as a safetensors file ({error})") from None
    if metadata.get("kind") != KIND:
        raise UserError(f"{path} holds no classifier of pixelbayes")
    try:
        return _rebuilt(json.loads(metadata["about"]), tensors, path, device)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or of another version ({str(error).splitlines()[0]})") from None


def _rebuilt(
    about: dict[str, Any], tensors: dict[str, torch.Tensor], path: Path, device: "torch.device | str"
) -> Classifier:
    shape, classes = from_plain(ImageShape, about["shape"], str(path)), tuple(about["classes"])
    network = ResidualNetwork(shape.channels, len(classes) or 4, max(shape.height, shape.width))
    network.load_state_dict(tensors)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = network.eval().requires_grad_(False)
    return Classifier(network, shape, classes, about["data"], float(about["seconds"]), float(about["epochs"]))
