"""A model is a folder: `config.json` (plain data) and `model.safetensors`. Nothing in a file is executed."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from . import distributions, networks
from .errors import UserError, check_path
from .extensions import extension_hint
from .files import digest, to_json, write_tensors
from .fusion import OPERATIONS, STRATEGIES
from .model import AutoregressiveImageModel
from .model_config import ModelConfig, from_spec, spec
from .posterior import Calibration
from .products import Products
from .ready import ready_models
from .records import ModelRecord

FORMAT = 1
COOLEST, WARMEST = 1e-3, 1e9
"""Of calibration: temperatures between which a fit can end; the largest is that of likelihoods that say nothing."""
FARTHEST = 1e6  # nats, of an offset
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(model: AutoregressiveImageModel, folder: str | Path) -> Path:
    """Write the model into `folder`, each file whole or not at all; an earlier model there is replaced.

    Raises `UserError` where the folder cannot be written, or holds a config.json of something else; what was there
    before then stays whole.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        folder: its folder, made where there is none.

    Returns:
        The folder.

    Example:
        pb.save(model, "models/mine")
    """
    check_path("the model's folder", folder)
    target = Path(folder)
    refuse_foreign(target)
    json.dumps(_config(model))  # what is no plain data is refused before anything is written
    before = digest(target / WEIGHTS) if (target / WEIGHTS).is_file() else None

    def describe(weights: Path) -> None:
        # A kill between the two files leaves the weights before, which go with this config, too.
        _write_config(model, target, {"sha256": digest(weights), "replaced": before})

    write_tensors(target / WEIGHTS, _tensors(model), then=describe)
    return target


def save_config(model: AutoregressiveImageModel, folder: str | Path) -> None:
    """Write the model's configuration, calibration and description beside its weights, which stay as they are."""
    target = Path(folder)
    _write_config(model, target, {"sha256": digest(target / WEIGHTS), "replaced": None})


def _write_config(model: AutoregressiveImageModel, folder: Path, checksum: dict[str, str | None]) -> None:
    """`checksum`: SHA-256 of the weights that go with this config, and of those before them."""
    to_json({**_config(model), "weights": checksum}, folder / CONFIG)


def refuse_foreign(folder: Path) -> None:
    """Raise UserError where the files of a model would replace files of another kind."""
    there = [name for name in (CONFIG, WEIGHTS) if (folder / name).exists()]
    run = Products(folder, "run")  # a run may replace its own, also where they are damaged
    if all(run.owns(name) for name in there):
        return
    try:
        known = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        own = isinstance(known, dict) and {"format", "pixelbayes", "model"} <= known.keys()
    except (OSError, ValueError, RecursionError):
        own = False
    if not own:
        raise UserError(
            f"{folder} holds a {CONFIG} or {WEIGHTS} of something else, or a damaged one: choose another folder, or "
            "move it away"
        )


def load(path: str | Path, device: str | torch.device = "cpu") -> AutoregressiveImageModel:
    """The model in a folder, a ready model by its name ("digits"; see `pixelbayes list models`), or one of that id on
    the Hugging Face Hub, for use (evaluation mode).

    Raises `UserError` for a folder that holds no model, or a truncated or foreign one.

    Args:
        path: a folder, "digits", or an id on the Hugging Face Hub.
        device: where its weights lie: "cpu", "cuda", ....

    Returns:
        The model, in evaluation mode.

    Example:
        pb.load("runs/photos-001")
    """
    check_path("the model", path)
    folder = Path(path)
    ready = ready_models().get(str(path))
    if ready is not None and not (folder / CONFIG).is_file():
        folder = ready  # a folder of that name with something else in it does not hide it
    elif not folder.exists():
        folder = _from_hub(str(path))
    config = read_config(folder)
    try:
        model = AutoregressiveImageModel(_model_config(config["model"]))
        model.calibration = _calibration(config["calibration"], len(model.classes))
        model.prior = _prior(config.get("prior"), len(model.classes))
        model.record = ModelRecord.from_dict(config["description"])
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}{extension_hint(config)}") from error
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        MemoryError,
        RuntimeError,
    ) as error:
        raise UserError(f"{folder / CONFIG} does not describe a pixelbayes model ({error!r})") from error
    _fill(model, folder / WEIGHTS)
    _check_sum(config.get("weights"), folder / WEIGHTS)  # last: what can be named more precisely is
    return model.to(device).eval()


def _config(model: AutoregressiveImageModel) -> dict[str, Any]:
    from . import __version__

    return {
        "format": FORMAT,
        "pixelbayes": __version__,
        "model": spec(model.config),
        "calibration": {
            "temperature": model.calibration.temperature,
            "offsets": list(model.calibration.offsets),
        },
        "prior": list(model.prior) if model.prior is not None else None,
        "imports": _foreign_modules(model),
        "description": model.record.to_dict(),
    }


def _foreign_modules(model: AutoregressiveImageModel) -> list[str]:
    """Modules outside the package that registered the model's parts: recorded by name, loaded only when asked."""
    config = model.config
    named = [
        *networks.CONFIGS.origins(networks.CONFIGS.name_of(config.network)),
        *distributions.CONFIGS.origins(distributions.CONFIGS.name_of(config.distribution)),
        *STRATEGIES.origins(config.fusion.strategy),
        *(name for act in config.fusion.row().acts for name in OPERATIONS.origins(act.operation)),
        *model.record.imports,
    ]
    return sorted({name for name in named if name.split(".")[0] != "pixelbayes"})


