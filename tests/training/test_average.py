import pytest
import torch
from tests.training.small import SmallRecipe

from pixelbayes.data import Dataset
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.training.step import EMA, decay_of


@pytest.fixture
def model(recipe: SmallRecipe, digits: Dataset) -> AutoregressiveImageModel:
    parts = (recipe.network, recipe.distribution, recipe.fusion)
    return AutoregressiveImageModel(ModelConfig(digits.shape, *parts, digits.classes.names))


def values(model: AutoregressiveImageModel) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_average_equals_the_bias_corrected_sum(model: AutoregressiveImageModel) -> None:
    average, decay, mass = EMA(model), 0.9, 0.0
    history = []
    for step in range(5):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(generator=torch.Generator().manual_seed(step))
        mass = average.update(decay, mass)
        history.append(values(model))
    weights = torch.tensor([decay ** (4 - step) * (1 - decay) for step in range(5)])
    expected = (torch.stack(history) * weights[:, None]).sum(0) / (1 - decay**5)
    assert torch.allclose(values(average.model), expected, atol=1e-5)


def test_the_first_update_leaves_no_trace_of_the_start(model: AutoregressiveImageModel) -> None:
    average = EMA(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    average.update(0.999, 0.0)
    assert torch.allclose(values(average.model), values(model))


def test_the_horizon_is_a_share_of_the_run() -> None:
    assert decay_of(0.05, 2000) == pytest.approx(0.99)
    assert decay_of(0.05, 10) == 0.0
