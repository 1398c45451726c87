"""Bits per dimension."""

from math import log

from torch import Tensor

from ..levels import ImageShape


def bits_per_dim(log_prob: Tensor, shape: ImageShape) -> float:
    """Log likelihoods [N] in nats, one for each image -> bits per dimension, averaged over images.

    `-log2 p(levels) / (C*H*W)`, of the integer levels. Give all images at once: the mean of the means of
    batches is another number when the last batch is smaller.

    Args:
        log_prob: nats, one number for each image, `(n,)`.
        shape: of the images.

    Returns:
        Bits per dimension, a float.

    Example:
        pb.bits_per_dim(pb.log_prob(model, images, labels), model.shape)
    """
    return float(-log_prob.detach().cpu().double().mean()) / (shape.dims * log(2))
