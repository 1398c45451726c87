from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pixelbayes.journals import Events


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    events = Events(tmp_path / "events")
    events.write(1, {"bits": 2.5, "accuracy": 0.5})
    events.write(2, {"bits": 2.25})
    assert read(tmp_path / "events") == {"bits": [(1, 2.5), (2, 2.25)], "accuracy": [(1, 0.5)]}
    events.close()


def test_a_resumed_run_hides_what_was_written_after_its_step(tmp_path: Path) -> None:
    for purge, steps in ((None, (1, 2, 3)), (2, (2, 3, 4))):
        events = Events(tmp_path, purge)
        for step in steps:
            events.write(step, {"bits": step + (0.5 if purge else 0)})
        events.close()
    assert read(tmp_path)["bits"] == [(1, 1.0), (2, 2.5), (3, 3.5), (4, 4.5)]


def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Events(tmp_path / "file")
