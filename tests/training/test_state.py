import errno
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from pixelbayes.errors import UserError
from pixelbayes.training.run_state import RunState
from pixelbayes.training.state_files import SavedState, list_states, load_state, save_state


def numbered(step: int) -> SavedState:
    figures = {"bits": 1.5, "none": None}
    state = RunState(0, None, None, training={}, augment={}, step=step, best_figures=figures)
    return SavedState({"weights": torch.full([64], float(step))}, state)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save_state(tmp_path, 7, numbered(7))
    found = load_state(tmp_path)
    assert found is not None
    assert found.state == numbered(7).state
    assert torch.equal(found.tensors["weights"], numbered(7).tensors["weights"])


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 90, 100):
        save_state(tmp_path, step, numbered(step))
    assert [path.name for path in list_states(tmp_path)] == ["000000090.safetensors", "000000100.safetensors"]
    assert not [path for path in (tmp_path / "state").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kept", [0, 5, 100])
def test_a_broken_newest_state_is_passed_over(tmp_path: Path, kept: int) -> None:
    save_state(tmp_path, 1, numbered(1))
    newest = save_state(tmp_path, 2, numbered(2))
    newest.write_bytes(newest.read_bytes()[:kept])
    found = load_state(tmp_path)
    assert found is not None
    assert found.state.step == 1


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"memory": "{"},
        {"memory": "[1]"},
        {"memory": '{"step": 3}'},
        {"memory": json.dumps(numbered(2).state.to_dict() | {"training": None})},
        {"memory": json.dumps(numbered(2).state.to_dict() | {"step": "3"})},
        {"memory": json.dumps(numbered(2).state.to_dict() | {"minutes": "3"})},
        {"memory": json.dumps(numbered(2).state.to_dict() | {"precision": "64"})},
    ],
    ids=str,
)
def test_a_state_of_another_program_is_passed_over(
    tmp_path: Path, metadata: dict[str, str] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    save_state(tmp_path, 1, numbered(1))
    newest = save_state(tmp_path, 2, numbered(2))
    safetensors.torch.save_file(numbered(2).tensors, newest, metadata)
    found = load_state(tmp_path)
    assert found is not None
    assert found.state.step == 1
    assert "cannot be read" in capsys.readouterr().err


def test_what_other_versions_remember_beside_is_left_out() -> None:
    state = RunState.from_dict(numbered(2).state.to_dict() | {"weather": "fine", "elapsed": 3})
    assert (state.step, state.elapsed) == (2, 3)


def test_only_broken_states_are_an_error(tmp_path: Path) -> None:
    save_state(tmp_path, 1, numbered(1)).write_bytes(b"nothing")
    with pytest.raises(UserError, match="can be read"):
        load_state(tmp_path)


def test_no_state_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


def test_a_full_disk_is_one_line_and_leaves_earlier_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path, 1, numbered(1))

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(UserError, match="No space left on device"):
        save_state(tmp_path, 2, numbered(2))
    found = load_state(tmp_path)
    assert found is not None
    assert found.state.step == 1
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_safetensors_own_error_on_a_full_disk_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(UserError, match="No space left"):
        save_state(tmp_path, 2, numbered(2))
