from math import isclose

import pytest

from pixelbayes.errors import UserError
from pixelbayes.training import TrainingConfig
from pixelbayes.training.schedule import learning_rate
from pixelbayes.training.span import Span


def rate(schedule: str, step: int, progress: float, **fields: float) -> float:
    config = TrainingConfig(learning_rate=2.0, schedule=schedule, **{"warmup": 0.0, **fields})  # type: ignore[arg-type]
    return learning_rate(config, step, progress)


def test_a_decay_for_each_epoch_does_not_move_within_it() -> None:
    config = TrainingConfig(
        learning_rate=1.0, schedule="exponential", decay=0.5, decay_per="epoch", warmup=0.0
    )
    rates = [learning_rate(config, step, 0.1, epoch=step / 10) for step in (0, 9, 10, 25)]
    assert rates == [1.0, 1.0, 0.5, 0.25]


def test_the_published_exponential_decay_is_for_each_step() -> None:
    assert isclose(rate("exponential", 10_000, 0.5, decay=0.999995), 2.0 * 0.999995**10_000)


@pytest.mark.parametrize(
    ("progress", "cosine", "linear"), [(0.0, 2.0, 2.0), (0.5, 1.0, 1.0), (1.0, 0.0, 0.0)]
)
def test_cosine_and_linear_span_the_run(progress: float, cosine: float, linear: float) -> None:
    assert isclose(rate("cosine", 7, progress), cosine, abs_tol=1e-12)
    assert isclose(rate("linear", 7, progress), linear, abs_tol=1e-12)


def test_a_final_rate_is_what_is_left() -> None:
    assert isclose(rate("cosine", 0, 1.0, final_rate=0.25), 0.5)


@pytest.mark.parametrize("schedule", ["constant", "exponential"])
def test_warm_up_is_a_share_of_the_run(schedule: str) -> None:
    assert isclose(rate(schedule, 0, 0.05, warmup=0.1), 1.0)
    assert isclose(rate(schedule, 0, 0.1, warmup=0.1), 2.0)
    assert 0 < rate(schedule, 0, 0.0, warmup=0.1) < 0.01


def test_by_steps_progress_does_not_depend_on_the_clock() -> None:
    assert Span(200, carried=1e6).progress(50) == 0.25


def test_by_the_clock_earlier_sittings_count() -> None:
    span = Span(200, seconds=100.0, carried=50.0)
    assert 0.5 <= span.progress(0) < 0.6
    assert span.progress(0, elapsed=250.0) == 1.0
    assert span.total_steps(30, 0.25) == 120.0


@pytest.mark.parametrize(
    "fields",
    [
        {"batch": 0},
        {"warmup": 1.5},
        {"learning_rate": 0.0},
        {"betas": (0.9, 1.0)},
        {"learning_rate": float("nan")},
    ],
)
def test_values_without_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(UserError):
        TrainingConfig(**fields)  # type: ignore[arg-type]
