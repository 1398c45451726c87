"""Every public function says what it takes, gives and refuses, and shows a call."""

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import pixelbayes as pb

VERBS = sorted(
    name
    for name in pb.__all__
    if not name.startswith(("__", "register_")) and not inspect.isclass(getattr(pb, name))
)
REFUSE_NOTHING = {"bits_per_dim", "check_causality", "set_sink"}


def told(name: str) -> tuple[Callable[..., Any], str]:
    """The function under a public name, and its docstring."""
    function = inspect.unwrap(getattr(pb, name))
    return function, inspect.getdoc(function) or ""


def test_there_are_some() -> None:
    assert {"train", "generate", "classify", "evaluate", "report", "study"} <= set(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_tells_its_arguments_its_answer_and_its_errors(name: str) -> None:
    function, text = told(name)
    if name != "adapt":  # told in prose, since they belong together
        section = text.partition("Args:\n")[2].partition("\n\n")[0]
        described = re.findall(r"^    (\w+): \S", section, flags=re.MULTILINE)
        assert described == list(inspect.signature(function).parameters)
    else:
        assert all(re.search(rf"`{each}\b", text) for each in inspect.signature(function).parameters)
    assert re.search(r"[Rr]eturns?\b|A model of ours", text)
    assert name in REFUSE_NOTHING or re.search(r"[Rr]aises:?\s+`?UserError", text)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_shows_a_call_of_itself(name: str) -> None:
    _, text = told(name)
    example = text.partition("Example:\n")[2] or text.partition(">>>")[2]
    assert name in example
    if "Example:\n" in text:
        ast.parse(example.strip().splitlines()[0])
