"""Training and forward (evaluation) speed of PixelCNN++, beside what the arithmetic allows.

    python -m benchmarks.training [--resnets 1 --filters 40 --mixtures 5 --batch 16] [--json FILE]

The limit: the FLOP of a pass are counted, and the machine's rate is that of a large matrix product in the same
precision, measured in the same run; training counts three passes. On a CPU the library's convolutions are timed
within the forward pass, too: what they leave is all that this project's code can save. Times are the best of
several, so that other work on the machine disturbs them least. Memory is the process's peak, libraries included
(on a GPU: the device's).
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from benchmarks.common import peak_bytes
from pixelbayes.allocation import keep_freed_memory
from pixelbayes.distributions import LogisticMixture
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, build
from pixelbayes.networks import PixelCNNPPConfig
from pixelbayes.speed import choose_precision, forward_flop, seconds_of


def main(command: Sequence[str] | None = None) -> None:
    options = arguments(command)
    keep_freed_memory()  # as `pixelbayes train`, `classify` and `evaluate` do
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    model, levels, labels = case(options, device)
    forward = measure_forward(
        model, levels, labels, options
    )  # first: its peak memory is not that of training
    if options.precision == "auto":
        chosen = choose_precision(model.train(), levels, labels)
        options.precision = "bf16" if chosen == "bf16-mixed" else "float32"
    single, half = (matrix_rate(device, kind) for kind in (torch.float32, torch.bfloat16))
    rate = half if options.precision == "bf16" else single
    flop = forward_flop(model, levels[:1], labels[:1])
    training = measure_training(model, levels, labels, options)
    limit = {
        "matrix_flops": {"float32": single, "bf16": half},
        "flop_per_image": flop,
        "forward": single / flop,
        "training": rate / (3 * flop),
    }
    print(
        f"{model.shape}, {options.resnets} resnets, {options.filters} filters, {options.mixtures} mixtures,"
        f" batch {options.batch}, {torch.get_num_threads()} threads, {device};"
        f" trained in {options.precision}, evaluated in float32"
    )
    print(
        f"{flop / 1e9:.3f} GFLOP a forward pass of an image; matrix products run at"
        f" {single / 1e9:.0f} GFLOP/s in float32, {half / 1e9:.0f} in bf16"
    )
    for name, figures in (("forward", forward), ("training", training)):
        share = figures["images_per_second"] / limit[name]
        print(
            f"{name:>8}: {figures['images_per_second']:8.1f} images/s of {limit[name]:.1f} ({share:.0%}),"
            f" peak memory {figures['peak_memory_bytes'] / 1e9:.2f} GB"
        )
    if "convolutions_seconds" in forward:
        whole, inside = options.batch / forward["images_per_second"], forward["convolutions_seconds"]
        print(
            f"of the {whole * 1e3:.1f} ms of a forward pass the library's convolutions take"
            f" {inside * 1e3:.1f}"
        )
    if options.json:
        result = {"case": vars(options), "forward": forward, "training": training, "limit": limit}
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def arguments(command: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("resnets", 1), ("filters", 40), ("mixtures", 5), ("batch", 16), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--precision", choices=["auto", "float32", "bf16"], default="auto",
        help="of training; auto: as `pixelbayes train` chooses, by a measurement",
    )  # fmt: skip
    parser.add_argument("--json")
    return parser.parse_args(command)


def case(
    options: argparse.Namespace, device: torch.device
) -> tuple[AutoregressiveImageModel, torch.Tensor, torch.Tensor]:
    """The conditional model (4 classes, mild) and a batch of noise."""
    torch.manual_seed(0)
    network = PixelCNNPPConfig(resnets=options.resnets, filters=options.filters)
    shape = ImageShape(3, options.size, options.size)
    model = build(
        shape, Labels(tuple("abcd")), network, LogisticMixture(options.mixtures), FusionConfig("mild")
    )
    levels = torch.randint(
        0, 256, (options.batch, 3, options.size, options.size), dtype=torch.uint8, device=device
    )
    return model.to(device), levels, torch.arange(options.batch, device=device) % 4


def matrix_rate(device: torch.device, kind: torch.dtype) -> float:
    """FLOP/s of a large matrix product."""
    size = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    return 2 * size**3 / seconds_of(lambda: a @ b, device, repeats=5)


def measure_forward(
    model: AutoregressiveImageModel, levels: torch.Tensor, labels: torch.Tensor, options: argparse.Namespace
) -> dict[str, float]:
    """Exact log-likelihoods in float32, as evaluation and classification need them."""
    model.eval()
    with torch.inference_mode():
        seconds = seconds_of(lambda: model.log_prob(levels, labels), levels.device, options.repeats)
        figures = {"images_per_second": len(levels) / seconds, "peak_memory_bytes": peak_bytes(levels.device)}
        if levels.device.type == "cpu":
            figures["convolutions_seconds"] = min(
                convolutions_seconds(lambda: model.log_prob(levels, labels)) for _ in range(options.repeats)
            )
    return figures


def convolutions_seconds(run: Callable[[], object]) -> float:
    """How much of the time of `run` passes within the library's convolutions."""
    with Convolutions() as inside:
        run()
    return inside.seconds


class Convolutions(TorchFunctionMode):
    """Times the library's convolutions, but for those that a compiled or differentiated function hides."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = time.perf_counter()
        result = function(*args, **(kwargs or {}))
        if function in (F.conv2d, F.conv_transpose2d):
            self.seconds += time.perf_counter() - start
        return result


def measure_training(
    model: AutoregressiveImageModel, levels: torch.Tensor, labels: torch.Tensor, options: argparse.Namespace
) -> dict[str, float]:
    """Whole steps: forward, backward and Adam."""
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    kind = torch.autocast(levels.device.type, torch.bfloat16, enabled=options.precision == "bf16")

    def step() -> None:
        with kind:
            loss = -model.log_prob_map(levels, labels).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    seconds = seconds_of(step, levels.device, options.repeats)
    return {"images_per_second": len(levels) / seconds, "peak_memory_bytes": peak_bytes(levels.device)}


if __name__ == "__main__":
    main()
