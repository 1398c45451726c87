"""A detector as one file beside the model it belongs to: `detector.safetensors`. Nothing in it is executed."""

import json
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...errors import UserError
from ...files import write_tensors
from ...model import AutoregressiveImageModel
from ...model_config import from_spec, spec
from .compressed import usable
from .density import Density
from .detector import Detector, fingerprint
from .reference import Reference
from .statistics import Instruments

FILE = "detector.safetensors"
FORMAT = "2"


def save_detector(detector: Detector, folder: str | Path) -> Path:
    """Write the detector into the folder of its model, whole or not at all. Raises UserError where that cannot be.

    Args:
        detector: of `fit_detector`.
        folder: that of its model.

    Returns:
        The file.

    Example:
        pb.save_detector(detector, "runs/photos-001")
    """
    own = detector.instruments
    companions = {"local": own.local} | ({"background": own.background} if own.background is not None else {})
    tensors = {f"density.{name}": tensor for name, tensor in detector.reference.density.tensors().items()}
    tensors["known"] = detector.known.contiguous()
    tensors |= {name: getattr(detector.reference, name).contiguous() for name in ("means", "spreads")}
    for name, model in companions.items():
        tensors |= {f"{name}.{key}": each.detach().cpu().clone() for key, each in model.state_dict().items()}
    about = {
        "names": list(detector.names),
        "score": detector.score,
        "false_alarms": detector.false_alarms,
        "typical": detector.reference.typical,
        "fingerprint": detector.fingerprint,
        "compressors": list(own.compressors),
        "stirs": own.stirs,
        "models": {name: _described(model) for name, model in companions.items()},
    }
    path = Path(folder) / FILE
    write_tensors(path, tensors, {"format": FORMAT, "detector": json.dumps(about)})
    return path


def load_detector(folder: str | Path, model: AutoregressiveImageModel) -> Detector:
    """The detector in a model's folder, on the model's device.

    Raises UserError where there is none, where it is damaged, or where it was fitted for other weights.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise UserError(
            f"{folder} has no detector yet: fit one with  pixelbayes detect {quote(str(folder))} --fit"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise UserError(
                f"it has format {metadata.get('format')}, and this version reads format {FORMAT}: fit it anew with  "
                f"pixelbayes detect {quote(str(folder))} --fit"
            )
        detector = _detector(json.loads(metadata["detector"]), tensors, model.device)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or no detector ({error})") from error
    if detector.fingerprint != fingerprint(model):
        raise UserError(
            f"{path} was fitted for other weights of the model: fit it anew with  "
            f"pixelbayes detect {quote(str(folder))} --fit"
        )
    return detector


def _described(model: AutoregressiveImageModel) -> dict[str, Any]:
    return {**spec(model.config), "prior": list(model.prior) if model.prior is not None else None}


def _detector(about: dict[str, Any], tensors: dict[str, Tensor], device: torch.device) -> Detector:
    models = {name: _model(data, tensors, f"{name}.", device) for name, data in about["models"].items()}
    compressors = tuple(about["compressors"])
    lacking = set(compressors).difference(usable(models["local"].shape))
    if lacking:
        raise UserError(
            f"this machine lacks {', '.join(sorted(lacking))}, by which the images were compressed"
        )
    density = Density(**{name: tensors[f"density.{name}"] for name in Density.__dataclass_fields__})
    return Detector(
        Instruments(models["local"], models.get("background"), compressors, int(about["stirs"])),
        Reference(float(about["typical"]), density, tensors["means"], tensors["spreads"]),
        tuple(about["names"]),
        tensors["known"],
        about["score"],
        float(about["false_alarms"]),
        about["fingerprint"],
    )


def _model(
    data: dict[str, Any], tensors: dict[str, Tensor], prefix: str, device: torch.device
) -> AutoregressiveImageModel:
    model = AutoregressiveImageModel(from_spec(data))
    own = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
    model.load_state_dict(own)
    model.prior = tuple(float(weight) for weight in data["prior"]) if data.get("prior") else None
    return model.to(device).eval().requires_grad_(False)
