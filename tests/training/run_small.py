"""A small run, in this process or in a child of it that may be killed."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from tests.training.small import SmallRecipe, small_digits

from pixelbayes.data import AugmentConfig
from pixelbayes.training import TrainingConfig, train


def recipe(epochs: float = 2, **training: Any) -> SmallRecipe:
    """Dropout and augmentation on, a state about every step."""
    fields = {
        "batch": 8,
        "sample_every": 0,
        "compile": "off",
        "precision": "32-true",
        "checkpoint_seconds": 0.1,
        "label_rate": 4.0,
    }
    config = TrainingConfig(epochs=epochs, **{**fields, **training})
    return SmallRecipe(training=config, augment=AugmentConfig(noise=0.02, swap=2))


def train_small(out: Path, parts: SmallRecipe, **options: Any) -> None:
    """Train on a few digits with seed 3."""
    train(small_digits(), parts, out, seed=3, device="cpu", **options)


def child(action: Callable[..., None], told: Path, *arguments: Any, **options: Any) -> BaseProcess:
    """Do it in a forked process, which need not import anything again; what it says goes to the file `told`."""
    process = multiprocessing.get_context("fork").Process(
        target=_behave, args=(action, told, arguments, options), daemon=True
    )
    process.start()
    return process


def _behave(action: Callable[..., None], told: Path, arguments: Any, options: Any) -> None:
    torch.set_num_threads(1)
    code = 0
    with told.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            action(*arguments, **options)
        except KeyboardInterrupt:
            code = 130
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception as error:
            print(f"Traceback: {type(error).__name__}: {error}", file=sys.stderr)
            code = 1
    os._exit(code)
