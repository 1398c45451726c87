"""Groups of images that belong together (bursts of one object), found in their paths."""

import re
from collections.abc import Sequence

from ..errors import UserError


def is_pattern(group_by: str) -> bool:
    """Whether it can be a pattern (which has a group in parentheses) and not a column's name."""
    return "(" in group_by


def groups_by_pattern(
    pattern: str | None,
    names: Sequence[str],
    required: bool = True,
    name: str = "group_by",
    whole: bool = False,
) -> list[str] | None:
    """Group 1 of the regular expression in each path's file name; '' (no group) where it does not match.

    A pattern that matches no file name (or any, where `whole`) is looked for in the whole paths. One that matches none
    of them, either, gives None where a group is not `required`. Raises UserError (`name`: what the pattern is given as)
    for a pattern that is none, has no group, or, where one is required, matches nothing.

    >>> groups_by_pattern(r"([a-z]+)_[0-9]+", ["cats/tom_1.png", "cats/tom_2.png"])
    ['tom', 'tom']
    """
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{name} '{pattern}' is no regular expression: {error}") from error
    if not compiled.groups:
        raise UserError(
            f"{name} '{pattern}' is no column of a table, and as a pattern of the file name it needs a group in "
            "parentheses, such as '([a-z]+)_[0-9]+'"
            if name == "group_by"
            else f"{name} is first, parent, path, or a pattern with a group in parentheses, not '{pattern}'"
        )
    matches = [] if whole else [compiled.search(word.rpartition("/")[2]) for word in names]
    if not any(matches):
        matches = [compiled.search(word) for word in names]
    if not any(matches) and not required:
        return None
    if not any(matches):
        raise UserError(f"{name} '{pattern}' matches none of the paths, such as {names[0] if names else '-'}")
    return [(match.group(1) or "") if match else "" for match in matches]
