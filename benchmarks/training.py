"""Training and forward (evaluation) speed of PixelCNN++, beside what the arithmetic allows.

    python -m benchmarks.training [--resnets 1 --filters 40 --mixtures 5 --batch 16] [--json FILE]

The limit: the FLOP of a pass are counted, and the machine's rate is that of a large matrix product in the same
precision, measured in the same run; training counts three passes. Times are the best of several, so that other
work on the machine disturbs them least. Memory is the process's peak, libraries included (on a GPU: the device's).
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.common import best_seconds, peak_bytes
from pixelbayes.allocation import keep_freed_memory
from pixelbayes.distributions import LogisticMixture
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, build
from pixelbayes.networks import PixelCNNPPConfig
from pixelbayes.training.speed import choose_precision, forward_flop


def main() -> None:
    options = arguments()
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
    if options.json:
        result = {"case": vars(options), "forward": forward, "training": training, "limit": limit}
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
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
    return parser.parse_args()


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
    return 2 * size**3 / best_seconds(lambda: a @ b, device, repeats=5)


def measure_forward(
    model: AutoregressiveImageModel, levels: torch.Tensor, labels: torch.Tensor, options: argparse.Namespace
) -> dict[str, float]:
    """Exact log-likelihoods in float32, as evaluation and classification need them."""
    model.eval()
    with torch.inference_mode():
        seconds = best_seconds(lambda: model.log_prob(levels, labels), levels.device, options.repeats)
    return {"images_per_second": len(levels) / seconds, "peak_memory_bytes": peak_bytes(levels.device)}


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

    seconds = best_seconds(step, levels.device, options.repeats)
    return {"images_per_second": len(levels) / seconds, "peak_memory_bytes": peak_bytes(levels.device)}


if __name__ == "__main__":
    main()
