"""What a report holds, and the page it becomes: HTML with its pictures and its style inside."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from ..files import whole


@dataclass(frozen=True)
class Comparison:
    """One model in the table of held-out figures; `ours` is set off from the others."""

    name: str
    explanation: str
    bits_per_dim: float
    accuracy: float | None = None
    ours: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG file and what is to be seen in it."""

    title: str
    caption: str
    path: Path


@dataclass(frozen=True)
class Mistake:
    """An image (as the bytes of a PNG) that got a wrong name."""

    png: bytes
    true: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Command:
    """Something to try next."""

    line: str
    purpose: str


@dataclass(frozen=True)
class Report:
    """Everything on the page, in its order."""

    title: str
    lead: str
    figures: Sequence[tuple[str, str]]
    """Large numbers and what they are."""
    comparisons: Sequence[Comparison]
    pictures: Sequence[Picture]
    calibration: str
    mistakes: Sequence[Mistake]
    mistakes_note: str
    details: Sequence[tuple[str, str]]
    commands: Sequence[Command]
    footer: str


def write_report(report: Report, path: str | Path) -> None:
    """Write the report as one HTML file, whole or not at all."""
    template = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    text = template.substitute(
        title=escape(report.title),
        lead=escape(report.lead),
        figures=_join(_figure(*figure) for figure in report.figures),
        comparisons=_comparisons(report.comparisons),
        pictures=_join(_picture(picture) for picture in report.pictures),
        calibration=escape(report.calibration),
        mistakes=_mistakes(report.mistakes, report.mistakes_note),
        details=_join(_detail(*detail) for detail in report.details),
        commands=_join(_command(command) for command in report.commands),
        footer=escape(report.footer),
    )
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _join(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _figure(number: str, meaning: str) -> str:
    return f'<div class="figure"><b>{escape(number)}</b><span>{escape(meaning)}</span></div>'


def _comparisons(rows: Sequence[Comparison]) -> str:
    longest = max(row.bits_per_dim for row in rows)
    return _join(_comparison(row, longest) for row in rows)


def _comparison(row: Comparison, longest: float) -> str:
    accuracy = "–" if row.accuracy is None else f"{row.accuracy:.1%}"
    return (
        f"<tr{' class=ours' if row.ours else ''}>"
        f"<th>{escape(row.name)}<small>{escape(row.explanation)}</small></th>"
        f'<td class="bar"><i style="width:{100 * row.bits_per_dim / longest:.1f}%"></i></td>'
        f'<td class="number">{row.bits_per_dim:.2f}</td><td class="number">{accuracy}</td></tr>'
    )


def _source(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


def _picture(picture: Picture) -> str:
    return (
        f'<figure><h2>{escape(picture.title)}</h2><img src="{_source(picture.path.read_bytes())}" '
        f'alt="{escape(picture.title)}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )


def _mistakes(mistakes: Sequence[Mistake], note: str) -> str:
    shown = _join(
        f'<div class="mistake"><img src="{_source(mistake.png)}" alt="{escape(mistake.true)}">'
        f"<span>{escape(mistake.true)}, called <b>{escape(mistake.predicted)}</b></span>"
        f"<small>{mistake.probability:.0%} sure</small></div>"
        for mistake in mistakes
    )
    return f'<p>{escape(note)}</p><div class="mistakes">{shown}</div>'


def _detail(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"


def _command(command: Command) -> str:
    return f"<li><p>{escape(command.purpose)}</p><code>{escape(command.line)}</code></li>"
