from math import isclose

import pytest

from pixelbayes.errors import UserError
from pixelbayes.training import TrainingConfig
from pixelbayes.training.pacing import Budget, Clock
from pixelbayes.training.step import learning_rate


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
    assert Budget(200).progress(50, elapsed=1e6) == 0.25


def test_by_the_clock_earlier_sittings_count() -> None:
    budget = Budget(200, seconds=100.0)
    assert 0.5 <= budget.progress(0, Clock(carried=50.0).elapsed) < 0.6
    assert budget.progress(0, elapsed=250.0) == 1.0
    assert budget.total_steps(30, 0.25) == 120.0
    assert budget.total_steps(0, 0.0) == 200.0


def test_a_reserve_belongs_to_what_follows_the_last_step() -> None:
    budget = Budget(200, seconds=100.0).leaving(20.0)
    assert budget.limit == 80.0
    assert budget.progress(0, elapsed=40.0) == 0.5
    assert budget.spent(0, elapsed=80.0)
    assert budget.leaving(1000.0).limit == 1.0


def test_a_limit_of_steps_ends_a_run_and_leaves_the_schedule() -> None:
    budget = Budget(200, max_steps=50)
    assert budget.progress(50, 0.0) == 0.25
    assert (budget.spent(49, 0.0), budget.spent(50, 0.0)) == (False, True)
    assert budget.seconds_left(40, 0.0, 2.0) == 20.0


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
