"""From log p(x | c) to p(c | x): calibrations of whole images and of parts of them."""

import pytest
import torch

from pixelbayes.measure import fit_calibration, scores
from pixelbayes.posterior import Calibration


def test_calibration_softens_and_shifts() -> None:
    joint = torch.tensor([[-700.0, -710.0]])
    plain = Calibration().posterior(joint)
    soft = Calibration(10.0).posterior(joint)
    torch.testing.assert_close(soft[0, 0] / soft[0, 1], torch.tensor(1.0).double().exp())
    assert plain[0, 0] > soft[0, 0]
    shifted = Calibration(10.0, (-2.0, 0.0)).posterior(joint)
    assert shifted[0].argmax() == 1
    assert shifted.dtype == torch.float64


def test_parts_of_images_are_calibrated_by_their_share() -> None:
    """Evidence of 64 pixels, each with an error of its own and one that all have in common."""
    noise, images, pixels = torch.Generator().manual_seed(0), 8_000, 64
    labels = torch.randint(0, 2, [images], generator=noise)
    own, common = (torch.randn(images, count, generator=noise) for count in (pixels, 1))
    odds = 0.05 * (2 * labels[:, None] - 1) + 0.3162 * own + 0.05 * common  # a pixel alone can be believed
    whole, part = odds.sum(1).double(), odds[:, :16].sum(1).double()
    fitted_to = fit_calibration(torch.stack([-whole / 2, whole / 2], 1)[:2_000], labels[:2_000])
    assert fitted_to.temperature > 1.5
    nats, truth = torch.stack([-part / 2, part / 2], 1)[2_000:], labels[2_000:]
    plain = scores(fitted_to.posterior(nats), truth)
    found = scores(fitted_to.of_part(0.25).posterior(nats), truth)
    assert found.calibration_error < 0.03 < plain.calibration_error
    assert found.log_loss < plain.log_loss


@pytest.mark.parametrize("temperature", [0.3, 1.0, 40.0])
def test_a_parts_temperature_lies_between_none_and_that_of_the_whole(temperature: float) -> None:
    whole = Calibration(temperature, (0.5, -0.5))
    assert whole.of_part(1.0) is whole
    for share in (1e-3, 0.5, 2.0, 9.0):
        found = whole.of_part(share)
        assert found.temperature > 0
        assert min(1, temperature) <= found.temperature <= max(1, 1 + 9 * temperature)
        assert found.offsets[0] * found.temperature == pytest.approx(0.5 * temperature * share)
    assert Calibration().of_part(0.5) == Calibration()
