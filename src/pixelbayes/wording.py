"""What is said in Python is in Python's words: `resume=True` where the command line has `--resume`.

Messages are written once, with the options of the command line. The public functions (`speaks_python`) turn them round
on their way to a caller in Python.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .errors import UnknownNameError, UserError
from .names import nearest

P = ParamSpec("P")
R = TypeVar("R")

SWITCHES = ("resume", "overwrite", "skip-bad-images", "add-validation", "reject")
"""Options that take no value."""

RENAMED = {"from": "start", "import": "imports"}
"""Options whose argument in Python has another name."""

OPTION = re.compile(
    r"--([a-z][\w.-]*\w)(?:(?: |=)((?:[A-Z][A-Z./a-z:]*|\S*\d[^\s,;)]*|\S+=\S+|auto|test|first)(?=[\s,;:).]|$)))?"
)
COMMAND = re.compile(r"pixelbayes (train) (\S+)((?: --[\w.-]+(?: (?!--)\S+)?)+)")
FIT = re.compile(r" ?pixelbayes detect (\S+) --fit")

_IN_PYTHON: ContextVar[bool] = ContextVar("in_python", default=False)


class WrongCallError(UserError, TypeError):
    """A call with an argument that there is not; also a TypeError, as Python has it."""


def in_python(text: str) -> str:
    """A message with the options of the command line -> the same with the arguments of Python.

    >>> in_python("choose another --out, or add --overwrite (or train with --data.size 64)")
    'choose another out=..., or add overwrite=True (or train with size=64)'
    """
    text = FIT.sub(r"pb.save_detector(pb.fit_detector(model), '\1')", text)
    text = COMMAND.sub(lambda match: f"pb.{match[1]}({match[2]}, {_arguments(match[3])})", text)
    return OPTION.sub(lambda match: _argument(match[1], match[2]), text)


def _arguments(words: str) -> str:
    pairs = re.findall(r"--([\w.-]+)(?: (?!--)(\S+))?", words)
    return ", ".join(_argument(name, value or None) for name, value in pairs)


def _argument(option: str, value: str | None) -> str:
    name = option.rpartition(".")[2]
    name = RENAMED.get(name, name).replace("-", "_")
    if option in SWITCHES:
        return f"{name}=True" + (f" {value}" if value else "")
    if value is None:
        return f"{name}=..."
    plain = value.isupper() or re.fullmatch(r"[\d.]+", value)
    return f"{name}={value if plain else repr(value)}"


def told(text: str) -> str:
    """A message in the words of whoever called: Python's within a public function, else the command line's."""
    return in_python(text) if _IN_PYTHON.get() else text


def speaks_python(verb: Callable[P, R]) -> Callable[P, R]:
    """The same function, whose errors and notes speak Python, and which says what is meant by an unknown argument.

    Raises WrongCallError for that, with the nearest name.
    """

    @wraps(verb)
    def spoken(*arguments: P.args, **named: P.kwargs) -> R:
        _check_names(verb, named)
        token = _IN_PYTHON.set(True)
        try:
            return verb(*arguments, **named)
        except UnknownNameError as error:
            raise _with_own_arguments(verb, error, named) from error.__cause__
        except UserError as error:
            error.args = (_for(verb, str(error)), *error.args[1:])
            raise
        finally:
            _IN_PYTHON.reset(token)

    return spoken


def _names(verb: Callable[..., Any]) -> tuple[list[str], bool]:
    """The names of the arguments, and whether others are taken, too."""
    parameters = inspect.signature(verb).parameters.values()
    own = [each.name for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    return own, any(each.kind is each.VAR_KEYWORD for each in parameters)


def _for(verb: Callable[..., Any], text: str) -> str:
    """A message in Python's words, where a function has `images` for what the command line calls --data."""
    own, _ = _names(verb)
    spelled = in_python(text)
    return spelled.replace("data=...", "images=...") if "images" in own and "data" not in own else spelled


def _check_names(verb: Callable[..., Any], named: Mapping[str, object]) -> None:
    own, others = _names(verb)
    for name in named if not others else ():
        if name not in own:
            near = nearest(name, own)
            hint = f": did you mean '{near}'?" if near else ""
            raise WrongCallError(
                f"pb.{verb.__name__} has no argument '{name}'{hint} (it takes {', '.join(own)})"
            )


def _with_own_arguments(
    verb: Callable[..., Any], error: UnknownNameError, named: Mapping[str, object]
) -> UserError:
    """Where the unknown name is that of an argument: the nearest one among the function's own, too."""
    if error.name not in named:
        return UserError(_for(verb, str(error)))
    near = nearest(error.name, [*_names(verb)[0], *error.choices])
    hint = f": did you mean '{near}'?" if near else ""
    return WrongCallError(
        f"pb.{verb.__name__} has no argument '{error.name}'{hint} (unknown field; help(pb.{verb.__name__}) and "
        "docs/recipes.md list them)"
    )
