"""Arguments of a command, read by tyro into a dataclass; a mistake becomes one line."""

import io
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro

from ..errors import UserError
from ..names import nearest

T = TypeVar("T")

PLAINER = {
    r"^Missing from .*?:": "missing:",
    r"^Error parsing (\S+):": r"\1:",
    r"invalid literal for int\(\) with base 10: ('.*?')": r"\1 is not a whole number",
    r"could not convert string to float: ('.*?')": r"\1 is not a number",
    r"Expected 1 values": "It takes one",
}
"""What Python and tyro say, in the user's words."""

KINDS = {"{INT INT}": "two whole numbers", "INT": "a whole number", "FLOAT": "a number", "STR": "a text"}
"""What an option takes, as tyro writes it, in the user's words."""

Flag = tyro.conf.FlagCreatePairsOff[bool]
"""An option that is only ever switched on."""


def optional(metavar: str, **more: Any) -> Any:
    """How help shows an option that may be left out: what it takes, and no 'None' as its value."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="", **more)


Model = Annotated[
    str,
    tyro.conf.Positional,
    tyro.conf.arg(metavar="MODEL", help="A model's folder, or its name on the Hugging Face hub."),
]
Root = Annotated[
    str | None,
    optional("FOLDER", help="The folder of a standard set's files (that of the training when not given)."),
]
Pairs = Annotated[
    int | None, optional("N", help="Pairs of an image and a class that go through the network at once.")
]
Device = Annotated[str, tyro.conf.arg(help="cpu, cuda, cuda:1, ... (auto: a GPU if there is one).")]
SkipBadImages = Annotated[
    Flag, tyro.conf.arg(help="Leave out files that are no readable images, naming them.")
]
Imports = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    optional(
        "MODULE",
        name="import",
        help="A Python module with the model's own network, distribution or label strategy; may be repeated.",
    ),
]
"""Options that mean the same in every command."""


def read(kind: type[T], arguments: Sequence[str], command: str) -> T:
    """Parse `arguments` into `kind`, whose docstring is the command's help text.

    Raises UserError for anything that tyro refuses, with the nearest option where there is one.
    """
    complaint, output = io.StringIO(), io.StringIO()
    try:
        with redirect_stderr(complaint), redirect_stdout(output):
            return tyro.cli(kind, args=list(arguments), prog=f"pixelbayes {command}")
    except SystemExit as stop:
        if stop.code:
            _refuse_unknown(kind, arguments, command)
            raise UserError(_one_line(complaint.getvalue(), command)) from None
        print(complaint.getvalue(), end="", file=sys.stderr)
        print(_filled(output.getvalue()))
        raise


def _filled(text: str) -> str:
    """Help for the terminal's width: tyro leaves a description's paragraphs as one line each."""
    width = max(40, shutil.get_terminal_size().columns)
    lines = text.splitlines()
    return "\n".join(
        textwrap.fill(line, width, break_on_hyphens=False, break_long_words=False)
        if len(line) > width
        else line
        for line in lines
    )


def _refuse_unknown(kind: type[Any], arguments: Sequence[str], command: str) -> None:
    """UserError for the first option that there is not, with the one that is meant."""
    known, positional = _options(kind)
    for word in arguments:
        name = word.partition("=")[0].removeprefix("--").replace("_", "-")
        plain = ".".join(part.removeprefix("no-") for part in name.split("."))
        if not word.startswith("--") or {name, plain} & {*known, "help", ""}:
            continue
        if name in positional:
            usual = f"pixelbayes {command} {' '.join(positional).upper()}"
            hint = f": {name.upper()} is given without --{name}, as in  {usual}"
        else:
            near = nearest(name, known)
            hint = f": did you mean '--{near}'?" if near else ""
        raise UserError(f"unrecognized option --{name}{hint} (see pixelbayes {command} --help)")


def _options(kind: type[Any], before: str = "") -> tuple[list[str], list[str]]:
    """The options of a command (without dashes in front), and its positional arguments, as the user writes them."""
    options, positional = [], []
    hints = get_type_hints(kind, include_extras=True)
    for each in fields(kind):
        marks = getattr(hints[each.name], "__metadata__", ())
        given = next((mark for mark in marks if hasattr(mark, "metavar")), None)
        name = (getattr(given, "name", None) or each.name).replace("_", "-")
        if any("POSITIONAL" in str(mark).upper() for mark in marks if mark is not given):
            positional.append((getattr(given, "metavar", None) or name).lower())
        elif is_dataclass(hints[each.name]):
            options += _options(hints[each.name], f"{before}{name}.")[0]
        else:
            options.append(before + name)
    return options, positional


def _one_line(box: str, command: str) -> str:
    """The first part of tyro's box (below its title), and the first option that it proposes."""
    lines = [line.strip("│╭╮╰╯ ") for line in box.splitlines()]
    parts = re.split(r"\n[-─]*\n", re.sub(r"^[-─]+$", "", "\n".join(lines[1:]), flags=re.MULTILINE))
    text = " ".join(next((part for part in parts if part.strip()), box).split())
    near = re.search(r"(?:Perhaps you meant|Similar).*?(--[\w.-]+)", " ".join(lines))
    hint = f": did you mean '{near.group(1)}'?" if near else ""
    for pattern, words in PLAINER.items():
        text = re.sub(pattern, words, text)
    text = _missing_names(_with_kinds(_with_nearest_choice(text)))
    return f"{text[:1].lower()}{text[1:]}{hint} (see pixelbayes {command} --help)"


