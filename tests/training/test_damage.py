"""A damaged state is passed over, one process writes a folder at a time, and the journal survives."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.training.run_small import recipe, train_small

from pixelbayes.errors import UserError
from pixelbayes.folders import FolderLock
from pixelbayes.journals import Journal, read_rows
from pixelbayes.training.state_files import list_states, load_state

Damage = Callable[[dict[str, torch.Tensor], dict[str, str]], None]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two states, of step 2 and of step 4."""
    out = tmp_path_factory.mktemp("begun") / "run"
    for steps in (2, 4):
        train_small(out, recipe(1, checkpoint_seconds=1e4), max_steps=steps, resume=steps > 2)
    for state in list_states(out)[:-2]:
        state.unlink()
    return out


def renamed(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    tensors["model.other"] = tensors.pop(next(name for name in tensors if name.startswith("model.")))


def without_average(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    tensors.pop(next(name for name in tensors if name.startswith("average.")))


def moment_gone(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    tensors.pop(next(name for name in tensors if name.endswith("exp_avg_sq")))


def moments_gone(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    for name in [name for name in tensors if name.startswith("optimiser.")]:
        tensors.pop(name)


def moment_named_oddly(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    tensors["optimiser.x"] = torch.zeros(1)


def not_finite(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    tensors[next(name for name in tensors if name.startswith("model."))].fill_(torch.nan)


def changed(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    tensors[next(name for name in tensors if name.startswith("model."))] += 1e-3


def of_memory(**values: object) -> Damage:
    def damage(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
        header["memory"] = json.dumps(json.loads(header["memory"]) | values)

    return damage


DAMAGES = {
    "renamed": renamed,
    "without average": without_average,
    "a moment gone": moment_gone,
    "moments gone": moments_gone,
    "odd name": moment_named_oddly,
    "not finite": not_finite,
    "training": of_memory(training={"batch": "many"}),
    "model": of_memory(model={"network": 3}),
    "recipe": of_memory(recipe={"nonsense": 1}),
    "augment": of_memory(augment={"flip": 7}),
    "objective": of_memory(objective=[]),
}


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("damage", [*DAMAGES.values(), changed], ids=[*DAMAGES, "changed"])
def test_a_damaged_newest_state_is_passed_over(
    begun: Path, tmp_path: Path, damage: Damage, signed: bool
) -> None:
    if damage is changed and not signed:
        pytest.skip("without a digest, another value looks like any")
    out = Path(shutil.copytree(begun, tmp_path / "run"))
    newest = list_states(out)[-1]
    with safe_open(newest, framework="pt") as file:
        header, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    damage(tensors, header)
    if not signed:  # as an earlier version wrote it
        header.pop("digest")
    save_file(tensors, newest, header)
    found = load_state(out)
    assert found is not None
    assert found.state.step == 2


def test_a_run_goes_on_from_the_state_before_the_damaged_one(begun: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(begun, tmp_path / "run"))
    newest = list_states(out)[-1]
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-100] + bytes(100))
    train_small(out, recipe(1, checkpoint_seconds=1e4), max_steps=4, resume=True)
    before, after = load_file(list_states(begun)[-1]), load_file(newest)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}])
def test_a_folder_that_another_run_writes_is_refused(begun: Path, options: dict[str, bool]) -> None:
    before = {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()}
    with FolderLock() as lock:
        lock.take(begun)
        with pytest.raises(UserError, match="another process is writing"):
            train_small(begun, recipe(1), max_steps=6, **options)
    assert {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()} == before


def test_a_lock_is_gone_with_its_owner_and_leaves_an_empty_folder_empty(tmp_path: Path) -> None:
    for _ in range(2):
        with FolderLock() as lock:
            lock.take(tmp_path)
            lock.take(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "odd",
    [
        '"',
        "\0",
        "x" * 200_000,
        "²,3",
        "2.5,1",
        ",,,",
        '3,"a\n4,5',
        "-7,1",
        "2,1",
        "nonsense,ä",
        "3,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    ],
    ids=ascii,
)
def test_a_journal_survives_odd_cells(tmp_path: Path, odd: str) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2):
        journal.write({"step": step, "train_bits_per_dim": step / 2})
    journal.close()
    path = tmp_path / "journal.csv"
    path.write_text(path.read_text() + odd + "\n")
    again = Journal(tmp_path, step=2)
    again.write({"step": 3, "train_bits_per_dim": 9.0})
    again.close()
    rows = read_rows(path)
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert [row["train_bits_per_dim"] for row in rows] == ["0.5", "1", "9"]
