"""Batches, the journal, the folder, and initialisation from data."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tests.training.run_small import recipe

from pixelbayes.causal.scan import WholeImage
from pixelbayes.data import Dataset
from pixelbayes.journals import Journal, read_rows
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.training.batches import Batches, ImageStore
from pixelbayes.training.material import initialise


def test_gathered_batches_are_those_of_a_resident_set(digits: Dataset) -> None:
    levels, labels = digits.train.levels, digits.train.labels
    resident, gathered = (
        ImageStore(levels, labels, torch.device("cpu")),
        ImageStore(levels, labels, torch.device("cpu")),
    )
    gathered.resident = False
    from concurrent.futures import ThreadPoolExecutor

    gathered._reader = ThreadPoolExecutor(1)
    wanted = [torch.tensor([5, 3]), torch.tensor([0, 9]), torch.tensor([7, 7])]
    for now, coming in zip(wanted, [*wanted[1:], None], strict=True):
        for one, other in zip(resident.take(now), gathered.take(now, coming), strict=True):
            assert one is not None
            assert other is not None
            assert torch.equal(one, other)


def test_augmentation_ends_with_its_share_of_the_run(digits: Dataset, batches: Batches) -> None:
    until = replace(batches, augment_until=0.7)
    plain = digits.train.levels[batches.order.indices(3)]
    assert not torch.equal(until.at(3, 0.0).levels, plain)
    assert torch.equal(until.at(3, 0.0).levels, until.at(3, 0.699).levels)
    assert torch.equal(until.at(3, 0.7).levels, plain)
    assert torch.equal(replace(batches, augment_until=0.0).at(3, 0.0).levels, plain)


def test_a_resumed_journal_goes_on_after_its_step(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2, 3, 4):
        journal.write({"step": step, "train_bits_per_dim": step / 3, "validation_accuracy": None})
    journal.close()
    again = Journal(tmp_path, step=2)
    again.write({"step": 3, "train_bits_per_dim": 9.0})
    again.close()
    rows = read_rows(tmp_path / "journal.csv")
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert [row["train_bits_per_dim"] for row in rows] == ["0.333333", "0.666667", "9"]
    assert rows[0]["validation_accuracy"] == ""
    assert list((tmp_path / "events").iterdir())


def test_initialisation_standardises_every_layer(digits: Dataset) -> None:
    parts = recipe().still()
    config = ModelConfig(digits.shape, parts.network, parts.distribution, parts.fusion, digits.classes.names)
    model = AutoregressiveImageModel(config)
    levels, labels = digits.train.levels[:64], digits.train.labels[:64]
    initialise(model, levels, labels)
    outputs: list[torch.Tensor] = []

    class Recording(WholeImage):
        def convolve(self, layer: Any, x: torch.Tensor) -> torch.Tensor:
            outputs.append(super().convolve(layer, x).detach())
            return outputs[-1]

    model.eval().pixel_parameters(levels, labels, Recording())
    assert len(outputs) > 10
    means = torch.stack([output.mean((0, 2, 3)).abs().amax() for output in outputs])
    scales = torch.stack([output.std((0, 2, 3)).sub(1).abs().amax() for output in outputs])
    assert means.max() < 1e-3
    assert scales.max() < 1e-2


def test_initialisation_by_one_pixel_that_does_not_vary(digits: Dataset) -> None:
    parts, shape = recipe().still(), replace(digits.shape, height=1, width=1)
    config = ModelConfig(shape, parts.network, parts.distribution, parts.fusion, digits.classes.names)
    model = AutoregressiveImageModel(config)
    levels, labels = digits.train.levels[:, :, :1, :1], digits.train.labels
    initialise(model, levels[:1], labels[:1])
    assert model.log_prob(levels, labels).isfinite().all()
