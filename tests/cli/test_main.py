"""The edge of the command line: help without heavy imports, exit codes, one line for a mistake."""

import subprocess
import sys
from unittest.mock import Mock

import pytest
import torch

from pixelbayes import cli
from pixelbayes.cli import COMMANDS, main
from pixelbayes.errors import UserError

LISTING = "import sys; from pixelbayes.cli import main; main({words}); print('LOADED', *sys.modules)"


def loaded_by(*words: str) -> set[str]:
    """The modules that a command imported, in a fresh interpreter."""
    result = subprocess.run(
        [sys.executable, "-c", LISTING.format(words=list(words))], capture_output=True, text=True, check=True
    )
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_help_needs_no_heavy_import() -> None:
    assert not loaded_by("--help") & {"torch", "numpy", "tyro", "rich", "matplotlib", "sklearn"}


def test_a_commands_help_does_not_import_torch() -> None:
    assert "torch" not in loaded_by("generate", "--help")


def test_import_pixelbayes_is_light() -> None:
    code = "import sys, pixelbayes; assert 'torch' not in sys.modules; assert 'generate' in dir(pixelbayes)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr()
    assert "examples:" in shown.out
    assert f"pixelbayes {command}" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    assert not shown.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["trian"], "did you mean 'train'"),
        (["train"], "missing: DATA"),
        (["train", "digits", "--recipe", "digts"], "did you mean 'digits'"),
        (["train", "digits", "--network", "pixelcnnpp"], "did you mean 'pixelcnn_pp'"),
        (["train", "digits", "--network.filtrs", "3"], "--network.filters"),
        (["train", "digits", "--network.filters", "many"], "--network.filters"),
        (["train", "digits", "--training.schedule", "cosin"], "did you mean 'cosine'?"),
        (["train", "digits", "--data.resize", "bilinea"], "did you mean 'bilinear'?"),
        (["train", "digits", "--data.signal", "xyz"], "Expected one of ('linear', 'sqrt', 'asinh')"),
        (["train", "digits", "--import", "no_such_module_here"], "no_such_module_here"),
        (["train", "no/such/folder"], "no/such/folder"),
        (["generate", "no/such/model"], "no/such/model"),
        (["generate", "no/such/model", "--per-class", "0"], "--per-class must be above 0"),
        (["generate", "no/such/model", "--per-clas", "3"], "did you mean '--per-class'"),
        (["classify", "no/such/model", "digits"], "no/such/model"),
        (["evaluate", "no/such/model"], "no/such/model"),
        (["import", "no-such-file.pth"], "no-such-file.pth"),
        (["list", "recipe"], "did you mean 'recipes'"),
        (["list", "recipes", "digts"], "did you mean 'digits'"),
        (["list", "runs", "no/such/folder"], "no/such/folder"),
        (["demo", "--minutes"], "--minutes"),
        (["demo", "--minutes", "0"], "minutes must be above 0, not 0"),
        (["train", "digits", "--minutes", "nan"], "minutes must be above 0, not nan"),
        (["train", "digits", "--max-steps", "0"], "must be 1 or more, not 0"),
        (["train", "digits", "--seed", "-1"], "seed must be 0 or more, not -1"),
        (["train", "digits", "--seed", "abc"], "'abc' is not a whole number"),
        (["train", "digits", "--recipe", "no-such.toml"], "no-such.toml cannot be read: No such file"),
        (["generate", "no/such/model", "--temperature", "nan"], "--temperature must be above 0, not nan"),
        (["generate", "no/such/model", "--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["generate", "no/such/model", "--batch", "0"], "--batch must be above 0, not 0"),
        (["classify", "no/such/model", "digits", "--batch", "-1"], "--batch must be above 0, not -1"),
        (["evaluate", "no/such/model", "--batch", "0"], "--batch must be above 0, not 0"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert wanted in shown.err
    assert shown.err.startswith("pixelbayes: error: ")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code", "wanted"),
    [
        (UserError("two\nlines"), 2, "two lines"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "runs/x"), 2, "runs/x: No space left on device"),
        (
            ValueError("boom"),
            2,
            f"in your code, {__file__}, line ",
        ),  # as a network of the user's own would raise it
    ],
)
def test_what_goes_wrong_decides_the_exit_code(
    raised: BaseException,
    code: int,
    wanted: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(words: list[str]) -> int:
        raise raised

    monkeypatch.setattr(cli, "_dispatch", fail)
    monkeypatch.delenv("PIXELBAYES_DEBUG", raising=False)
    assert main(["anything"]) == code
    shown = capsys.readouterr().err
    assert wanted in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_bug_shows_its_traceback_when_asked(
    debug: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "COMMANDS", None)  # so that a line of ours fails
    monkeypatch.setenv("PIXELBAYES_DEBUG", debug)
    assert main(["anything"]) == 1
    shown = capsys.readouterr().err
    assert "a bug, not your mistake: TypeError" in shown
    assert ("Traceback" in shown) == bool(debug)


def test_that_another_process_left_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    error = RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1")
    monkeypatch.setattr(cli, "_in_users_code", lambda error: "")
    monkeypatch.setattr(cli, "_dispatch", Mock(side_effect=error))
    assert main(["anything"]) == 2
    assert "another process of this run has stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 TiB"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_said(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr("pixelbayes.cli.evaluate_command.run", run)
    assert main(["evaluate", "model"]) == 2
    assert "not enough memory" in capsys.readouterr().err
