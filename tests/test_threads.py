"""Waiting threads give their core away soon, unless the user or an import came before."""

import os
import subprocess
import sys


def waits(first: str = "", **environment: str) -> list[str]:
    """Whether it could be set, and what the environment then holds."""
    code = (
        f"{first}\nimport os\nfrom pixelbayes.threads import wait_briefly\n"
        "print(wait_briefly(), os.environ.get('GOMP_SPINCOUNT'))"
    )
    known = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**known, **environment}
    )
    return run.stdout.split()


def test_it_is_set_before_torch_is_there():
    assert waits() == ["True", "10000"]


def test_what_the_user_set_stays():
    assert waits(GOMP_SPINCOUNT="7") == ["False", "7"]
    assert waits(OMP_WAIT_POLICY="active") == ["False", "None"]


def test_it_comes_too_late_after_torch():
    assert waits("import torch") == ["False", "None"]


def test_the_command_line_sets_it():
    code = "import os\nfrom pixelbayes.cli import main\nmain(['--version'])\nprint(os.environ.get('GOMP_SPINCOUNT'))"
    known = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=known)
    assert run.stdout.split()[-1] == "10000"
