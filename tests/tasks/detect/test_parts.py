"""Stirring and compressing."""

import pytest
import torch
from sklearn.mixture import GaussianMixture

from pixelbayes.levels import ImageShape
from pixelbayes.tasks.detect.compressed import COMPRESSORS, compressed_bits, usable
from pixelbayes.tasks.detect.density import fit_density
from pixelbayes.tasks.detect.stirring import stirred


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (1, 3), (1, 1), (28, 28)])
@pytest.mark.parametrize("channels", [1, 3])
def test_stirring_moves_whole_patches_and_loses_no_value(size, channels):
    images = torch.randint(0, 256, (2, channels, *size), dtype=torch.uint8)
    for seed in (0, 1):
        moved = stirred(images, seed)
        assert moved.shape == images.shape
        assert torch.equal(moved.flatten(2).sort(2).values, images.flatten(2).sort(2).values)
        assert torch.equal(stirred(images[1:], seed), moved[1:])


def test_every_patch_leaves_its_place():
    images = torch.arange(64).view(1, 1, 8, 8)
    moved = stirred(images, 3)
    assert not bool((moved == images).any())
    assert torch.equal(moved[..., 0:2, 1] - moved[..., 0:2, 0], torch.ones(1, 1, 2, dtype=torch.long))


def test_the_fewest_bits_of_the_compressors():
    flat, noise = torch.full((1, 1, 16, 16), 7), torch.randint(0, 256, (1, 1, 16, 16))
    images = torch.cat([flat, noise]).to(torch.uint8)
    names = usable(ImageShape(1, 16, 16))
    found = compressed_bits(images, names)
    each = [[COMPRESSORS[name](image) * 8 for name in names] for image in images.numpy()]
    assert found.tolist() == [min(row) for row in each]
    assert float(found[1]) > 8 * 256 > float(found[0])


def test_many_levels_have_fewer_compressors():
    assert not {"png", "webp"} & set(usable(ImageShape(1, 4, 4, 65_536)))
    deep = torch.randint(0, 65_536, (2, 3, 4, 4), dtype=torch.int32)
    assert compressed_bits(deep, usable(ImageShape(3, 4, 4, 65_536))).shape == (2,)


def test_the_density_is_that_of_scikit_learn():
    rows = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5 + 2
    density = fit_density(rows)
    scaled = ((rows - rows.mean(0)) / rows.std(0, correction=0)).numpy()  # what density.py standardises by
    other = GaussianMixture(1, reg_covar=1e-2).fit(scaled).score_samples(scaled)
    assert torch.allclose(density.log_prob(rows), torch.from_numpy(other))
