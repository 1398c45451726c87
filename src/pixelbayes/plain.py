"""Frozen dataclasses <-> plain data (what TOML and JSON can hold), strictly checked."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import UserError, unknown

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """A dataclass -> a dictionary of plain values; fields that are None are left out.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Size:
    ...     height: int = 2
    ...     widths: tuple[int, ...] = (3, 4)
    ...     depth: int | None = None
    >>> to_plain(Size())
    {'height': 2, 'widths': [3, 4]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value) if field.init)
        return {name: to_plain(item) for name, item in pairs if item is not None}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items() if item is not None}
    return value


def from_plain(kind: type[T], data: Mapping[str, Any], where: str) -> T:
    """A dictionary -> the dataclass `kind`; `where` names the place for the user, such as 'digits.toml [network]'.

    Raises UserError for an unknown field (with the nearest name), a missing one, and a value of another type.
    """
    hints = field_types(kind)
    for name in data:
        if name not in hints:
            raise unknown(f"field in {where}:", name, hints)
    values = {name: convert(hints[name], value, f"{where} {name}") for name, value in data.items()}
    for field in fields(kind):  # type: ignore[arg-type]
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if field.init and not optional and field.name not in values:
            raise UserError(f"{where}: the field '{field.name}' is missing")
    return build(kind, values, where)


def build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Construct `kind`, naming the place when its own checks refuse a value."""
    try:
        return kind(**values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {error}") from error


def field_types(kind: type) -> dict[str, Any]:
    """The fields that a user may set, with their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def convert(hint: Any, value: Any, where: str) -> Any:
    """Check `value` against the type `hint`; lists become tuples and whole numbers floats where asked for.

    >>> convert(tuple[int, ...], [1, 2], "here")
    (1, 2)
    """
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return from_plain(hint, value, where)
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _convert_union(options, hint, value, where)
    if origin is Literal:
        if value in options and type(value) in {type(option) for option in options}:
            return value
        raise unknown(f"value of {where}:", value, [str(option) for option in options])
    if origin is tuple and isinstance(value, list | tuple):
        return _convert_tuple(options, hint, value, where)
    if _matches(hint, value):
        return float(value) if hint is float else value
    raise UserError(f"{where} must be {spell(hint)}, not {value!r}")


def _convert_union(options: tuple[Any, ...], hint: Any, value: Any, where: str) -> Any:
    if value is None and NoneType in options:
        return None
    literal = [option for option in options if get_origin(option) is Literal]
    for option in options:
        try:
            return convert(option, value, where)
        except UserError:
            continue
    if literal and isinstance(value, str):
        return convert(literal[0], value, where)
    raise UserError(f"{where} must be {spell(hint)}, not {value!r}")


def _convert_tuple(options: tuple[Any, ...], hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    if len(options) == 2 and options[1] is Ellipsis:
        return tuple(convert(options[0], item, where) for item in value)
    if len(options) != len(value):
        raise UserError(f"{where} must be {spell(hint)}, not {value!r}")
    return tuple(convert(option, item, where) for option, item in zip(options, value, strict=True))


def _matches(hint: Any, value: Any) -> bool:
    if hint is Any:
        return True
    if get_origin(hint) in (dict, list):  # what lies within is checked by whoever reads it
        return isinstance(value, get_origin(hint) or object)
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(hint, type) and isinstance(value, hint)


def spell(hint: Any) -> str:
    """A type in the user's words.

    >>> spell(int | tuple[int, int] | None)
    'a whole number or a list of 2 (a whole number)'
    """
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(spell(option) for option in options if option is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in options)
    if origin is dict:
        return "a table"
    if origin is tuple:
        several = len(options) == 2 and options[1] is Ellipsis
        return f"a list of {'' if several else f'{len(options)} '}({spell(options[0])})"
    return words.get(hint, getattr(hint, "__name__", str(hint)))
