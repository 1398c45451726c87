"""The command line: reads arguments, calls a task, presents the answer. One small file a command."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from .. import __version__
from ..errors import UserError, printable, unknown
from ..threads import wait_briefly

COMMANDS = {
    "demo": "train on the bundled digits and write a one-page report",
    "train": "train a model on a folder of images, a CSV split or a known data set",
    "generate": "draw images of each class",
    "complete": "keep a part of images and draw the rest",
    "classify": "classify images by Bayes' rule on their likelihoods",
    "evaluate": "bits/dim and accuracy on held-out images, with intervals, baselines and pictures",
    "calibrate": "probabilities that can be believed, fitted on labelled images",
    "compare": "is one of two models better, or is it chance?",
    "explain": "which pixels speak for an answer, and which against it",
    "detect": "images that are foreign to a model",
    "report": "one page on a run or a model, to hand over",
    "study": "compare settings over seeds: which is better, and is it sure?",
    "list": "recipes, runs and models",
    "import": "turn a reference checkpoint (.pth) into a model",
}

HELP = """\
usage: pixelbayes COMMAND ...

Image models with exact likelihoods: one model generates images and classifies them by Bayes' rule.

commands:
{commands}

  pixelbayes COMMAND --help explains a command, its options and examples.

start here:
  pixelbayes demo                                   a few minutes: train, draw, classify handwritten digits
  pixelbayes train photos/ --minutes 10             a folder with one sub-folder for each class
  pixelbayes generate runs/photos-001 --per-class 25
  pixelbayes classify runs/photos-001 new/ --csv predictions.csv
  pixelbayes evaluate runs/photos-001
  pixelbayes report runs/photos-001                 one page to hand over
  pixelbayes list recipes                           ready-made configurations

DATA is one word everywhere: digits; a folder; a folder with train.csv, validation.csv, test.csv; an image.
A model is a folder too, and every command that writes takes --out FOLDER.
"""


def help_text() -> str:
    """The answer to `pixelbayes --help`; it needs no heavy import."""
    rows = (f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
    return HELP.format(commands="\n".join(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 (the user can mend it), 130 (Ctrl-C), 1 (a bug)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    wait_briefly()
    try:
        return _dispatch(words)
    except UserError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(_spell(error), 2, bug=error)
    except Exception as error:
        if _out_of_memory(error):
            advice = "a smaller --batch (train: --training.batch), network or --data.size"
            first = (str(error) or type(error).__name__).splitlines()[0]
            return _fail(f"not enough memory ({first}); try {advice}", 2, bug=error)
        if own := _in_users_code(error):
            return _fail(
                f"{own}: {type(error).__name__}: {error} (PIXELBAYES_DEBUG=1 shows more)", 2, bug=error
            )
        if _another_process_left(error):
            return _fail("another process of this run has stopped; what it said is the reason", 2, bug=error)
        report = "set PIXELBAYES_DEBUG=1 to see where, and please report it"
        return _fail(f"a bug, not your mistake: {type(error).__name__}: {error} ({report})", 1, bug=error)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"pixelbayes {__version__}")
        return 0
    if words[0] not in COMMANDS:
        raise unknown("command", words[0], COMMANDS)
    module = import_module(f"{__name__}.{words[0]}_command")
    try:
        module.run(words[1:])
    except SystemExit as stop:  # tyro leaves this way after --help
        return stop.code if isinstance(stop.code, int) else 0
    finally:
        _part_from_other_processes()
    return 0


def _part_from_other_processes() -> None:
    """End what torchrun's processes talk through: a process that leaves with its threads still running may abort."""
    if "torch" not in sys.modules or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _in_users_code(error: Exception) -> str:
    """Where in a file of the user's (a network of their own, say) an error arose; empty where it did not."""
    package, libraries = str(Path(__file__).parents[1]), (sys.prefix, sys.base_prefix)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(package):
            return ""
        file = Path(frame.filename)
        installed = {"site-packages", "dist-packages"} & set(file.parts)
        if not installed and not frame.filename.startswith(libraries) and file.is_file():
            return f"in your code, {frame.filename}, line {frame.lineno}"
    return ""


def _another_process_left(error: Exception) -> bool:
    """Whether torchrun's processes cannot talk any more, since one of them has ended."""
    words = ("connection closed by peer", "connection reset by peer", "broken pipe", "socket closed", "nccl")
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and any(word in str(error).lower() for word in words)


def _out_of_memory(error: Exception) -> bool:
    """torch says so in several ways: an error of its own on a GPU, a RuntimeError on the CPU."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def _spell(error: OSError) -> str:
    file = f"{error.filename}: " if error.filename else ""
    return f"{file}{error.strerror or error}"


def _fail(text: str, code: int, bug: BaseException | None = None) -> int:
    if bug is not None and os.environ.get("PIXELBAYES_DEBUG"):
        traceback.print_exception(bug)
    print(f"pixelbayes: error: {printable(' '.join(text.split()))}", file=sys.stderr, flush=True)
    return code