def _with_nearest_choice(text: str) -> str:
    """Where tyro refuses a value and lists those that it takes: with the nearest of them.

    >>> _with_nearest_choice("invalid choice 'cosin' for '--schedule'. Expected one of ('linear', 'cosine').")
    "invalid choice 'cosin' for '--schedule': did you mean 'cosine'? Expected one of ('linear', 'cosine')."
    """
    refused = re.search(r"invalid choice '(.*?)' for .*?(\. )Expected one of \((.*?)\)", text)
    if refused is None:
        return text
    near = get_close_matches(refused[1], re.findall(r"'(.*?)'", refused[3]), n=1, cutoff=0.5)
    hint = f": did you mean '{near[0]}'? " if near else refused[2]
    return text[: refused.start(2)] + hint + text[refused.end(2) :]


def _with_kinds(text: str) -> str:
    """Where a value fits none of the types that an option takes: what it takes.

    >>> _with_kinds("--size: no type matching {None}|INT|{INT INT} could be instantiated from ['a', 'b'].")
    "--size: 'a b' is not a whole number or two whole numbers"
    """
    refused = re.search(r"no type matching (\S.*?) could be instantiated from \[(.*?)\]\.?", text)
    if refused is None:
        return text
    kinds = re.findall(r"\{[^}]*\}|[^|{}]+", refused[1])
    words = [KINDS.get(kind, kind) for kind in kinds if kind not in ("{None}", "|")]
    given = " ".join(re.findall(r"'(.*?)'", refused[2]))
    return f"{text[: refused.start()]}'{given}' is not {' or '.join(words)}{text[refused.end() :]}"


def _missing_names(text: str) -> str:
    """Where arguments are missing: their names, without all of their help.

    >>> _missing_names("missing: MODEL A model's folder. (required) DATA A folder of images. (required)")
    'missing: MODEL, DATA'
    """
    start, colon, rest = text.partition("missing:")
    if start or not colon:
        return text
    parts = [part.split() for part in rest.split("(required)")]
    return f"missing: {', '.join(words[0] for words in parts if words)}"


def peek(arguments: Sequence[str], option: str) -> str | None:
    """The value of `--option VALUE` or `--option=VALUE`, before the whole is parsed; the last one wins.

    >>> peek(["digits", "--recipe", "digits"], "--recipe")
    'digits'
    """
    values = peek_all(arguments, option)
    return values[-1] if values else None


def peek_all(arguments: Sequence[str], option: str) -> list[str]:
    """All values of `--option`, in their order."""
    values = []
    for index, word in enumerate(arguments):
        if word == option and index + 1 < len(arguments):
            values.append(arguments[index + 1])
        elif word.startswith(f"{option}="):
            values.append(word.partition("=")[2])
    return values


def given(arguments: Sequence[str]) -> set[str]:
    """The options that were written, without dashes in front and with underscores within.

    >>> sorted(given(["digits", "--data.levels=2", "--training.learning-rate", "0.1"]))
    ['data.levels', 'training.learning_rate']
    """
    options = (word[2:].partition("=")[0] for word in arguments if word.startswith("--") and len(word) > 2)
    return {option.replace("-", "_") for option in options}
