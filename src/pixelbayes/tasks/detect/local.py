"""A small model that sees a few neighbours of each pixel: what of an image's likelihood is texture alone.

What a whole model knows beyond it is what makes an image one of its kind (Zhang et al. 2021, On the
Out-of-distribution Generalization of Probabilistic Image Modelling).
"""

import torch
from torch import Tensor

from ...distributions import Bernoulli, Categorical, DistributionConfig, LogisticMixture
from ...errors import UserError
from ...levels import ImageShape
from ...model import AutoregressiveImageModel, evaluating
from ...model_config import ModelConfig
from ...networks import GatedPixelCNNConfig, NetworkConfig, PixelCNNConfig
from ...progress import track

STEPS, RATE = 500, 4e-3
PIXELS_A_STEP = 6144


def local_model(shape: ImageShape) -> AutoregressiveImageModel:
    """An untrained model that reaches two pixels far; it has no classes."""
    network: NetworkConfig = GatedPixelCNNConfig(layers=1, filters=24, first_kernel=3, kernel=3)
    distribution: DistributionConfig = LogisticMixture(5)
    if shape.levels <= 64:
        distribution = Bernoulli() if shape.levels == 2 else Categorical()
        # Colours that are no mixture of logistics are looked at one by one.
        network = PixelCNNConfig(blocks=1, filters=24, kernel=3) if shape.channels > 1 else network
    return AutoregressiveImageModel(ModelConfig(shape, network, distribution))


def fit_local(
    shape: ImageShape,
    levels: Tensor,
    device: torch.device,
    seed: int = 0,
    steps: int = STEPS,
    progress: bool = False,
) -> AutoregressiveImageModel:
    """Train a local model on images [N, C, H, W] for some seconds; the global random state stays as it is.

    Raises UserError where the likelihood does not stay finite.
    """
    size = max(1, PIXELS_A_STEP // (shape.height * shape.width * shape.channels))
    generator = torch.Generator().manual_seed(seed)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        model = local_model(shape).to(device)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    model.train()
    for _ in track(range(steps), "local model", shown=progress):
        chosen = levels[torch.randint(len(levels), (size,), generator=generator)]
        loss = -model.log_prob(chosen).mean() / shape.dims
        if not bool(loss.isfinite()):
            raise UserError("the local model's likelihood is not finite on the training images")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        falling.step()
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def plain_log_prob(model: AutoregressiveImageModel, levels: Tensor) -> Tensor:
    """log p(x) [n] in nats, float64, under a model; summed over its classes by its prior if they matter to it."""
    with evaluating(model):
        if model.classes and model.config.fusion.row().acts:
            return model.log_joint(levels).logsumexp(1).cpu()
        any_class = torch.zeros(len(levels), dtype=torch.long) if model.classes else None
        return model.log_prob(levels, any_class).cpu()