def _model_config(data: dict[str, Any]) -> ModelConfig:
    """What the model is built from; `UserError` for class names that are no texts."""
    config = from_spec(data)
    if not isinstance(data["classes"], list) or not all(isinstance(name, str) for name in config.classes):
        raise UserError(f"classes must be a list of texts, not {data['classes']!r}")
    return config


def _calibration(data: dict[str, Any], classes: int) -> Calibration:
    """`UserError` unless the temperature can be one, and there is an offset for each class, or none."""
    temperature, offsets = float(data["temperature"]), tuple(float(offset) for offset in data["offsets"])
    if not temperature > 0:
        raise UserError(f"calibration: the temperature must be above 0, not {temperature}")
    if not COOLEST <= temperature <= WARMEST:
        raise UserError(f"calibration: the temperature must be {COOLEST:g} to {WARMEST:g}, not {temperature}")
    if len(offsets) not in (0, classes) or not all(abs(offset) <= FARTHEST for offset in offsets):
        raise UserError(
            f"calibration: {classes} classes need as many finite offsets, not {len(offsets)}, "
            f"of {FARTHEST:g} nats at most"
        )
    return Calibration(temperature, offsets)


def _prior(data: Any, classes: int) -> tuple[float, ...] | None:
    """The weights of the classes, None where all are alike; `UserError` for others than 0 or more."""
    if data is None or data == []:
        return None
    weights = tuple(float(weight) for weight in data)
    if len(weights) != classes or not all(0 <= weight < inf for weight in weights) or not sum(weights):
        raise UserError(f"the prior needs a weight of 0 or more for each of {classes} classes")
    return weights


def _check_sum(data: Any, file: Path) -> None:
    """`UserError` where the weights are others than those that the config was written with; older ones do not say."""
    if data is None:
        return
    known = (data.get("sha256"), data.get("replaced")) if isinstance(data, dict) else ()
    if digest(file) not in known:
        raise UserError(
            f"{file} is damaged, or belongs to another model: its checksum is not the one in {CONFIG}"
        )


def _tensors(model: AutoregressiveImageModel) -> dict[str, torch.Tensor]:
    """The state dict with each tensor once, under its first name (a shared matrix has several)."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen or not tensor.numel():
            seen.add(tensor.data_ptr())
            tensors[name] = tensor.detach().cpu().contiguous()
    return tensors


def _fill(model: AutoregressiveImageModel, file: Path) -> None:
    if not file.is_file():
        raise UserError(f"{file} is missing: the folder holds no whole model")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        _refuse_unreadable(file)
        raise UserError(f"{file} is truncated or no safetensors file ({error})") from error
    expected = _tensors(model)
    missing, foreign = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    wrong = [name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape]
    for problem, names in (
        ("misses", missing),
        ("has foreign", foreign),
        ("has another shape of", sorted(wrong)),
    ):
        if names:
            raise UserError(
                f"{file} {problem} {len(names)} tensor(s), such as {names[0]}: it belongs to another model"
            )
    check_weights(tensors, expected, file)
    model.load_state_dict(tensors, strict=False)


def check_weights(
    tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], what: object
) -> None:
    """Raises UserError where real numbers are expected and a tensor holds others, or some that are not finite."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != expected[name].is_floating_point() or tensor.is_complex():
            raise UserError(f"{what}: {name} has {tensor.dtype} values, not {expected[name].dtype}")
        if not bool(tensor.isfinite().all()):
            raise UserError(f"{what}: {name} has values that are not finite: the weights draw noise alone")


def _refuse_unreadable(file: Path) -> None:
    """The system's reason, where it is not the content that is wrong; safetensors says 'no such file' of any."""
    try:
        file.open("rb").close()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from error


def read_config(folder: Path) -> dict[str, Any]:
    """What a model's config.json holds. Raises UserError where there is none, or it cannot be read."""
    file = folder / CONFIG
    if not file.is_file():
        raise UserError(f"{folder} is not a model: it has no {CONFIG}")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise UserError(f"{file} is nested too deeply to describe a model") from None
    except (OSError, ValueError) as error:
        _refuse_unreadable(file)
        raise UserError(f"{file} is not readable as JSON ({error})") from error
    if not isinstance(config, dict) or "model" not in config or "format" not in config:
        raise UserError(f"{file} does not describe a pixelbayes model")
    if config["format"] != FORMAT:
        raise UserError(f"{file} has format {config['format']}; this version reads format {FORMAT}")
    return config


def _from_hub(name: str) -> Path:
    """The local copy of a model on the Hub; `UserError` when it is neither there nor a folder."""
    parent = Path(name).parent
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or parent.is_dir():
        known = [*(str(p) for p in parent.glob("*") if p.is_dir()), *ready_models()]
        near = get_close_matches(name, known, n=1)
        hint = f": did you mean '{near[0]}'?" if near else ""
        raise UserError(f"there is no model folder '{name}'{hint}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"there is no folder '{name}', and the Hub gave no model of that name ({reason})"
        ) from error
