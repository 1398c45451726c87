"""All that a model is built from, and the same as plain data for `config.json`."""

from dataclasses import asdict, dataclass, field
from typing import Any

from . import distributions, networks
from .distributions import DistributionConfig
from .fusion import FusionConfig
from .levels import ImageShape
from .networks import NetworkConfig
from .plain import from_plain


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a model without weights."""

    shape: ImageShape
    network: NetworkConfig
    distribution: DistributionConfig
    fusion: FusionConfig = field(default_factory=FusionConfig)
    classes: tuple[str, ...] = ()


def spec(config: ModelConfig) -> dict[str, Any]:
    """A configuration as plain data, for `config.json`."""
    return {
        "shape": asdict(config.shape),
        "network": {"name": networks.CONFIGS.name_of(config.network), **asdict(config.network)},
        "distribution": {
            "name": distributions.CONFIGS.name_of(config.distribution),
            **asdict(config.distribution),  # type: ignore[call-overload]
        },
        "fusion": asdict(config.fusion),
        "classes": list(config.classes),
    }


def from_spec(data: dict[str, Any]) -> ModelConfig:
    """Plain data -> a configuration; raises `UserError`, `KeyError` or `TypeError` where it is not one."""
    network, distribution = dict(data["network"]), dict(data["distribution"])
    return ModelConfig(
        from_plain(ImageShape, data["shape"], "shape"),
        from_plain(networks.CONFIGS[network.pop("name")], network, "network"),
        from_plain(distributions.CONFIGS[distribution.pop("name")], distribution, "distribution"),
        from_plain(FusionConfig, data["fusion"], "fusion"),
        tuple(data["classes"]),
    )
