"""The picture of the idea: pixels so far, the distribution of the next one, a class by the larger likelihood.

    python -m benchmarks.idea MODEL [--image 0] [--pixel 4,3] [--out docs/idea.png]

MODEL is a model of the bundled digits (`pixelbayes demo` leaves one in runs/demo).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import pixelbayes as pb

INK, ACCENT, PALE = "#1f2937", "#d97706", "#9ca3af"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--image", type=int, default=0)
    parser.add_argument("--pixel", default="4,3")
    parser.add_argument("--out", default="docs/idea.png")
    options = parser.parse_args()
    row, column = (int(part) for part in options.pixel.split(","))
    digits = load_digits()
    image = torch.as_tensor(digits.images[options.image].astype("uint8"))
    draw(pb.load(options.model), image, int(digits.target[options.image]), (row, column), Path(options.out))


@torch.no_grad()
def draw(
    model: pb.AutoregressiveImageModel, image: torch.Tensor, label: int, pixel: tuple[int, int], out: Path
) -> None:
    """Three panels for one image `(H, W)` of integer levels and its class."""
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1, 1.35, 1.35))
    masses = next_pixel(model, image, label, pixel)
    _so_far(axes[0], image.numpy(), pixel, model.shape.levels)
    _next(axes[1], masses, int(image[pixel]), label)
    _classes(axes[2], model.log_likelihoods(image[None, None])[0].numpy(), list(model.classes))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=160)
    print(f"written: {out}")


def next_pixel(
    model: pb.AutoregressiveImageModel, image: torch.Tensor, label: int, pixel: tuple[int, int]
) -> np.ndarray:
    """The probability of each level `(levels,)` of one pixel, given those before it and the class."""
    levels = torch.arange(model.shape.levels, dtype=torch.uint8)
    tried = image.repeat(len(levels), 1, 1)
    tried[:, pixel[0], pixel[1]] = levels
    maps = model.log_prob_map(tried[:, None], [label] * len(levels))
    return maps[:, pixel[0], pixel[1]].exp().numpy()


def _so_far(axis, image: np.ndarray, pixel: tuple[int, int], levels: int) -> None:
    order = np.arange(image.size).reshape(image.shape)
    shown = np.ma.masked_where(order >= order[pixel], image)
    axis.set_facecolor("#f3f4f6")
    axis.imshow(shown, cmap="gray_r", vmin=0, vmax=levels - 1)
    axis.add_patch(_box(pixel))
    axis.text(pixel[1], pixel[0], "?", ha="center", va="center", color=ACCENT, weight="bold")
    axis.set_title("1. the pixels so far", color=INK)
    axis.set_xticks([])
    axis.set_yticks([])


def _box(pixel: tuple[int, int]):
    from matplotlib.patches import Rectangle

    return Rectangle((pixel[1] - 0.5, pixel[0] - 0.5), 1, 1, fill=False, edgecolor=ACCENT, linewidth=2)


def _next(axis, masses: np.ndarray, level: int, label: int) -> None:
    colours = [ACCENT if each == level else PALE for each in range(len(masses))]
    axis.bar(range(len(masses)), masses, color=colours)
    axis.set_title(f"2. p(next pixel | pixels so far, class {label})", color=INK)
    axis.set_xlabel("level (orange: the one that it is)")
    axis.spines[["top", "right"]].set_visible(False)


def _classes(axis, nats: np.ndarray, names: list[str]) -> None:
    bits = nats / np.log(2)
    best = int(bits.argmax())
    axis.barh(names, bits - bits.max(), color=[ACCENT if each == best else PALE for each in range(len(bits))])
    axis.invert_yaxis()
    axis.set_title("3. their product: log p(image | class)", color=INK)
    axis.set_xlabel("bits below the likeliest class")
    axis.set_ylabel("class")
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
