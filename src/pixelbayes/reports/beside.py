"""The model beside others, as evaluations found it: simple classifiers, a CNN, and real images beside its samples."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from .sections import register_section
from .source import Source

FORMS = (".1%", ".2%", ".3f", ".2f", ",.0f")
"""How an answer may be written; a file may hold anything."""


@register_section("rivals", "Beside simple classifiers")
def rivals(source: Source) -> Mapping[str, Any] | None:
    """Naive Bayes, a nearest neighbour, an SVM and a forest on the same images."""
    rows = [
        (
            str(row.get("name", "")),
            str(row.get("explanation", "")),
            _number(row.get("accuracy"), ".1%"),
            _verdict(row),
        )
        for row in source.stored.rivals
        if _finite(row.get("accuracy"))
    ]
    if not rows:
        return None
    return {"rows": rows, "model": _number(source.stored.rivals[0].get("model_accuracy"), ".1%")}


def _verdict(row: Mapping[str, Any]) -> str:
    """Whether a classifier is better than the model, and whether that is chance."""
    p, own, model = row.get("p_value"), row.get("accuracy"), row.get("model_accuracy")
    if not (_finite(p) and _finite(own) and _finite(model)):
        return ""
    return "within chance" if p >= 0.05 else "better" if own > model else "worse"  # type: ignore[operator]


@register_section("against", "Beside a dedicated classifier")
def against(source: Source) -> Mapping[str, Any] | None:
    """The rows of `evaluate --against cnn`, and its picture."""
    rows = []
    for row in source.stored.against.get("rows") or ():
        if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
            continue
        form = row["form"] if row.get("form") in FORMS else ".3f"
        cells = [
            (_number(row.get(who), form), _interval(row.get(f"{who}_interval"), form))
            for who in ("model", "cnn")
        ]
        rows.append((row["name"], *cells))
    if not rows:
        return None
    return {
        "rows": rows,
        "images": source.stored.against.get("images"),
        "notes": _sentences(source.stored.against.get("notes")),
        "picture": source.stored.pictures.get("against.png"),
    }


@register_section("generation", "Samples beside real images")
def generation(source: Source) -> Mapping[str, Any] | None:
    """The figures of `evaluate --generation`: of all images, of real halves, and of each class."""
    table = source.stored.generation
    classes = table.get("by_class")
    parts = [
        ("all images", table.get("overall")),
        ("real images, one half and the other", table.get("real_half_from_other")),
    ]
    parts += list(classes.items()) if isinstance(classes, Mapping) else []
    rows = [
        (
            str(name),
            f"{_number(row.get('samples'), ',.0f')} beside {_number(row.get('real'), ',.0f')}",
            _estimate(row.get("frechet"), 1.0),
            _estimate(row.get("kid"), 1000.0),
            _number(row.get("precision"), ".3f"),
            _number(row.get("recall"), ".3f"),
        )
        for name, row in parts
        if isinstance(row, Mapping)
    ]
    if not rows:
        return None
    return {
        "name": str(table.get("features", "")),
        "rows": rows,
        "notes": _sentences(table.get("notes")),
        "nearest": source.stored.pictures.get("nearest.png"),
    }


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _number(value: Any, form: str) -> str:
    return format(float(value), form) if _finite(value) else ""


def _interval(ends: Any, form: str) -> str:
    """'0.91 to 0.94'; empty without an interval."""
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(map(_finite, ends)):
        return ""
    return f"{ends[0]:{form}} to {ends[1]:{form}}"


def _estimate(estimate: Any, scale: float) -> tuple[str, str]:
    """A distance and its interval."""
    if not isinstance(estimate, Mapping) or not _finite(estimate.get("value")):
        return "", ""
    ends = [estimate.get("low"), estimate.get("high")]
    scaled = [end * scale for end in ends] if all(map(_finite, ends)) else None  # type: ignore[operator]
    return f"{estimate['value'] * scale:.2f}", _interval(scaled, ".2f")


def _sentences(value: Any) -> list[str]:
    return [line for line in value if isinstance(line, str)] if isinstance(value, list) else []
