"""What many tests share: the data beside the checkout, one thread, and a cache of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the checkout (data, reference weights, reports)."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the folder 'shared' with the real data is not beside the checkout")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or leaves anything in the user's cache of decoded images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELBAYES_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the digits, trained for a few steps on the command line; tests read it only."""
    from pixelbayes.cli import main

    folder = tmp_path_factory.mktemp("models") / "tiny"
    words = ["train", "digits", "--recipe", "digits", "--network.filters", "8", "--training.batch", "64"]
    assert main([*words, "--max-steps", "4", "--device", "cpu", "--out", str(folder)]) == 0
    return folder
