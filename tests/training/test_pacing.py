"""When side work is due: plain values, no run."""

import pytest

from pixelbayes.training.pacing import (
    FEW_STEPS_SECONDS,
    FORWARD_COST,
    ONE_SHARE,
    SHARE,
    SHEET_SHARE,
    Budget,
    Moment,
    RowPace,
    SpeedMeter,
    ValidationPace,
    affordable_pairs,
    pair_seconds,
    reserve,
    run_seconds,
    sheet_due,
)


def at(step: int, **values: float) -> Moment:
    return Moment(**{"step": step, "progress": 0.5, "elapsed": 100.0, **values})  # type: ignore[arg-type]


def test_by_steps_validation_is_a_function_of_the_step_alone() -> None:
    pace = ValidationPace(every=10, step_seconds=1.0, cost=1e9)
    assert [step for step in range(31) if pace.due(at(step), validated=-1)] == [10, 20, 30]
    assert not pace.due(at(20), validated=20)
    assert not pace.due(at(30, over=True), validated=-1)


def test_by_the_clock_validation_keeps_to_a_tenth_of_the_time() -> None:
    pace = ValidationPace(every=1, step_seconds=1.0, cost=10.0)
    pause = 10.0 * (1 - SHARE) / SHARE
    assert not pace.due(at(5, elapsed=pause - 1, left=1000.0), validated=-1)
    assert pace.due(at(5, elapsed=pause, left=1000.0), validated=-1)
    pace.done(pause, pause + 20.0)
    assert (pace.last, pace.cost) == (pause + 20.0, 20.0)
    assert not pace.due(at(6, elapsed=2.5 * pause, left=1000.0), validated=5)
    assert pace.due(at(6, elapsed=4 * pause, left=1000.0), validated=5)


def test_by_the_clock_there_is_none_right_before_the_end() -> None:
    pace = ValidationPace(every=1, step_seconds=1.0, cost=10.0)
    assert not pace.due(at(5, elapsed=500.0, left=20.0), validated=-1)


def test_a_cheap_validation_is_done_ten_times_at_least() -> None:
    pace = ValidationPace(every=10**9, step_seconds=1.0, cost=0.0)
    assert pace.due(at(5, elapsed=60.0, left=540.0), validated=-1)
    assert not pace.due(at(5, elapsed=59.0, left=541.0), validated=-1)


def test_what_a_pair_costs_follows_from_a_step() -> None:
    one = pair_seconds(step_seconds=3.0, batch=10, passes=1.0)
    assert one == pytest.approx(0.3 * FORWARD_COST * 1.2)
    assert pair_seconds(3.0, 10, passes=6.0) == pytest.approx(one / 6)


def test_the_pairs_of_a_validation_are_those_that_the_clock_affords() -> None:
    assert affordable_pairs(10**6, 0.01, 600.0, None, 1.0) == round(600 * ONE_SHARE / 0.01)
    assert affordable_pairs(100, 0.01, None, None, 1.0) == 0
    assert affordable_pairs(100, 0.01, None, 3, 1.0) == 0
    assert affordable_pairs(10**6, 0.01, None, 3, 1.0) == round(FEW_STEPS_SECONDS / 0.01)
    assert affordable_pairs(10**9, 0.01, None, 10**4, 1.0) == 10**6
    assert affordable_pairs(10, 1e6, 60.0, None, 1.0) == 1


def test_a_row_is_due_at_each_hundredth_and_asking_changes_nothing() -> None:
    pace = RowPace(last=10)
    assert not pace.due(0.1099)
    assert [pace.due(0.11), pace.due(0.11)] == [True, True]
    pace.done(0.11)
    assert not pace.due(0.11)
    assert pace.due(0.12)


def test_sheets_take_a_share_of_the_time() -> None:
    assert not sheet_due(at(5), 0.0, -1, 0.0, 0.0, 1e9)
    assert sheet_due(at(0), 10.0, -1, 1.0, 0.0, expected=1.1 / SHEET_SHARE)
    assert not sheet_due(at(0), 10.0, -1, 1.0, 0.0, expected=0.9 / SHEET_SHARE)
    assert sheet_due(at(15), 10.0, 5, 1.0, 1.0, 0.0)
    assert not sheet_due(at(14), 10.0, 5, 1.0, 1.0, 0.0)
    assert not sheet_due(at(15), 10.0, 5, 1.0, spent=100.0, expected=0.0)
    assert not sheet_due(at(15, over=True), 10.0, 5, 1.0, 1.0, 0.0)


def test_a_validation_that_became_slow_is_given_its_time_at_the_end() -> None:
    kept = reserve(validation_seconds=20.0, sheet_guess=1.0, seconds=100.0)
    assert Budget(10, seconds=100.0).leaving(kept).limit == 79.0
    assert reserve(0.0, sheet_guess=1e9, seconds=100.0) == 100.0 * SHEET_SHARE


def test_how_long_a_run_will_be() -> None:
    assert run_seconds(Budget(10, seconds=100.0), 1.0) == 100.0
    assert run_seconds(Budget(90, max_steps=45), 2.0) == pytest.approx(100.0)


def test_speed_is_that_of_the_steps_without_side_work() -> None:
    meter = SpeedMeter(0, 0.0)
    meter.leave_out(8.0)
    assert meter.look(4, 10.0) == 2.0
    assert meter.look(4, 20.0) is None


def test_what_the_user_asks_for_is_done_whatever_it_costs() -> None:
    pace = ValidationPace(every=10, step_seconds=1.0, cost=30.0, asked=True)
    assert [step for step in range(31) if pace.due(at(step, left=100.0), validated=-1)] == [10, 20, 30]
    assert not pace.due(at(10, left=29.0), validated=-1)
    assert pace.share == pytest.approx(0.75)
    assert sheet_due(at(15), 10.0, 5, 1.0, spent=1e9, expected=0.0, asked=True)
    assert not sheet_due(at(14), 10.0, 5, 1.0, spent=0.0, expected=0.0, asked=True)
    assert not sheet_due(at(15, left=0.5), 10.0, 5, 1.0, spent=0.0, expected=0.0, asked=True)
